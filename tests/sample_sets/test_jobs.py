from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from dcgan_edge.errors import UsageError
from dcgan_edge.sample_sets.jobs import JobFile

COMMAND = ["dcgan-edge", "sample", "my $(HOME) 'file'.onnx", "--seeds", "0-99", "--out", "s3://b/a set"]
CHECK = ["dcgan-edge", "check", "s3://b/a set"]


def words_of(script: str, folder: Path, **environment: str) -> list[str]:
    """What the program `dcgan-edge` is started with by a shell that runs `script`."""
    program = folder / "dcgan-edge"
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    program.chmod(0o755)
    path = f"{folder}:{os.environ['PATH']}"
    answer = subprocess.run(
        ["bash", "-c", script], env={"PATH": path, **environment}, capture_output=True, text=True, check=True
    )
    return answer.stdout.splitlines()


def test_a_slurm_script_runs_the_command_with_its_shard(tmp_path: Path) -> None:
    text = JobFile(COMMAND, CHECK, 64, 4).text("slurm")
    assert subprocess.run(["bash", "-n"], input=text, text=True).returncode == 0
    directives = [line for line in text.splitlines() if line.startswith("#SBATCH")]
    assert {"#SBATCH --array=0-63", "#SBATCH --cpus-per-task=4", "#SBATCH --requeue"} <= set(directives)
    assert not any("gpu" in line for line in directives)
    assert words_of(text, tmp_path, SLURM_ARRAY_TASK_ID="7") == [*COMMAND[1:], "--shard", "7/64"]
    assert f"{shlex.join(CHECK)} --shards 64" in text
    assert "#SBATCH --gpus-per-task=1" in JobFile(COMMAND, CHECK, 64, 4, gpu=True).text("slurm")


def as_kubernetes_expands(text: str) -> str:
    """An argument as a container gets it: of $(NAME) no variable is called like that, and $$ is one $."""
    return text.replace("$$(", "$(")


def test_a_kubernetes_job_is_indexed_and_runs_the_command_with_its_shard(tmp_path: Path) -> None:
    yaml = pytest.importorskip("yaml")
    job: dict[str, Any] = yaml.safe_load(
        JobFile(COMMAND, CHECK, 64, 4, gpu=True, image="reg:5000/it's@sha256:0").text("k8s")
    )
    spec = job["spec"]
    assert (job["apiVersion"], job["kind"], spec["completionMode"]) == ("batch/v1", "Job", "Indexed")
    assert (spec["completions"], spec["parallelism"]) == (64, 64)
    assert spec["backoffLimitPerIndex"] > 0
    pod = spec["template"]["spec"]
    assert pod["restartPolicy"] == "Never"  # which a policy of failures needs
    (container,) = pod["containers"]
    (rule,) = spec["podFailurePolicy"]["rules"]
    assert (rule["action"], rule["onExitCodes"]["containerName"]) == ("FailIndex", container["name"])
    assert rule["onExitCodes"] == {"containerName": "sample", "operator": "In", "values": [2, 5, 6]}
    assert container["image"] == "reg:5000/it's@sha256:0"
    assert container["resources"] == {"requests": {"cpu": 4}, "limits": {"nvidia.com/gpu": 1}}
    assert {mount["name"] for mount in container["volumeMounts"]} == {each["name"] for each in pod["volumes"]}
    assert container["command"] == ["sh", "-c"]
    (script,) = container["args"]
    words = words_of(as_kubernetes_expands(script), tmp_path, JOB_COMPLETION_INDEX="63")
    assert words == [*COMMAND[1:], "--shard", "63/64"]
    plain = yaml.safe_load(JobFile(COMMAND, CHECK, 2, 1).text("k8s"))
    assert "limits" not in plain["spec"]["template"]["spec"]["containers"][0]["resources"]


def test_names_that_would_break_a_file_are_refused() -> None:
    with pytest.raises(UsageError, match="control characters"):
        JobFile(["dcgan-edge", "sample", "a\nb.onnx"], CHECK, 2, 1)
    with pytest.raises(UsageError, match="k8s alone"):
        JobFile(COMMAND, CHECK, 2, 1, image="x").text("slurm")
