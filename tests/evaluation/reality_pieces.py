"""Generators whose quality is known: real digits, one image only, noise."""

from __future__ import annotations

import numpy as np

from dcgan_edge.artifact import Architecture, BatchProfile, Manifest, generator_tensors
from dcgan_edge.evaluation.classifier import load_digit_features
from dcgan_edge.evaluation.reality import real_images
from dcgan_edge.images import PixelArray, from_uint8
from dcgan_edge.latents import FloatArray
from dcgan_edge.runtime.session import Session, SessionFacts

REAL = real_images("digits", 28, 1)
TRAIN = np.concatenate(list(REAL.train()))
EXTRACTOR = load_digit_features()
PIXELS = Architecture("gan", 28, 1, 1, latent_dim=28 * 28)  # a latent is as large as an image


class KnownSession(Session):
    """Gives images of `pixels`, by what the latent is; with `noise` grey levels of normal noise on them."""

    def __init__(self, pixels: PixelArray, noise: float = 0.0) -> None:
        self._images, self._noise = from_uint8(pixels), noise / 127.5
        self.is_closed = False
        source, result = generator_tensors(PIXELS)
        self.manifest = Manifest(
            "onnx", PIXELS, "fp32", (source,), (result,), BatchProfile(), "", "a test"
        ).sealed(pixels.tobytes())

    @property
    def facts(self) -> SessionFacts:
        return SessionFacts("known", "1", "cpu", "a processor")

    def run(self, latents: FloatArray) -> FloatArray:
        chosen = (np.abs(latents[:, 0, 0, 0]) * 1e6).astype(np.int64) % len(self._images)
        noisy: FloatArray = self._images[chosen] + self._noise * latents.reshape(-1, 1, 28, 28)
        return noisy

    def close(self) -> None:
        self.is_closed = True
