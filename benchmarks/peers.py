"""What our runtime is measured against: the same generator in other hands, behind the same contract, and the
check that those hands make the same images.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from dcgan_edge.artifact import Architecture, BatchProfile, Manifest, generator_tensors, read_artifact
from dcgan_edge.errors import VerificationError
from dcgan_edge.extras import is_installed
from dcgan_edge.latents import FloatArray
from dcgan_edge.models import build_generator
from dcgan_edge.runtime.bench.workload import batch_latents
from dcgan_edge.runtime.device import cpu_name
from dcgan_edge.runtime.openvino_session import import_openvino
from dcgan_edge.runtime.session import Session, SessionFacts

ARCHITECTURE = Architecture("dcgan", size=64, channels=3, width=64)
LARGEST_DIFFERENCE = 1e-3  # float32 summed in another order differs by 1e-6 here, bfloat16 by 1e-2
SETTLING = 64  # images that BatchNorm takes its statistics from


def generator() -> nn.Module:
    """The generator of every contestant. Speed does not depend on the weights, so they are untrained; but
    BatchNorm is settled, for without it all images are so nearly grey that wrong ones would pass for right.
    """
    torch.manual_seed(0)
    network = build_generator(ARCHITECTURE).train()
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = 1.0  # take the statistics of the one batch that follows
    with torch.no_grad():
        network(torch.randn(SETTLING, ARCHITECTURE.latent_dim, 1, 1))
    return network.eval()


class Peer(Session):
    """A contestant: `call` is all it does, without the checks and chunks of our sessions."""

    def __init__(self, backend: str, version: str) -> None:
        source, result = generator_tensors(ARCHITECTURE)
        batch = BatchProfile(1, 1, 4096)
        self.manifest = Manifest("checkpoint", ARCHITECTURE, "fp32", (source,), (result,), batch, "", backend)
        self._facts = SessionFacts(backend, version, "cpu", cpu_name())

    @property
    def facts(self) -> SessionFacts:
        """What runs the contestant, and its version."""
        return self._facts

    def close(self) -> None:
        """A peer holds nothing that outlives its process."""


class TorchPeer(Peer):
    """PyTorch, eager or compiled, in inference mode."""

    def __init__(self, compiled: bool) -> None:
        super().__init__("torch.compile" if compiled else "torch eager", torch.__version__)
        network = generator()
        self._network = torch.compile(network) if compiled else network

    def run(self, latents: FloatArray) -> FloatArray:
        """Return the images of `latents` as the contestant's own library makes them."""
        with torch.inference_mode():
            images: FloatArray = self._network(torch.from_numpy(latents)).numpy()
        return images


class BareOnnxRuntime(Peer):
    """onnxruntime as its documentation shows it: `InferenceSession(path)` and `run`."""

    def __init__(self, path: Path) -> None:
        import onnxruntime

        super().__init__("bare onnxruntime", onnxruntime.__version__)
        self.manifest = read_artifact(path)[0]
        self._session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def run(self, latents: FloatArray) -> FloatArray:
        """Return the images of `latents` as the contestant's own library makes them."""
        images: FloatArray = np.asarray(self._session.run(None, {"latents": latents})[0])
        return images


class OpenVino(Peer):
    """OpenVINO on the CPU, the ONNX file compiled with its latency hint and called as it documents."""

    def __init__(self, path: Path) -> None:
        openvino = import_openvino()
        super().__init__("openvino", openvino.__version__.partition("-")[0])
        self.manifest = read_artifact(path)[0]
        # Left to itself it takes bfloat16 on processors that have it, which is another race.
        hints = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
        self._compiled = openvino.Core().compile_model(str(path), "CPU", hints)
        threads = self._compiled.get_property("INFERENCE_NUM_THREADS")
        self._facts = dataclasses.replace(self._facts, threads=threads)

    def run(self, latents: FloatArray) -> FloatArray:
        """Return the images of `latents` as the contestant's own library makes them."""
        images: FloatArray = self._compiled(latents)[0]
        return images


def can_import(library: str) -> bool:
    """Whether `library` is installed."""
    return is_installed(library)


def reference(session: Session, count: int) -> tuple[FloatArray, FloatArray]:
    """`count` latents, and the images that `session` makes of them."""
    latents = batch_latents(session, count)
    return latents, session.run(latents)


def open_checked(
    name: str, opener: Callable[[], Session], latents: FloatArray, images: FloatArray, batches: Sequence[int]
) -> Session:
    """What `opener` opens, once it has made `images` (n, c, h, w) of `latents` (n, dim, 1, 1), in calls of
    each of `batches` (of n or fewer).

    Raises VerificationError, with the session closed, when any value is off by more than LARGEST_DIFFERENCE.
    """
    session = opener()
    for batch in batches:
        made = session.run(latents[:batch])
        expected = images[:batch]
        off = float(np.abs(made - expected).max()) if made.shape == expected.shape else np.inf
        if not off <= LARGEST_DIFFERENCE:  # NaN is not
            session.close()
            raise VerificationError(
                f"{name} does not make the images of our session at batch {batch}: they differ by up to "
                f"{off:.2g}, and {LARGEST_DIFFERENCE:g} is allowed. Nothing was timed."
            )
    return session
