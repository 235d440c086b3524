"""`dcgan-edge build`, with NVIDIA's compiler where one is installed."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from dcgan_edge.artifact import Precision, read_artifact
from dcgan_edge.cli import main
from dcgan_edge.export.tensorrt import build as engine
from dcgan_edge.export.tensorrt.build import build as build_function
from tests.engine_models import needs_rtx, write_onnx


def build(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["build", *map(str, arguments)])


@needs_rtx
def test_files_are_built_beside_the_source_and_reported(tmp_path: Path) -> None:
    precisions: tuple[Precision, ...] = ("fp16", "fp32")
    sources = [write_onnx(tmp_path, precision) for precision in precisions]
    answer = build(*sources, "--target", "sm86", "--json")
    assert answer.exit_code == 0, answer.output
    files = json.loads(answer.stdout)["files"]
    assert [Path(file["path"]).name for file in files] == [
        "generator.fp16.sm86.rtx1.7.1.engine",
        "generator.fp32.sm86.rtx1.7.1.engine",
    ]
    for file in files:
        manifest, data = read_artifact(Path(file["path"]))
        assert (file["sha256"], file["size"]) == (manifest.sha256, len(data))
        assert file["seconds"] > 0
        assert not file["cached"]


@needs_rtx
def test_the_table_says_time_size_hash_and_whether_it_was_cached(tmp_path: Path) -> None:
    source = write_onnx(tmp_path)
    first, second = (build(source, "--out", tmp_path / "out") for _ in range(2))
    assert first.exit_code == second.exit_code == 0
    digest = read_artifact(next((tmp_path / "out").glob("*.engine")))[0].sha256
    assert digest[:12] in first.stdout
    assert " s " in first.stdout
    assert "KiB" in first.stdout
    assert "cached" in second.stdout
    assert "cached" not in first.stdout


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the command asks of `build`."""
    asked: list[dict[str, Any]] = []

    def note(onnx: Path, out: Path, **arguments: Any) -> None:
        asked.append({"onnx": onnx, "out": out, **arguments})
        raise KeyboardInterrupt

    monkeypatch.setattr(engine, "build", note)
    return asked


def test_every_option_reaches_the_builder(calls: list[dict[str, Any]], tmp_path: Path) -> None:
    source = write_onnx(tmp_path)
    answer = build(
        source, "--target", "sm89", "--target", "sm75", "--min-batch", 2, "--opt-batch", 3, "--max-batch", 4,
        "--workspace", 64, "--optimization-level", 5, "--hardware-compat", "ampere-plus",
        "--version-compatible", "--no-cache", "--timeout", "2min", "--device", "cuda:1",
        "--out", tmp_path / "o",
    )  # fmt: skip
    assert answer.exit_code == 130
    (call,) = calls
    del call["progress"]
    assert call == {
        "onnx": source,
        "out": tmp_path / "o",
        "targets": ("sm89", "sm75"),
        "device": "cuda:1",
        "min_batch": 2,
        "opt_batch": 3,
        "max_batch": 4,
        "workspace": 64 * 2**20,
        "optimization_level": 5,
        "hardware_compat": "ampere-plus",
        "version_compatible": True,
        "use_cache": False,
        "timeout": 120.0,
    }


def test_without_options_the_command_asks_for_what_the_function_does(
    calls: list[dict[str, Any]], tmp_path: Path
) -> None:
    build(write_onnx(tmp_path))
    (call,) = calls
    assert call["out"] is None
    defaults = inspect.signature(build_function).parameters
    for name in set(call) - {"onnx", "out", "progress"}:
        assert call[name] == defaults[name].default, name
    assert {*call} == {*defaults} - {"profiles"}


@pytest.mark.parametrize(
    "arguments",
    [
        ["--target", "sm87"],
        ["--workspace", "much"],
        ["--max-batch", "0"],
        ["--min-batch", "9", "--opt-batch", "2"],
        ["--optimization-level", "6"],
        ["--hardware-compat", "all"],
        ["--device", "cpu"],
        ["--device", "cuda", "--target", "sm86"],
        ["--timeout", "0"],
    ],
)
def test_what_cannot_be_asked_is_a_usage_error(tmp_path: Path, arguments: list[str]) -> None:
    answer = build(write_onnx(tmp_path), *arguments)
    assert answer.exit_code == 2
    assert answer.stdout == ""


def test_a_missing_file_and_no_file_are_usage_errors(tmp_path: Path) -> None:
    assert build().exit_code == 2
    assert build(tmp_path / "nothing.onnx").exit_code == 2


def test_a_changed_file_is_refused_in_json(tmp_path: Path) -> None:
    source = write_onnx(tmp_path)
    source.write_bytes(source.read_bytes() + b"\0")
    answer = build(source, "--json")
    assert answer.exit_code == 6
    assert json.loads(answer.stdout)["error"]["exit_code"] == 6
