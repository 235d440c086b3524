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


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], catch_exceptions=False)


@pytest.fixture(scope="module")
def result(checkpoint: Path, exported: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    out = tmp_path_factory.mktemp("quality")
    answer = run("eval", checkpoint, exported / "generator.fp16.onnx", "--n", 60, "--out", out, "--json")
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
        "recall", "10 of 10", "less checkpoint.safetensors", "7,000 images of digits",
    ):  # fmt: skip
        assert words in answer.stdout


def test_an_artifact_is_scored_without_torch(exported: Path, tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "sys.modules.update(torch=None, safetensors=None, onnx=None, matplotlib=None, scipy=None)\n"
        "from dcgan_edge.cli import main; main()"
    )
    command = ["eval", str(exported / "generator.fp16.onnx"), "--n", "50", "--json", "--out", str(tmp_path)]
    answer = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)["features"]["backend"] == "onnxruntime"
    assert (tmp_path / "classes.png").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--n", "60", "--seeds", "0-59"], "not both"),
        (["--n", "20"], "at least 50 images"),
        (["--weights", "w.pth"], "--features inception"),
        (["--features", "inception"], "--weights PATH"),
        pytest.param(
            ["--data", "nowhere", "--n", "50"], "There is no folder nowhere", marks=pytest.mark.torch
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
