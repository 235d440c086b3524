"""The profile beside artifacts: when it is followed, when not and that this is said, and what it may hold."""

from __future__ import annotations

import dataclasses
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcgan_edge.artifact import read_artifact
from dcgan_edge.benchmarking import Contestant
from dcgan_edge.errors import ArtifactError
from dcgan_edge.profile import NAME, Profile, Way, chosen_artifact, not_followed, read_profile
from dcgan_edge.runtime.device import cpu_name, installed_versions, machine_facts
from dcgan_edge.runtime.session import EngineOptions, open_session
from dcgan_edge.sampling import sample
from dcgan_edge.verification import verify

pytest.importorskip("onnxruntime")


@pytest.fixture(autouse=True)
def nothing_said() -> None:
    not_followed.cache_clear()


@pytest.fixture
def folder(exported: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(exported, tmp_path / "out"))


def way(artifact: Path, **changes: Any) -> Way:
    """How `artifact` runs best: on one thread of ONNX Runtime, which is not what a session does unasked."""
    usual = Way(
        artifact.name, read_artifact(artifact)[0].sha256, "onnxruntime", installed_versions()["onnxruntime"],
        "cpu", cpu_name(), 1, 1, 1,
    )  # fmt: skip
    return dataclasses.replace(usual, **changes)


def write(folder: Path, *ways: Way, machine: dict[str, str] | None = None) -> Path:
    profile = Profile("latency", machine or machine_facts(), ways, "2026-11-26T10:00:00+00:00")
    path = folder / NAME
    path.write_text(json.dumps(profile.to_dict()))
    return path


def opened(path: Path, **options: Any) -> tuple[str, int | None]:
    with open_session(path, **options) as session:
        return session.facts.backend, session.facts.threads


def test_a_session_that_asks_for_nothing_follows_the_profile(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    artifact = folder / "generator.fp32.onnx"
    write(folder, way(artifact))
    assert opened(artifact) == ("onnxruntime", 1)
    assert opened(artifact, device="cpu") == ("onnxruntime", 1)
    options = {"device": "auto", "backend": "auto", "threads": None, "engine": EngineOptions()}
    with Contestant(artifact, **options)() as session:  # type: ignore[arg-type]  # as bench opens it
        assert session.facts.threads == 1
    assert opened(artifact, threads=2) == ("onnxruntime", 2)
    assert opened(artifact, backend="onnxruntime") == ("onnxruntime", None)
    assert opened(folder / "generator.fp16.onnx") == ("onnxruntime", None)  # of which it says nothing
    assert caplog.text == ""


def test_a_profile_stands_for_its_best_artifact(folder: Path) -> None:
    best, other = folder / "generator.fp16.onnx", folder / "generator.fp32.onnx"
    path = write(folder, way(best), way(other, threads=2))
    assert chosen_artifact(path) == best
    made = sample(path, [0, 3], folder / "samples")
    assert (made.artifact, made.session.threads) == (best, 1)
    assert [proof.artifact.path for proof in verify(path)] == [best]
    assert opened(other) == ("onnxruntime", 2)


@pytest.mark.parametrize(
    ("machine", "changes", "said"),
    [
        ({"cpu": "Another CPU"}, {}, "another device (Another CPU)"),
        ({"cpus": "4096"}, {}, "another device"),
        ({}, {"version": "0.1"}, "onnxruntime 0.1 on "),
        ({}, {"device_name": "Another CPU"}, " on Another CPU"),
        ({}, {"sha256": "0" * 64}, "has changed since"),
    ],
)
def test_what_was_measured_elsewhere_or_of_another_file_is_not_followed_and_said_once(
    folder: Path,
    caplog: pytest.LogCaptureFixture,
    machine: dict[str, str],
    changes: dict[str, Any],
    said: str,
) -> None:
    artifact = folder / "generator.fp32.onnx"
    write(folder, way(artifact, **changes), machine={**machine_facts(), **machine})
    assert [opened(artifact), opened(artifact)] == [("onnxruntime", None)] * 2
    assert len(caplog.records) == 1
    assert said in caplog.text


def test_a_backend_that_has_gone_is_not_followed(
    folder: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    artifact = folder / "generator.fp32.onnx"
    path = write(folder, way(artifact, backend="openvino"))
    assert opened(artifact) == opened(path) == ("onnxruntime", None)
    assert len(caplog.records) == 1
    assert "dcgan-edge[openvino]" in caplog.text


def test_a_profile_that_is_named_refuses_an_artifact_that_has_changed(folder: Path) -> None:
    artifact = folder / "generator.fp32.onnx"
    path = write(folder, way(artifact, sha256="0" * 64))
    for use in (chosen_artifact, open_session, verify):
        with pytest.raises(ArtifactError, match="not the file"):
            use(path)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"schema_version": 1}', "[" * 10_000, "\x00", "null"])
def test_a_damaged_profile_stops_nobody_but_those_who_name_it(
    folder: Path, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    path = folder / NAME
    path.write_text(text)
    assert opened(folder / "generator.fp32.onnx") == ("onnxruntime", None)
    assert len(caplog.records) == 1
    with pytest.raises(ArtifactError, match=NAME):
        open_session(path)


SOUND = Profile(
    "latency",
    {"cpu": "A CPU"},
    (Way("generator.fp32.onnx", "0" * 64, "onnxruntime", "1.0", "cpu", "A CPU", 1, 1, 1, {"ms": 1.0}),),
    "2026-11-26T10:00:00+00:00",
).to_dict()
PLACES = [(key,) for key in SOUND] + [("ways", 0, key) for key in SOUND["ways"][0]]
STRANGE = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(),
    st.lists(st.integers(), max_size=2), st.dictionaries(st.text(), st.text(), max_size=2),
    st.sampled_from(["../x.onnx", "/x.onnx", "x.py", "cuda", "cpu:1", "1"]),
)  # fmt: skip


@given(place=st.sampled_from(PLACES), value=STRANGE)
def test_a_profile_is_read_whole_or_refused(
    tmp_path_factory: pytest.TempPathFactory, place: tuple[Any, ...], value: Any
) -> None:
    path = tmp_path_factory.getbasetemp() / NAME
    facts = json.loads(json.dumps(SOUND))
    holder = facts
    for step in place[:-1]:
        holder = holder[step]
    holder[place[-1]] = value
    path.write_text(json.dumps(facts))
    try:
        profile = read_profile(path)
    except ArtifactError:
        return
    assert json.loads(json.dumps(profile.to_dict())) == facts
    assert Path(profile.ways[0].file).name == profile.ways[0].file
