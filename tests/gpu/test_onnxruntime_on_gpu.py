"""On a real GPU: ONNX Runtime with CUDA makes the images that it makes on a CPU, and leaks nothing."""

from __future__ import annotations

import gc
from pathlib import Path

import numpy as np
import pytest

from dcgan_edge.artifact import read_artifact
from dcgan_edge.errors import UnavailableError
from dcgan_edge.latents import latents
from dcgan_edge.runtime.cuda import Cuda
from dcgan_edge.runtime.onnxruntime_session import OnnxRuntimeSession
from dcgan_edge.runtime.parity import GATES, compare
from dcgan_edge.runtime.session import Session, open_session
from tests.gpu.gpu_support import MIB, PRECISIONS, SEEDS, median_ms, reference_images, resident_bytes

pytest_plugins = ("tests.gpu.gpu_fixtures",)
pytestmark = pytest.mark.gpu


def on_gpu(path: Path) -> Session:
    try:
        return open_session(path, device="cuda", backend="onnxruntime")
    except UnavailableError as error:
        pytest.skip(str(error))


def draw(session: Session, count: int, first_seed: int = 0) -> np.ndarray:
    architecture = session.manifest.architecture
    seeds = range(first_seed, first_seed + count)
    return latents(seeds, architecture.latent_dim, architecture.distribution)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_images_match_the_reference(onnx_files: Path, precision: str) -> None:
    reference, name = reference_images(onnx_files)
    with on_gpu(onnx_files / f"generator.{precision}.onnx") as session:
        images = session.run(draw(session, len(SEEDS)))
        assert session.facts.provider == "CUDAExecutionProvider"
        parity = compare(reference, images, SEEDS, GATES[session.manifest.precision])
        times = {count: median_ms(lambda: session.run(draw(session, count))) for count in (1, 16, 64)}  # noqa: B023  # used at once
    print(f"{precision} against {name}: {parity}; ms a call by batch: {times}")
    parity.raise_if_failed(precision)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_any_number_of_latents_makes_the_same_images(onnx_files: Path, precision: str) -> None:
    with on_gpu(onnx_files / f"generator.{precision}.onnx") as session:
        whole = session.run(draw(session, 131))
        for count in (1, 2, 3, 17, 64):
            # another batch may take another kernel: TF32 keeps 10 bits of mantissa, as FP16 does
            np.testing.assert_allclose(session.run(draw(session, count)), whole[:count], rtol=0, atol=2e-2)


def test_the_gpu_is_what_auto_takes(onnx_files: Path) -> None:
    on_gpu(onnx_files / "generator.fp32.onnx").close()  # skips where it cannot be had
    manifest, data = read_artifact(onnx_files / "generator.fp32.onnx")
    with OnnxRuntimeSession(manifest, data) as session:
        assert session.facts.provider == "CUDAExecutionProvider"


def test_memory_comes_back_when_sessions_close(cuda: Cuda, onnx_files: Path) -> None:
    def cycle(rounds: int) -> None:
        for _ in range(rounds):
            with on_gpu(onnx_files / "generator.fp16.onnx") as session:
                session.run(draw(session, 3))
        gc.collect()

    cycle(3)
    free, resident = cuda.free_memory(), resident_bytes()
    cycle(10)
    lost, grown = free - cuda.free_memory(), resident_bytes() - resident
    print(f"10 sessions: GPU {lost / MIB:.1f} MiB less free, process {grown / MIB:.1f} MiB larger")
    # a session that stayed would be 20 MiB and more with its workspaces
    assert lost < 64 * MIB
    assert grown < 64 * MIB
