"""The cache of engines: found again, never trusted blindly, never in the way."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcgan_edge.export.tensorrt.cache import (
    cache_key,
    load_cached,
    store_cached,
    timing_cache_path,
)
from dcgan_edge.export.tensorrt.compile import Built
from dcgan_edge.files import cache_folder

BUILT = Built(b"an engine", ("a warning",))
FACTS = st.dictionaries(st.text(), st.integers() | st.text() | st.lists(st.integers()), max_size=4)


def test_what_was_stored_is_found(private_folders: Path) -> None:
    assert load_cached("k") is None
    store_cached("k", BUILT)
    assert load_cached("k") == BUILT
    assert load_cached("another") is None
    assert (private_folders / "engines" / "k.engine").read_bytes() == BUILT.engine


@pytest.mark.parametrize("damage", [b"another engine", b""])
def test_a_damaged_engine_is_not_used(damage: bytes, caplog: pytest.LogCaptureFixture) -> None:
    store_cached("k", BUILT)
    (cache_folder() / "engines" / "k.engine").write_bytes(damage)
    assert load_cached("k") is None
    assert "building it again" in caplog.text


@pytest.mark.parametrize("damage", ["", "[]", "{}", '{"sha256": 7}'])
def test_damaged_facts_are_not_used(damage: str) -> None:
    store_cached("k", BUILT)
    (cache_folder() / "engines" / "k.json").write_text(damage)
    assert load_cached("k") is None


def test_a_cache_that_cannot_be_written_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("DCGAN_EDGE_CACHE", str(tmp_path / "file"))
    with caplog.at_level(logging.WARNING):
        store_cached("k", BUILT)
    assert "not kept for the next time" in caplog.text
    assert load_cached("k") is None


def test_the_folder_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DCGAN_EDGE_CACHE", str(tmp_path / "own"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "own"
    monkeypatch.delenv("DCGAN_EDGE_CACHE")
    assert cache_folder() == tmp_path / "xdg" / "dcgan-edge"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "dcgan-edge"


@settings(deadline=None)
@given(FACTS, FACTS)
def test_keys_differ_exactly_where_facts_do(one: dict[str, object], other: dict[str, object]) -> None:
    assert (cache_key(one) == cache_key(other)) == (one == other)
    assert cache_key(one) == cache_key(dict(reversed(one.items())))


def test_timings_are_kept_apart_by_version_and_gpu() -> None:
    paths = {
        timing_cache_path(builder, gpu)
        for builder in ("trt10.3.0", "trt10.16.2")
        for gpu in ("Orin (nvgpu)", "NVIDIA L4/../x")
    }
    assert len(paths) == 4
    assert {path.parent for path in paths} == {cache_folder() / "timing"}
