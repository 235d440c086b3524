from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dcgan_edge import sample
from dcgan_edge.artifact import read_artifact
from dcgan_edge.errors import EdgeError, UnavailableError, UsageError
from dcgan_edge.sample_sets.plan import SamplePlan
from dcgan_edge.sample_sets.ray_engine import FileTask, errors_said
from dcgan_edge.seeds import rising


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_task_writes_the_files_whose_numbers_it_is_given(exported: Path, tmp_path: Path) -> None:
    artifact = exported / "generator.fp32.onnx"
    sample(artifact, range(45), tmp_path / "one", format="webdataset", per_file=10, threads=1)
    plan = SamplePlan(read_artifact(artifact)[0].architecture, rising(range(45)), per_file=10)
    for numbers in ([3, 0], [4], [1, 2]):  # by three actors
        task = FileTask(str(artifact), plan, str(tmp_path / "many"), "auto", "auto", 1)
        said = task({"number": np.array(numbers)})
        assert said["images"].tolist() == [5 if number == 4 else 10 for number in numbers]
        assert said["facts"][0]["threads"] == 1
        assert said["words"][0]
    assert contents(tmp_path / "many") == contents(tmp_path / "one")


def test_what_cannot_be_opened_is_the_error_of_a_task_not_of_its_actor(tmp_path: Path) -> None:
    task = FileTask(str(tmp_path / "no.onnx"), None, str(tmp_path), "auto", "auto", 1)  # type: ignore[arg-type]
    with pytest.raises(UsageError):
        task({"number": np.array([0])})


def test_without_ray_it_is_named(exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dcgan_edge.extras.is_installed", lambda library: False)
    with pytest.raises(UnavailableError, match=r"dcgan-edge\[ray\]"):
        sample(exported / "generator.fp32.onnx", range(9), tmp_path / "x", format="webdataset", engine="ray")
    assert not (tmp_path / "x").exists()


class RayError(Exception):
    """As Ray has it: the cause may be an attribute."""

    cause: Exception | None = None


def test_an_error_of_ours_comes_back_from_ray_as_it_was() -> None:
    failed = RayError("a traceback\n  of many lines\nValueError: the last says it")
    with pytest.raises(EdgeError, match="Ray gave up: ValueError: the last says it"), errors_said(RayError):
        raise failed
    failed.cause = RuntimeError("in the actor")
    failed.cause.__cause__ = UsageError("There is no class 11.")
    with pytest.raises(UsageError, match="There is no class 11"), errors_said(RayError):
        raise failed


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs ray, which is not installed")
def test_actors_write_the_bytes_of_one_run(exported: Path, tmp_path: Path) -> None:
    artifact = exported / "generator.fp32.onnx"
    command = [sys.executable, "-m", "tests.sample_sets.ray_run", str(artifact), str(tmp_path / "ray")]
    usual = {**os.environ, "RAY_worker_niceness": "0"}  # of 15, other tests would leave it nothing
    answer = subprocess.run(command, capture_output=True, text=True, env=usual)
    assert answer.returncode == 0, answer.stderr
    said = json.loads(answer.stdout)
    assert (said["images"], sorted(said["told"]), len(said["files"])) == (100, [*range(10, 101, 10)], 10)
    assert said["session"]["backend"] == "onnxruntime"
    sample(artifact, range(100), tmp_path / "one", format="webdataset", per_file=10, threads=1)
    assert contents(tmp_path / "ray") == contents(tmp_path / "one")
