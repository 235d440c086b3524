"""A session made of arithmetic: real enough to be sampled, compared and benchmarked."""

from __future__ import annotations

import dataclasses

import numpy as np

from dcgan_edge.artifact import Architecture, BatchProfile, Manifest, generator_tensors
from dcgan_edge.latents import FloatArray
from dcgan_edge.runtime.session import Session, SessionFacts, in_chunks

ARCHITECTURE = Architecture("dcgan", 4, 1, 1, latent_dim=3)


def double_manifest(batch: BatchProfile, classes: tuple[str, ...] = ()) -> Manifest:
    architecture = dataclasses.replace(ARCHITECTURE, classes=classes)
    source, result = generator_tensors(architecture)
    return Manifest("onnx", architecture, "fp32", (source,), (result,), batch, "", "test")


class ArithmeticSession(Session):
    """Paints tanh of the latent's sum plus a tenth for each class before its own, plus an error that depends
    on the batch, as real kernels have it.
    """

    def __init__(self, batch: BatchProfile | None = None, classes: tuple[str, ...] = ()) -> None:
        self.manifest = double_manifest(batch or BatchProfile(), classes)
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
        weights = np.ones(latents.shape[1], np.float32)
        weights[ARCHITECTURE.latent_dim :] = np.arange(len(weights) - ARCHITECTURE.latent_dim) / 10
        level = np.tanh(latents[:, :, 0, 0] @ weights) + np.float32(1e-3) * (row + len(latents))
        return np.tile(level[:, None, None, None], (1, 1, 4, 4)).astype(np.float32)
