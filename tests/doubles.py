"""A session made of arithmetic: real enough to be sampled, compared and benchmarked."""

from __future__ import annotations

import numpy as np

from dcgan_edge.artifact import Architecture, BatchProfile, Manifest, generator_tensors
from dcgan_edge.latents import FloatArray
from dcgan_edge.runtime.session import Session, SessionFacts, in_chunks

ARCHITECTURE = Architecture("dcgan", 4, 1, 1, latent_dim=3)


def double_manifest(batch: BatchProfile) -> Manifest:
    source, result = generator_tensors(ARCHITECTURE)
    return Manifest("onnx", ARCHITECTURE, "fp32", (source,), (result,), batch, "", "test")


class ArithmeticSession(Session):
    """Paints tanh(sum of the latent), plus an error that depends on the batch, as real kernels have it."""

    def __init__(self, batch: BatchProfile | None = None) -> None:
        self.manifest = double_manifest(batch or BatchProfile())
        self.batches: list[int] = []
        self.closed = False

    @property
    def facts(self) -> SessionFacts:
        return SessionFacts("arithmetic", "1", "cpu", "a processor")

    def run(self, latents: FloatArray) -> FloatArray:
        return in_chunks(self._run, latents, self.manifest)

    def close(self) -> None:
        self.closed = True

    def _run(self, latents: FloatArray) -> FloatArray:
        self.batches.append(len(latents))
        row = np.arange(len(latents), dtype=np.float32)
        level = np.tanh(latents.sum(axis=(1, 2, 3))) + np.float32(1e-3) * (row + len(latents))
        return np.tile(level[:, None, None, None], (1, 1, 4, 4)).astype(np.float32)
