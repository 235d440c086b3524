"""What our runtime is measured against: the same generator in other hands, behind the same contract."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from dcgan_edge.artifact import Architecture, BatchProfile, Manifest, generator_tensors, read_artifact
from dcgan_edge.latents import FloatArray
from dcgan_edge.models import build_generator
from dcgan_edge.runtime.session import Session

ARCHITECTURE = Architecture("dcgan", size=64, channels=3, width=64)


def generator() -> torch.nn.Module:
    """The generator of every contestant. Speed does not depend on the weights, so they are untrained."""
    torch.manual_seed(0)
    return build_generator(ARCHITECTURE).eval()


class Peer(Session):
    """A contestant: `call` is all it does, without the checks and chunks of our sessions."""

    def __init__(self, backend: str, version: str) -> None:
        source, result = generator_tensors(ARCHITECTURE)
        batch = BatchProfile(1, 1, 4096)
        self.manifest = Manifest("checkpoint", ARCHITECTURE, "fp32", (source,), (result,), batch, "", backend)
        self.facts: dict[str, Any] = {"backend": backend, "version": version}

    def close(self) -> None:
        """A peer holds nothing that outlives its process."""


class TorchPeer(Peer):
    """PyTorch, eager or compiled, in inference mode."""

    def __init__(self, compiled: bool) -> None:
        super().__init__("torch.compile" if compiled else "torch eager", torch.__version__)
        network = generator()
        self._network = torch.compile(network) if compiled else network

    def run(self, latents: FloatArray) -> FloatArray:
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
        images: FloatArray = np.asarray(self._session.run(None, {"latents": latents})[0])
        return images
