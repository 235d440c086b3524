from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dcgan_edge import held_file
from dcgan_edge.errors import ArtifactError, EdgeError, UsageError
from dcgan_edge.held_file import HeldFile

GOOD, BAD = b"good" * 1000, b"bad!" * 1000
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="leases are Linux's")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "file.onnx"
    path.write_bytes(GOOD)
    with HeldFile(path) as file:
        if not isinstance(file.source(), str):
            pytest.skip("this file system grants no lease")
    return path


def loaded(source: str | bytes) -> bytes:
    """What a library gets."""
    return source if isinstance(source, bytes) else Path(source).read_bytes()


def test_another_file_that_takes_the_name_is_not_what_is_loaded(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(BAD)
    with HeldFile(path) as file:
        assert file.read() == GOOD
        other.replace(path)
        assert loaded(file.source()) == GOOD
        assert file.read() == GOOD
    assert path.read_bytes() == BAD


@pytest.mark.parametrize("how", [os.O_WRONLY, os.O_RDWR, os.O_WRONLY | os.O_TRUNC])
def test_nobody_writes_before_it_is_closed_and_whoever_tried_is_told_of(path: Path, how: int) -> None:
    file = HeldFile(path)
    source = file.source()
    with pytest.raises(BlockingIOError):  # without O_NONBLOCK it would wait
        os.open(path, how | os.O_NONBLOCK)
    assert loaded(source) == GOOD
    with pytest.raises(ArtifactError, match="Try again"), file:
        pass
    path.write_bytes(BAD)  # now it may


def test_it_is_looked_at_without_a_copy(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = path.with_name("empty")
    empty.write_bytes(b"")
    for each, content in ((path, GOOD), (empty, b"")):
        with HeldFile(each) as file:
            assert bytes(file.view()) == content
    monkeypatch.setattr(HeldFile, "read", None)  # is not needed
    with HeldFile(path) as file:
        assert file.view() == GOOD


def test_an_error_of_the_library_is_not_hidden(path: Path) -> None:
    file = HeldFile(path)
    file.source()
    with pytest.raises(BlockingIOError):
        os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    with pytest.raises(UsageError, match="mine"), file:
        raise UsageError("mine")


def test_a_view_that_outlives_it_keeps_nobody_waiting(path: Path) -> None:
    with HeldFile(path) as file:
        view = file.view()
    path.write_bytes(GOOD)
    assert view == GOOD


def test_of_a_file_that_somebody_writes_the_bytes_are_kept(path: Path) -> None:
    with path.open("r+b") as writer, HeldFile(path) as file:
        assert file.read() == GOOD
        writer.write(BAD)
        writer.flush()
        assert file.source() == file.read() == GOOD


def test_where_there_are_no_leases_the_bytes_are_kept(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held_file, "_lease", lambda descriptor: False)
    with HeldFile(path) as file:
        assert file.source() == GOOD
        path.write_bytes(BAD)
        assert file.view() == GOOD
        assert file.source() == file.read() == GOOD


def test_what_is_no_file_is_an_error_with_a_sentence(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(UsageError):
            HeldFile(path)


def test_what_cannot_be_read_is_an_error_with_a_sentence(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def seek(self, place: int) -> int:
            raise OSError(5, "Input/output error")

    with HeldFile(path) as file:
        monkeypatch.setattr(file, "_file", Broken())
        with pytest.raises(EdgeError, match="Input/output error"):
            file.read()
        monkeypatch.undo()


def test_a_file_exchanged_between_check_and_load_is_never_run(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import onnxruntime

    from dcgan_edge.runtime.session import open_session

    kept = tmp_path / "generator.fp32.onnx"
    kept.write_bytes((exported / "generator.fp32.onnx").read_bytes())
    with open_session(kept) as session:
        expected = session.generate([3])
    given: list[object] = []

    def exchanging(model: str | bytes, *args: Any, **kwargs: Any) -> Any:
        given.append(model)
        other = tmp_path / "other"
        other.write_bytes(b"not this one")
        other.replace(kept)
        return original(model, *args, **kwargs)

    original = onnxruntime.InferenceSession
    monkeypatch.setattr(onnxruntime, "InferenceSession", exchanging)
    with open_session(kept) as session:
        np.testing.assert_array_equal(session.generate([3]), expected)
    assert kept.read_bytes() == b"not this one"
    assert [type(model) for model in given] == [str]  # by its path, and not by its bytes
