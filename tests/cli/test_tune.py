"""`dcgan-edge tune` from end to end, with real rounds that are as short as they can be."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from dcgan_edge.cli import main
from dcgan_edge.profile import NAME
from dcgan_edge.tuning import search

pytest.importorskip("onnxruntime")


@pytest.fixture
def artifact(exported: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(exported, tmp_path / "out")) / "generator.fp32.onnx"


def test_tune_then_sample(artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "FINAL_S", 0.1)
    words = ("--backend", "onnxruntime", "--device", "cpu", "--threads", "1", "--duration", "100ms")
    answer = CliRunner().invoke(main, ["tune", str(artifact), *words, "--json"])
    assert answer.exit_code == 0, answer.stderr
    document = json.loads(answer.stdout)
    assert document["schema_version"] == 1
    (way,) = document["profile"]["ways"]
    assert way["backend"] == "onnxruntime"
    assert [row["trial"]["candidate"]["threads"] for row in document["rows"] if row["chosen"]]
    told = CliRunner().invoke(main, ["tune", str(artifact), *words])  # from the record
    assert told.exit_code == 0, told.stderr
    assert f"Use it: dcgan-edge sample {artifact.with_name(NAME)}" in told.stdout
    profile = str(artifact.with_name(NAME))
    made = CliRunner().invoke(
        main, ["sample", profile, "--seeds", "0-1", "--out", str(tmp_path / "s"), "--json"]
    )
    assert made.exit_code == 0, made.stderr
    assert json.loads(made.stdout)["session"]["threads"] == way["threads"]


@pytest.mark.parametrize("words", [(), ("missing.onnx",), ("x.safetensors", "y.onnx")])
def test_a_wrong_command_line_is_one_document(words: tuple[str, ...]) -> None:
    answer = CliRunner().invoke(main, ["tune", *words, "--json"])
    assert answer.exit_code == 2
    assert json.loads(answer.stdout)["error"]["exit_code"] == 2
