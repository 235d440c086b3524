"""From a checkpoint to pictures and figures by commands, as a user types them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from dcgan_edge.artifact import read_artifact
from dcgan_edge.cli import main
from dcgan_edge.describing import describe


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], catch_exceptions=False)


def document(*arguments: object, code: int = 0) -> dict[str, Any]:
    result = run(*arguments, "--json")
    assert result.exit_code == code, result.stderr
    facts: dict[str, Any] = json.loads(result.stdout)
    assert facts["schema_version"] == (3 if arguments[0] == "bench" else 1)
    return facts


@pytest.mark.torch
def test_export_and_verify(checkpoint: Path, tmp_path: Path) -> None:
    made = document("export", checkpoint, "--out", tmp_path, "--max-batch", 32)
    assert [Path(file["path"]).name for file in made["files"]] == [
        "generator.fp32.onnx",
        "generator.fp16.onnx",
    ]
    files = [file["path"] for file in made["files"]]
    verdicts = document("verify", checkpoint, *files, "--seeds", "0-15")["artifacts"]
    assert [verdict["verdict"] for verdict in verdicts.values()] == ["passed", "passed"]
    table = run("verify", checkpoint, *files)
    assert table.exit_code == 0
    assert table.stdout.count("passed") == 2


@pytest.mark.torch
def test_verify_fails_against_another_checkpoint(checkpoint: Path, exported: Path, tmp_path: Path) -> None:
    other = tmp_path / "run"
    made = run(
        "train", "--epochs", 1, "--batch", 3500, "--width", 4, "--latent-dim", 16, "--seed", 5, "--out", other
    )
    assert made.exit_code == 0, made.stderr
    artifact = exported / "generator.fp16.onnx"
    result = run("verify", other / "checkpoint.safetensors", artifact)
    assert result.exit_code == 3
    assert "generator.fp16.onnx does not match PyTorch: seed" in result.stderr
    facts = document("verify", other / "checkpoint.safetensors", artifact, code=3)
    assert read_artifact(artifact)[0].verified == ()  # another checkpoint says nothing of this file
    assert next(iter(facts["artifacts"].values()))["verdict"] == "failed"


def test_a_seed_has_one_picture(exported: Path, tmp_path: Path) -> None:
    artifact = exported / "generator.fp16.onnx"
    assert (
        run("sample", artifact, "--seeds", "0-63", "--grid", "8x8", "--out", tmp_path / "many").exit_code == 0
    )
    alone = document("sample", artifact, "--seeds", "7", "--out", tmp_path / "one")
    assert [Path(file).name for file in alone["files"]] == ["seed0007.png"]
    many = sorted(path.name for path in (tmp_path / "many").iterdir())
    assert many == ["grid.png", *(f"seed{seed:04d}.png" for seed in range(64))]
    picture = "seed0007.png"
    assert (tmp_path / "one" / picture).read_bytes() == (tmp_path / "many" / picture).read_bytes()


def test_times_are_exported_of_one_artifact_and_batch(exported: Path, tmp_path: Path) -> None:
    times, artifact = tmp_path / "times.json", exported / "generator.fp32.onnx"
    short = ("--duration", 0.1, "--max-time", 0.1, "--warmup", 0)
    facts = document("bench", artifact, "--batch", 2, *short, "--export-times", times)
    listed = json.loads(times.read_text())
    assert len(listed) == sum(round_["queries"] for round_ in facts["measurements"][0]["rounds"])
    assert {"startEnqMs", "endD2hMs", "latencyMs"} == set(listed[0])
    assert run("bench", artifact, "--export-times", times).exit_code == 2  # two batches
    both = run("bench", artifact, "--baseline", artifact, "--batch", 2, "--export-times", times)
    assert both.exit_code == 2


@pytest.mark.torch
def test_a_checkpoint_is_a_baseline_of_what_was_exported_from_it(
    checkpoint: Path, exported: Path, tmp_path: Path
) -> None:
    """What is printed is what is written."""
    record, artifact = tmp_path / "bench.json", exported / "generator.fp32.onnx"
    facts = document(
        "bench",
        artifact,
        "--baseline",
        checkpoint,
        "--batch",
        1,
        *("--duration", 0.1, "--max-time", 0.1, "--warmup", 0.1),
        "--fail-if",
        "p50>+10000%",
        "--output",
        record,
    )
    assert [comparison["name"] for comparison in facts["comparisons"]] == [str(artifact)]
    assert facts["failures"] == []
    assert json.loads(record.read_text()) == facts
    assert [taken["session"]["backend"] for taken in facts["measurements"]] == ["torch", "onnxruntime"]


@pytest.mark.parametrize("name", ["generator.fp32.onnx", "generator.fp16.onnx"])
def test_info_of_an_artifact(exported: Path, name: str) -> None:
    facts = document("info", exported / name)["file"]
    assert facts["architecture"]["preset"] == "dcgan"
    assert facts["sha256"] in run("info", exported / name).stdout


def test_info_of_a_checkpoint(checkpoint: Path) -> None:
    facts = document("info", checkpoint)["file"]
    assert facts["kind"] == "checkpoint"
    assert facts["tensors"] > 10
    assert describe(checkpoint)["sha256"] == facts["sha256"]


def test_a_copied_folder_is_enough(exported: Path, tmp_path: Path) -> None:
    folder = tmp_path / "device"
    shutil.copytree(exported, folder)
    assert run("sample", folder / "generator.fp16.onnx", "--seeds", "3", "--out", tmp_path).exit_code == 0
