"""`dcgan-edge adopt` and `verify` of what it wrote, as a user types them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from onnx import TensorProto

from dcgan_edge.cli import main
from tests import foreign_graphs as graphs
from tests.foreign_graphs import saved


def run(*words: str | Path) -> tuple[int, str, str]:
    result = CliRunner().invoke(main, [str(word) for word in words])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def test_an_adopted_file_is_proven_against_the_one_it_came_from(tmp_path: Path) -> None:
    path, out = saved(graphs.conditional(), tmp_path), tmp_path / "out"
    code, said, heard = run("adopt", path, "--out", out, "--classes", "a,b,c,d,e", "--json")
    assert code == 0, heard
    files = json.loads(said)["files"]
    assert [file["precision"] for file in files] == ["fp32", "fp16"]
    assert files[0]["architecture"]["classes"] == ["a", "b", "c", "d", "e"]
    assert files[0]["notes"]["adopted"]["class_input"] == "y"
    for words in (["verify", *(file["path"] for file in files)],
                  ["verify", path, *(file["path"] for file in files), "--seeds", "100-120"]):  # fmt: skip
        code, said, heard = run(*words, "--json")
        assert code == 0, heard
        assert all(proof["not_recorded"] is None for proof in json.loads(said)["artifacts"].values())
    code, said, _ = run("info", files[0]["path"])
    assert "Parity with the ONNX file model.onnx" in said


@pytest.fixture
def _no_child(monkeypatch: pytest.MonkeyPatch) -> None:
    """Adopt without the process that looks at a file first: it takes a second."""
    monkeypatch.setattr("dcgan_edge.export.foreign.adopt.check_in_child", lambda *_: None)


@pytest.mark.usefixtures("_no_child")
def test_a_runtime_and_pixels_are_asked_for_by_options(tmp_path: Path) -> None:
    path, out = saved(graphs.generator(), tmp_path), tmp_path / "out"
    words: list[str | Path] = ["adopt", path, "--out", out, "--precision", "fp32", "--layout", "nhwc"]
    code, said, heard = run(*words, "--output", "uint8", "--for", "onnxruntime-cpu", "--json")
    assert code == 0, heard
    (file,) = json.loads(said)["files"]
    assert Path(file["path"]).name == "generator-onnxruntime-cpu.fp32.uint8.onnx"
    assert (file["notes"]["for"], file["notes"]["rewrites"]) == ("onnxruntime-cpu", ["project_by_product"])
    assert (file["outputs"][0]["dtype"], file["outputs"][0]["layout"]) == ("uint8", "NHWC")
    assert run(*words)[0] == 2
    assert run("adopt", path, "--out", out, "--format", "engine", "--for", "openvino")[0] == 2


@pytest.mark.usefixtures("_no_child")
def test_another_original_proves_nothing(tmp_path: Path) -> None:
    path, out = saved(graphs.generator(), tmp_path), tmp_path / "out"
    assert run("adopt", path, "--out", out, "--precision", "fp32")[0] == 0
    other = saved(graphs.generator("Sigmoid"), tmp_path, "other.onnx")
    code, _, heard = run("verify", other, out / "generator.fp32.onnx")
    assert code == 3
    assert "model.onnx" in heard
    assert run("verify", tmp_path / "none.onnx", out / "generator.fp32.onnx")[0] == 2


@pytest.mark.usefixtures("_no_child")
def test_bytes_hold_against_their_golden_images_by_their_own_gate(tmp_path: Path) -> None:
    tail = [
        graphs.node("Sigmoid", ["c2"], "s"),
        graphs.node("Mul", ["s", "full"], "b"),
        graphs.node("Cast", ["b"], "img", to=TensorProto.UINT8),
    ]
    graph = graphs.generator(tail=tail)
    graph.graph.initializer.append(graphs.constant("full", 255, np.float32))
    graph.graph.output[0].type.tensor_type.elem_type = TensorProto.UINT8
    path, out = saved(graph, tmp_path), tmp_path / "out"
    assert run("adopt", path, "--out", out)[0] == 0
    assert run("verify", out / "generator.fp32.onnx", out / "generator.fp16.onnx")[0] == 0
    assert run("verify", path, out / "generator.fp32.onnx", out / "generator.fp16.onnx")[0] == 0


@pytest.mark.usefixtures("_no_child")
@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--range", "1..0"], 2),
        (["--range", "0..inf"], 2),
        (["--target", "sm86"], 2),
        (["--max-batch", "2", "--min-batch", "3"], 2),
        (["--latent-dim", "0"], 2),
        (["--classes", "8"], 2),
        (["--classes", "same,same"], 6),
        (["--output-name", "none"], 2),
        (["--class-input", "none"], 2),
        (["--keep-fp32", "none"], 2),
    ],
)
def test_options_that_do_not_fit_are_refused(tmp_path: Path, options: list[str], code: int) -> None:
    path, out = saved(graphs.generator(), tmp_path), tmp_path / "out"
    found, _, heard = run("adopt", path, "--out", out, *options)
    assert found == code, heard
    assert "Error: " in heard
    assert not out.exists()
