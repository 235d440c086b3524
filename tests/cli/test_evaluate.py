"""`dcgan-edge eval` as it is typed: figures, files, and no torch for an ONNX file."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from dcgan_edge.cli import main
from dcgan_edge.errors import EdgeError


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], catch_exceptions=False)


@pytest.fixture(scope="module")
def result(checkpoint: Path, exported: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    out = tmp_path_factory.mktemp("quality")
    answer = run(
        "eval", checkpoint, exported / "generator.fp16.onnx", "--seeds", "0-59", "--out", out, "--json"
    )
    assert answer.exit_code == 0, answer.stderr
    found: dict[str, Any] = json.loads(answer.stdout)
    return found


@pytest.mark.torch
def test_the_baseline_stands_beside_a_generator_that_learnt_nothing(result: dict[str, Any]) -> None:
    assert (result["schema_version"], result["n"], result["seeds"]) == (1, 60, [0, 59])
    baseline, (untrained, _) = result["baseline"], [one["scores"] for one in result["inputs"].values()]
    assert untrained["fid"] > 20 * baseline["fid"]
    assert untrained["kid"]["low"] > baseline["kid"]["high"]
    assert untrained["classes"]["covered"] < baseline["classes"]["covered"] == 10


@pytest.mark.torch
def test_half_precision_is_compared_with_the_checkpoint_seed_by_seed(
    result: dict[str, Any], exported: Path
) -> None:
    (name, cost), *others = result["differences"].items()
    assert (name, others) == (str(exported / "generator.fp16.onnx"), [])
    assert cost["grey_levels"] <= 2  # the gate of fp16
    assert abs(cost["fid"]) < 0.01 * next(iter(result["inputs"].values()))["scores"]["fid"]
    assert cost["kid"]["low"] <= cost["kid"]["value"] <= cost["kid"]["high"]


@pytest.mark.torch
def test_files_are_written(result: dict[str, Any]) -> None:
    paths = [Path(path) for path in result["files"]]
    assert [path.name for path in paths] == [
        "eval.json",
        "neighbours-1-checkpoint.png",
        "neighbours-2-generator.fp16.png",
        "classes.png",
    ]
    saved = json.loads(paths[0].read_text())
    assert saved == {name: value for name, value in result.items() if name != "files"}
    for path in paths[1:]:
        assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.torch
def test_the_table_has_the_baseline_and_every_input(checkpoint: Path, exported: Path) -> None:
    answer = run("eval", checkpoint, exported / "generator.fp32.onnx", "--seeds", "100-149")
    assert answer.exit_code == 0, answer.stderr
    for words in (
        "baseline (real)", "checkpoint.safetensors", "generator.fp32.onnx", "FID", "KID", "95 % interval",
        "recall", "10 of 10", "less checkpoint.safetensors", "7,000",
    ):  # fmt: skip
        assert words in answer.stdout


def test_an_artifact_is_scored_without_torch(exported: Path, tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "sys.modules.update(torch=None, safetensors=None, onnx=None, matplotlib=None, scipy=None)\n"
        "from dcgan_edge.cli import main; main()"
    )
    command = [
        "eval",
        str(exported / "generator.fp16.onnx"),
        "--seeds",
        "0-49",
        "--json",
        "--out",
        str(tmp_path),
    ]
    answer = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)["features"]["backend"] == "onnxruntime"
    assert (tmp_path / "classes.png").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seeds", "0-19"], "at least 50 images"),
        (["--seeds", "0-9999999"], "at most 200,000 images"),
        (["--seeds", "1e18"], "not a list of seeds"),
        (["--threads", "0"], "--threads"),
        (["--weights", "w.pth"], "--features inception"),
        (["--features", "inception"], "--weights PATH"),
        pytest.param(
            ["--data", "nowhere", "--seeds", "0-49"], "There is no folder nowhere", marks=pytest.mark.torch
        ),
    ],
)
def test_what_cannot_be_done_is_a_usage_error(exported: Path, arguments: list[str], message: str) -> None:
    answer = run("eval", exported / "generator.fp32.onnx", *arguments)
    assert answer.exit_code == 2
    assert message in answer.stderr


def test_a_file_is_not_compared_with_itself(exported: Path) -> None:
    artifact = exported / "generator.fp32.onnx"
    answer = run("eval", artifact, artifact)
    assert answer.exit_code == 2
    assert "named twice" in answer.stderr
    assert run("eval", exported / "none.onnx").exit_code == 2


def test_a_device_that_is_not_here_is_an_error_for_checkpoints_and_artifacts(
    checkpoint: Path, exported: Path
) -> None:
    for path in (checkpoint, exported / "generator.fp32.onnx"):
        answer = run("eval", path, "--seeds", "0-49", "--device", "cuda:9", "--json")
        assert answer.exit_code == 5, answer.stderr
        assert json.loads(answer.stdout)["error"]["exit_code"] == 5


def test_a_backend_that_does_not_apply_is_refused(checkpoint: Path, exported: Path) -> None:
    assert run("eval", checkpoint, "--backend", "onnxruntime").exit_code == 2
    assert run("eval", exported / "generator.fp32.onnx", "--backend", "tensorrt").exit_code == 2


def test_an_output_that_cannot_be_written_is_found_before_the_work(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setattr("dcgan_edge.evaluating.evaluate_generators", None)  # is not reached
    answer = run("eval", checkpoint, "--out", tmp_path / "file")
    assert answer.exit_code == 1
    assert "Cannot write" in answer.stderr


def test_a_disk_that_fills_up_costs_no_figures(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, data: bytes) -> None:
        raise EdgeError(f"Cannot write {path}: No space left on device.")

    monkeypatch.setattr("dcgan_edge.evaluation.evaluate.write_atomic", full)
    answer = run("eval", exported / "generator.fp32.onnx", "--seeds", "0-49", "--out", tmp_path)
    assert answer.exit_code == 1
    assert "FID" in answer.stdout
    assert "No space" in answer.stderr
    answer = run("eval", exported / "generator.fp32.onnx", "--seeds", "0-49", "--out", tmp_path, "--json")
    document = json.loads(answer.stdout)
    assert document["error"]["exit_code"] == 1
    assert document["baseline"]["n"] == 50


def test_no_figure_is_cut_at_80_columns(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("rich.console.Console.is_terminal", True)
    inputs = [exported / f"generator.{precision}.onnx" for precision in ("fp32", "fp16")]
    answer = run("eval", *inputs, "--seeds", "0-49")
    assert answer.exit_code == 0, answer.stderr
    document = json.loads(run("eval", *inputs, "--seeds", "0-49", "--json").stdout)
    for scores in (document["baseline"], *(one["scores"] for one in document["inputs"].values())):
        assert f"{scores['fid']:.3f}" in answer.stdout
        assert f"[{scores['kid']['low']:.5f}, {scores['kid']['high']:.5f}]" in answer.stdout
    assert "…" not in answer.stdout
