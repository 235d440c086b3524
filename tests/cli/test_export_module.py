"""`dcgan-edge export --module`: somebody's own code by name, as it is typed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from dcgan_edge.cli import main

HERE = "tests.export.foreign.brought"


def run(*words: object) -> Result:
    return CliRunner().invoke(main, ["export", *map(str, words)], catch_exceptions=False)


@pytest.mark.torch
def test_a_module_is_exported_and_says_that_its_code_was_run(tmp_path: Path) -> None:
    words = ["--module", f"{HERE}:chatty", "--latent-dim", 6, "--range", "-1..1", "--precision", "fp32"]
    shown = run(*words, "--out", tmp_path / "text")
    assert shown.exit_code == 0, shown.stderr
    assert f"The code of {HERE}:chatty was run in this process" in shown.stdout
    assert "It takes latents (batch, 6, 1, 1)." in shown.stdout
    assert "made\n" in shown.stderr  # what the code prints is not our output
    assert (tmp_path / "text" / "generator.fp32.onnx").is_file()


@pytest.mark.torch
def test_classes_and_arguments_reach_it_and_the_answer_is_one_document(tmp_path: Path) -> None:
    arguments = json.dumps({"nz": 9})
    result = run(
        "--module", f"{HERE}:Spatial", "--module-args", arguments, "--latent-dim", 6, "--classes", "a,b,c",
        "--distribution", "uniform", "--precision", "fp32", "--out", tmp_path, "--json",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    (file,) = json.loads(result.stdout)["files"]
    assert file["architecture"]["classes"] == ["a", "b", "c"]
    assert file["architecture"]["distribution"] == "uniform"
    assert file["inputs"][0]["shape"] == ["batch", 9, 1, 1]
    assert file["origin"]["kind"] == "module"


@pytest.mark.torch
@pytest.mark.parametrize(
    ("words", "code"),
    [
        ([], 2),
        (["run.safetensors", "--module", "nets:Net", "--latent-dim", "8"], 2),
        (["--module", "nets:Net"], 2),
        (["run.safetensors", "--latent-dim", "8"], 2),
        (["run.safetensors", "--range", "0..1"], 2),
        (["run.safetensors", "--classes", "8"], 2),
        (["--module", "nets:Net", "--latent-dim", "8", "--module-args", "[1]"], 2),
        (["--module", "nets:Net", "--latent-dim", "8", "--module-args", "[" * 9999], 2),
        (["--module", "nets:Net", "--latent-dim", "8", "--range", "1..0"], 2),
        (["--module", "nets:Net", "--latent-dim", "8", "--classes", "a,a"], 2),
        (["--module", "no_such_nets:Net", "--latent-dim", "8"], 2),
        (["--module", f"{HERE}:failing", "--latent-dim", "8"], 1),
    ],
)
def test_what_does_not_go_together_is_a_sentence(tmp_path: Path, words: list[Any], code: int) -> None:
    result = run(*words, "--out", tmp_path / "out")
    assert result.exit_code == code, result.stderr
    assert "Error: " in result.stderr
    assert not (tmp_path / "out").exists()
