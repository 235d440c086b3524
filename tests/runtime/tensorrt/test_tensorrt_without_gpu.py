"""A real engine and NVIDIA's real libraries on a machine without a driver: one sentence, exit code 5."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from dcgan_edge.artifact import (
    BatchProfile,
    Manifest,
    embed_manifest,
    generator_tensors,
    read_artifact,
    sidecar_path,
    write_artifact,
)
from dcgan_edge.describing import describe
from dcgan_edge.errors import ArtifactError, UnavailableError
from dcgan_edge.runtime.device import has_nvidia_gpu
from dcgan_edge.runtime.session import open_session
from dcgan_edge.runtime.tensorrt.engine import Engine
from dcgan_edge.runtime.tensorrt.library import load_tensorrt
from dcgan_edge.runtime.tensorrt.session import open_engine
from tests.fakes.lab import ARCHITECTURE, tiny_onnx

pytestmark = pytest.mark.skipif(has_nvidia_gpu(), reason="this machine has an NVIDIA GPU")


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built by TensorRT-RTX, which needs no GPU for that, for three generations of GPUs."""
    pytest.importorskip("tensorrt_rtx", reason="TensorRT-RTX is not installed")
    from dcgan_edge.export.tensorrt.build import build

    folder = tmp_path_factory.mktemp("engine")
    source, result = generator_tensors(ARCHITECTURE)
    manifest = Manifest(
        kind="onnx",
        architecture=ARCHITECTURE,
        precision="fp32",
        inputs=(source,),
        outputs=(result,),
        batch=BatchProfile(1, 4, 8),
        parent_sha256="0" * 64,
        builder="test",
    )
    path = folder / "generator.fp32.onnx"
    write_artifact(path, embed_manifest(tiny_onnx(), manifest), manifest)
    return build(path, folder, targets=("sm86", "sm89", "sm120"), use_cache=False).path


def test_a_missing_driver_is_one_sentence_that_says_what_runs_instead(engine: Path) -> None:
    pytest.importorskip("cuda.bindings.runtime", reason="cuda-bindings is not installed")
    with pytest.raises(UnavailableError) as refusal:
        open_session(engine)
    message = str(refusal.value)
    assert message.startswith("This machine has no working NVIDIA driver (")
    assert message.endswith("dcgan-edge sample generator.fp16.onnx.")
    assert message.count(". ") == 0
    assert refusal.value.exit_code == 5


def test_the_manifest_is_described_with_the_reason_why_the_layers_are_not(engine: Path) -> None:
    pytest.importorskip("cuda.bindings.runtime", reason="cuda-bindings is not installed")
    facts = describe(engine)
    assert facts["targets"] == ("sm86", "sm89", "sm120")
    assert facts["inspector"]["available"] is False
    assert facts["inspector"]["because"].startswith("This machine has no working NVIDIA driver (")


def test_a_missing_library_is_named_before_a_missing_driver(
    engine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest, data = read_artifact(engine)
    monkeypatch.setitem(sys.modules, "tensorrt_rtx", None)
    with pytest.raises(UnavailableError, match="tensorrt_rtx is"):
        open_engine(manifest, data)


def test_what_the_real_library_says_is_in_the_error(engine: Path) -> None:
    manifest, data = read_artifact(engine)
    for content, words in ((data, "cuda"), (b"no engine", "header")):
        with pytest.raises(ArtifactError, match=f"(?i)could not load this engine: .*{words}"):
            Engine(load_tensorrt("rtx"), content, manifest, None)


def test_a_changed_engine_is_refused_before_any_library_is_loaded(
    engine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt_rtx", None)
    data = bytearray(engine.read_bytes())
    data[len(data) // 2] ^= 1
    copy = tmp_path / engine.name
    copy.write_bytes(data)
    sidecar_path(copy).write_bytes(sidecar_path(engine).read_bytes())
    with pytest.raises(ArtifactError, match="was changed"):
        open_session(copy)
