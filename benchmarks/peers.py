"""What our runtime is measured against: the same generator in other hands, behind the same contract, and how
far the images of each are from PyTorch's.

Every contestant's process imports this file, so it loads no library but where that is used: what another one
needs would count as memory of ours.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dcgan_edge.artifact import Manifest, read_artifact
from dcgan_edge.errors import UnavailableError
from dcgan_edge.extras import is_installed
from dcgan_edge.files import write_atomic
from dcgan_edge.images import psnr
from dcgan_edge.latents import FloatArray
from dcgan_edge.runtime.device import cpu_name
from dcgan_edge.runtime.openvino_session import import_openvino
from dcgan_edge.runtime.parity import PSNR_CEILING
from dcgan_edge.runtime.session import Session, SessionFacts

if TYPE_CHECKING:
    from torch import nn

TorchMode = Literal["eager", "channels_last", "compile"]
CALIBRATION_SEEDS = range(10_000, 10_300)  # 300 samples are what NNCF takes by default
SEEDS = range(64)  # whose images are compared
TELEMETRY = "openvino_telemetry"  # NNCF sends usage events by it, where it can be imported
NO_NNCF = "nncf is not installed: pip install --no-deps nncf==3.4.0 pydot psutil tabulate ninja"


class Peer(Session):
    """A contestant: `run` is all it does, without the checks and chunks of our sessions."""

    def __init__(self, backend: str, version: str, manifest: Manifest, threads: int | None = None) -> None:
        self.manifest = manifest
        self._facts = SessionFacts(backend, version, "cpu", cpu_name(), threads=threads)

    @property
    def facts(self) -> SessionFacts:
        """Return what runs the contestant, and its version."""
        return self._facts

    def close(self) -> None:
        """Do nothing: a peer holds nothing that outlives its process."""


class TorchPeer(Peer):
    """PyTorch in inference mode: as it comes, with images' channels last in memory, or compiled."""

    def __init__(self, path: Path, load: Callable[[], nn.Module], mode: TorchMode = "eager") -> None:
        """Take the network that `load` returns; `path` is an artifact of it, for its manifest."""
        import torch

        super().__init__(f"torch {mode}", torch.__version__, read_artifact(path)[0])
        network = load()
        if mode == "channels_last":
            network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._torch = torch
        self._network = torch.compile(network) if mode == "compile" else network

    def run(self, latents: FloatArray) -> FloatArray:
        """Return the images of `latents` as PyTorch makes them."""
        with self._torch.inference_mode():
            images: FloatArray = self._network(self._torch.from_numpy(latents)).numpy()
        return images


class BareOnnxRuntime(Peer):
    """onnxruntime as its documentation shows it: `InferenceSession(path)` and `run`."""

    def __init__(self, path: Path) -> None:
        import onnxruntime

        super().__init__("bare onnxruntime", onnxruntime.__version__, read_artifact(path)[0])
        self._session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def run(self, latents: FloatArray) -> FloatArray:
        """Return the images of `latents` as onnxruntime makes them."""
        images: FloatArray = np.asarray(self._session.run(None, {"latents": latents})[0])
        return images


class OpenVino(Peer):
    """OpenVINO on the CPU: a file compiled with its latency hint and called as it documents."""

    def __init__(self, path: Path, precision: str = "f32", model: Path | None = None) -> None:
        """Compile `model`, an OpenVINO file of the same generator, or the ONNX file at `path`."""
        openvino = import_openvino()
        # Left to itself it takes bfloat16 on processors that have it, which is another race.
        hints = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": precision}
        self._compiled = openvino.Core().compile_model(str(model or path), "CPU", hints)
        version = openvino.__version__.partition("-")[0]
        threads = self._compiled.get_property("INFERENCE_NUM_THREADS")
        super().__init__("openvino", version, read_artifact(path)[0], threads)

    def run(self, latents: FloatArray) -> FloatArray:
        """Return the images of `latents` as OpenVINO makes them."""
        images: FloatArray = self._compiled(latents)[0]
        return images


def open_nncf(path: Path, model: Path) -> Session:
    """Open the ONNX file at `path` as NNCF quantises it, which is kept at `model` once that was done."""
    if not model.exists():
        write_quantised(path, model)
    return OpenVino(path, model=model)


def write_quantised(path: Path, model: Path) -> None:
    """Quantise the ONNX file at `path` by NNCF as its documentation shows it, and write `model` (.xml).

    Raises UnavailableError when NNCF is not installed.
    """
    if not is_installed("nncf"):
        raise UnavailableError(NO_NNCF)
    openvino = import_openvino()
    sys.modules[TELEMETRY] = None  # type: ignore[assignment]  # how an import is blocked
    import nncf  # type: ignore[import-not-found, unused-ignore]

    latents = read_artifact(path)[0].architecture.inputs(CALIBRATION_SEEDS)
    data: Any = nncf.Dataset([latents[place : place + 1] for place in range(len(latents))])
    quantised = nncf.quantize(openvino.Core().read_model(str(path)), data)
    model.parent.mkdir(parents=True, exist_ok=True)
    written = model.with_stem(f"{model.stem}.new")
    openvino.save_model(quantised, str(written), compress_to_fp16=False)
    write_atomic(model.with_suffix(".bin"), written.with_suffix(".bin").read_bytes())
    write_atomic(model, written.read_bytes())
    for each in (written, written.with_suffix(".bin")):
        each.unlink()


def torch_images(path: Path, checkpoint: Path) -> tuple[FloatArray, FloatArray]:
    """Return the latents of SEEDS and the images that PyTorch makes of them by the generator of `checkpoint`,
    an artifact of which is at `path`.
    """
    import torch

    from dcgan_edge.training.checkpoint import load_generator

    latents = read_artifact(path)[0].architecture.inputs(SEEDS)
    with torch.inference_mode():
        images: FloatArray = load_generator(checkpoint)[0](torch.from_numpy(latents)).numpy()
    return latents, images


def closeness(session: Session, latents: FloatArray, images: FloatArray) -> tuple[float, float]:
    """Return the worst image's PSNR in decibels, and the largest difference, of what `session` makes of
    `latents` (n, dim, 1, 1) to `images` (n, c, h, w); negative infinity and infinity where they have another
    shape, or values that are not finite.
    """
    made = np.concatenate([session.run(latents[:1]), session.run(latents[1:])])
    if made.shape != images.shape or not np.isfinite(made).all():
        return -np.inf, np.inf
    return min(float(psnr(made, images).min()), PSNR_CEILING), float(np.abs(made - images).max())
