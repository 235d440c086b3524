from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from torch import nn

from dcgan_edge.artifact import (
    BatchProfile,
    Manifest,
    embed_manifest,
    generator_tensors,
    read_artifact,
    write_artifact,
)
from dcgan_edge.errors import ArtifactError, EdgeError, UnavailableError, UsageError
from dcgan_edge.export.onnx.graph import build_graph
from dcgan_edge.latents import latents
from dcgan_edge.runtime import onnxruntime_session
from dcgan_edge.runtime.onnxruntime_session import OnnxRuntimeSession, provider_options, run_bound
from dcgan_edge.runtime.session import EngineOptions, open_session
from tests.prepared import TINY


@pytest.fixture(scope="session")
def artifact(generator: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    source, result = generator_tensors(TINY)
    manifest = Manifest("onnx", TINY, "fp32", (source,), (result,), BatchProfile(1, 4, 8), "", "test")
    model = build_graph(generator, TINY, manifest.batch)
    path = tmp_path_factory.mktemp("onnx") / "generator.fp32.onnx"
    write_artifact(path, embed_manifest(model.SerializeToString(), manifest), manifest)
    return path


def test_it_runs_any_batch_and_says_where(artifact: Path) -> None:
    with open_session(artifact, device="cpu", threads=1) as session:
        assert session.run(latents(range(21), 16)).shape == (21, 1, 28, 28)
        assert session.facts.provider == "CPUExecutionProvider"
        assert session.facts.threads == 1
    with pytest.raises(EdgeError, match="closed"):
        session.run(latents([1], 16))
    session.close()


def test_it_runs_from_a_lone_file(artifact: Path, tmp_path: Path) -> None:
    alone = tmp_path / "moved.onnx"
    alone.write_bytes(artifact.read_bytes())
    z = latents(range(3), 16)
    with open_session(alone) as moved, open_session(artifact) as original:
        np.testing.assert_array_equal(moved.run(z), original.run(z))


def test_a_provider_that_is_not_in_this_build_is_an_error(artifact: Path) -> None:
    available = onnxruntime.get_available_providers()
    if "CUDAExecutionProvider" not in available:
        with pytest.raises(UnavailableError, match="Nothing was run on the CPU"):
            open_session(artifact, device="cuda:1")
    if "TensorrtExecutionProvider" not in available:
        with pytest.raises(UnavailableError, match="Nothing was run on the CPU"):
            open_session(artifact, backend="onnxruntime-tensorrt")


def test_options_that_do_not_apply_are_refused(artifact: Path) -> None:
    with pytest.raises(UsageError):
        open_session(artifact, engine=EngineOptions())
    with pytest.raises(UsageError):
        open_session(artifact, backend="tensorrt")
    with pytest.raises(UsageError):
        open_session(artifact, device="cpu", backend="onnxruntime-tensorrt")
    with pytest.raises(UsageError):
        open_session(artifact, device="gpu")


class _FallingBack:
    """ONNX Runtime as a GPU build behaves without a driver: it lists CUDA and silently gives the CPU."""

    __version__ = "0"
    SessionOptions = onnxruntime.SessionOptions

    class InferenceSession:
        def __init__(self, data: bytes, options: object, providers: list[object]) -> None:
            pass

        def get_providers(self) -> list[str]:
            return ["CPUExecutionProvider"]

    @staticmethod
    def set_default_logger_severity(severity: int) -> None:
        pass

    @staticmethod
    def get_available_providers() -> list[str]:
        return ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]


def test_a_silent_fallback_is_an_error(artifact: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", _FallingBack)
    monkeypatch.setattr(onnxruntime_session, "why_no_gpu", lambda: "there is no NVIDIA GPU")
    with pytest.raises(UnavailableError, match="there is no NVIDIA GPU"):
        open_session(artifact, device="cuda")
    monkeypatch.setattr(onnxruntime_session, "why_no_gpu", lambda: "")
    with pytest.raises(UnavailableError, match="could not be started"):
        open_session(artifact, device="cuda")


@pytest.mark.parametrize(
    ("hidden", "found", "warned"),
    [
        ("there is no NVIDIA GPU", "there is no NVIDIA GPU", False),
        ("", "this ONNX Runtime has no CUDAExecutionProvider", True),
    ],
)
def test_auto_says_why_it_took_the_cpu(
    artifact: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    hidden: str,
    found: str,
    warned: bool,
) -> None:
    monkeypatch.setattr(onnxruntime_session, "why_no_gpu", lambda: hidden)
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with open_session(artifact) as session:
        assert session.facts.details["auto"] == found
    with open_session(artifact, device="cpu") as session:
        assert "auto" not in session.facts.details
    assert bool(caplog.records) == warned


def test_bound_output_is_the_same_as_plain(artifact: Path) -> None:
    session = onnxruntime.InferenceSession(artifact, providers=["CPUExecutionProvider"])
    z = latents(range(3), 16)
    bound = run_bound(session, "latents", "images", z, "cpu")
    np.testing.assert_array_equal(bound, session.run(None, {"latents": z})[0])


def test_float32_is_float32_on_a_gpu(artifact: Path) -> None:
    manifest, _ = read_artifact(artifact)
    assert provider_options("cuda", manifest)["use_tf32"] == "0"


def test_tensorrt_gets_one_profile_and_its_caches(artifact: Path, private_folders: Path) -> None:
    manifest, _ = read_artifact(artifact)
    options = provider_options("tensorrt", manifest)
    shapes = [options[f"trt_profile_{which}_shapes"] for which in ("min", "opt", "max")]
    assert shapes == ["latents:1x16x1x1", "latents:4x16x1x1", "latents:8x16x1x1"]
    assert options["trt_engine_cache_enable"] == options["trt_timing_cache_enable"] == "1"
    assert Path(options["trt_engine_cache_path"]).is_relative_to(private_folders)
    assert all(isinstance(value, str) for value in options.values())


def test_without_onnxruntime_the_extra_is_named(artifact: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)  # blocks the import
    with pytest.raises(UnavailableError, match=r"dcgan-edge\[cpu\]"):
        open_session(artifact, backend="onnxruntime")


def test_a_graph_that_does_not_load_is_refused(artifact: Path) -> None:
    source, result = generator_tensors(TINY)
    manifest = Manifest("onnx", TINY, "fp32", (source,), (result,), BatchProfile(), "", "test")
    with pytest.raises(ArtifactError, match="ONNX Runtime refuses"):
        OnnxRuntimeSession(manifest, b"not a model")


def test_a_manifest_that_describes_other_tensors_is_refused(artifact: Path) -> None:
    manifest, data = read_artifact(artifact)
    (latent,), (image,) = manifest.inputs, manifest.outputs
    for changes in (
        {"inputs": (dataclasses.replace(latent, name="z"),)},
        {"inputs": (dataclasses.replace(latent, shape=("batch", 7, 1, 1)),)},
        {"outputs": (dataclasses.replace(image, shape=("batch", 3, 28, 28)),)},
    ):
        with pytest.raises(ArtifactError):
            OnnxRuntimeSession(dataclasses.replace(manifest, **changes), data)  # type: ignore[arg-type]  # tuples


def test_what_fails_while_running_is_an_error_with_a_sentence(
    artifact: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> None:
        raise RuntimeError("[ONNXRuntimeError] : 6 : out of memory")

    with open_session(artifact, device="cpu") as session:
        monkeypatch.setattr(session._session, "run", fail)  # type: ignore[attr-defined]  # what it stands on
        with pytest.raises(EdgeError, match="out of memory"):
            session.run(latents([1], 16))
