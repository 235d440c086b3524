"""`dcgan-edge info` of an engine: with a GPU (the in-memory one), without, and of one for another device."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from dcgan_edge.artifact import write_artifact
from dcgan_edge.cli import main
from tests.fakes.blob import Blob
from tests.fakes.lab import Lab


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab() as laboratory:
        yield laboratory


def engine(lab: Lab, folder: Path, blob: Blob | None = None, **changes: Any) -> Path:
    """An engine file of the laboratory's machine with its manifest."""
    data = (blob or lab.blob()).pack()
    path = folder / "generator.fp16.engine"
    write_artifact(path, data, lab.manifest(data, **changes))
    return path


def info(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["info", *map(str, arguments)], catch_exceptions=False)


def facts_of(path: Path) -> dict[str, Any]:
    answer = info(path, "--json")
    assert answer.exit_code == 0, answer.stderr
    facts: dict[str, Any] = json.loads(answer.stdout)["file"]
    return facts


def test_the_layers_are_a_table_below_the_manifest(lab: Lab, tmp_path: Path) -> None:
    named = {
        "Name": f"a [ONNX] [/b] {'x' * 80} end",
        "LayerType": "Deconvolution",
        "TacticName": "t" * 99,
        "Outputs": [{"Name": "o", "Dimensions": [4, 1, 8, 8], "Format/Datatype": "Row major FP16"}],
        "Weights": {"Type": "Half", "Count": 1024},
    }
    path = engine(lab, tmp_path, lab.blob(described_as=json.dumps({"Layers": [named, "only a name"]})))
    with lab.installed():
        answer = info(path)
    assert answer.exit_code == 0
    assert "trt10.3.0" in answer.stdout
    assert "2 layers, by TensorRT 10.3.0 on Orin (fake) (sm87)" in answer.stdout
    assert "2.0 KiB of weights that layers state" in answer.stdout
    assert "inspector" not in answer.stdout
    assert "('" not in answer.stdout  # no tuple of Python's
    for words in ("a [ONNX] [/b]", "Deconvolution", "float16", "4x1x8x8", "1,024 float16", "only a name"):
        assert words in answer.stdout, answer.stdout


def test_json_has_everything_that_the_inspector_said(lab: Lab, tmp_path: Path) -> None:
    path = engine(lab, tmp_path)
    with lab.installed():
        inspector = facts_of(path)["inspector"]
    assert inspector["available"] is True
    assert inspector["layers"][1]["outputs"][0]["dtype"] == "float32"
    assert inspector["scratch_bytes"] > 0
    assert inspector["profiles"] == [{"min": 1, "opt": 4, "max": 8}]


def test_an_engine_without_detail_says_so(lab: Lab, tmp_path: Path) -> None:
    path = engine(lab, tmp_path, lab.blob(described_as='{"Layers": []}', verbosity="NONE"))
    with lab.installed():
        answer = info(path)
    assert "NONE" in answer.stdout
    assert "batch of" not in answer.stdout


def test_without_a_gpu_the_manifest_is_shown_with_the_reason(lab: Lab, tmp_path: Path) -> None:
    path = engine(lab, tmp_path)
    lab.fail_on(lambda name: name == "cudaGetDeviceCount")
    with lab.installed():
        answer, facts = info(path), facts_of(path)
    assert answer.exit_code == 0
    assert facts["sha256"] in answer.stdout
    assert facts["inspector"]["available"] is False
    assert facts["inspector"]["because"] in answer.stdout


def test_without_the_library_the_reason_is_what_to_install(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = engine(lab, tmp_path)
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    assert "tensorrt is" in facts_of(path)["inspector"]["because"]


def test_an_engine_for_another_device_is_shown_and_not_loaded(lab: Lab, tmp_path: Path) -> None:
    path = engine(lab, tmp_path, targets=("sm75",))
    with lab.installed():
        facts = facts_of(path)
    assert facts["targets"] == ["sm75"]
    assert "for sm75; this device has TensorRT 10.3.0" in facts["inspector"]["because"]
    assert "Runtime" not in lab.gpu.calls


@pytest.mark.parametrize("call", ["ICudaEngine.create_engine_inspector", "cudaMalloc", "Runtime"])
def test_whatever_fails_in_the_library_the_manifest_is_shown(lab: Lab, tmp_path: Path, call: str) -> None:
    path = engine(lab, tmp_path)
    lab.fail_on({call}.__contains__)
    with lab.installed():
        facts = facts_of(path)
    assert facts["inspector"]["available"] is False
    assert facts["kind"] == "engine"


def test_a_changed_engine_is_refused_before_any_of_it(lab: Lab, tmp_path: Path) -> None:
    path = engine(lab, tmp_path)
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with lab.installed():
        assert info(path).exit_code == 6
    assert not lab.gpu.calls


def test_neither_torch_nor_onnx_is_imported(lab: Lab, tmp_path: Path) -> None:
    path = engine(lab, tmp_path)
    code = (
        "import sys\nfrom dcgan_edge.cli import main\n"
        f"main(['info', {str(path)!r}], standalone_mode=False)\n"
        "sys.exit(bool({'torch', 'onnx', 'onnxruntime'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "not available here: " in done.stdout or "batch of" in done.stdout
