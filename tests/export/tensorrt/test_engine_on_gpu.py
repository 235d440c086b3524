"""On a machine with a GPU: what is built there runs there, and draws what the ONNX file draws."""

from __future__ import annotations

from pathlib import Path

import pytest

from dcgan_edge.artifact import Precision, read_artifact
from dcgan_edge.export.tensorrt.build import build
from dcgan_edge.runtime.device import has_nvidia_gpu
from dcgan_edge.runtime.onnxruntime_session import OnnxRuntimeSession
from dcgan_edge.runtime.parity import verify
from dcgan_edge.runtime.session import open_session
from dcgan_edge.runtime.tensorrt.library import is_installed
from tests.engine_models import write_onnx

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not has_nvidia_gpu(), reason="needs an NVIDIA GPU"),
    pytest.mark.skipif(not is_installed("tensorrt"), reason="needs TensorRT"),
]


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_an_engine_built_here_runs_here_and_draws_the_same(tmp_path: Path, precision: Precision) -> None:
    source = write_onnx(tmp_path, precision)
    reference = write_onnx(tmp_path / "reference", "fp32")
    built = build(source, tmp_path)
    path, manifest = built.path, built.manifest
    assert manifest.targets == (manifest.built_on["sm"],)
    manifest_of_reference, data = read_artifact(reference)
    with (
        OnnxRuntimeSession(manifest_of_reference, data, device="cpu") as expected,
        open_session(path) as session,
    ):
        verify(expected, session, range(20)).raise_if_failed(path.name)


def test_the_second_build_here_comes_from_the_cache(tmp_path: Path) -> None:
    source = write_onnx(tmp_path)
    built = [build(source, tmp_path / name) for name in "ab"]
    assert built[0].manifest == built[1].manifest
    assert built[1].cached
