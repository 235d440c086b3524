"""Seeds sorted by what their pictures show, for experiments whose answer a classifier can check."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dcgan_edge.errors import EdgeError
from dcgan_edge.latents import FloatArray, latents
from dcgan_edge.runtime.session import Session

Classify = Callable[[FloatArray], FloatArray]  # images (n, c, h, w) -> logits (n, classes)
Measure = Callable[[FloatArray], FloatArray]  # images (n, c, h, w) -> one figure each, (n,)
SURE = 0.9  # probability from which a sample counts as a member of its class
FEWEST = 9  # members of a class that an experiment needs: thirds of three


@dataclass(frozen=True)
class Pool:
    """Samples: their seeds, latents (n, dim, 1, 1), images (n, c, h, w), classes (n,), probabilities (n,)."""

    seeds: tuple[int, ...]
    latents: FloatArray
    images: FloatArray
    classes: npt.NDArray[np.int64]
    confidence: FloatArray

    def members(self) -> dict[int, npt.NDArray[np.int64]]:
        """Return, for each class with at least FEWEST sure members, their places in the pool.

        Raises EdgeError when there are fewer than two such classes.
        """
        sure = {
            c: np.flatnonzero((self.classes == c) & (self.confidence >= SURE))
            for c in set(self.classes.tolist())
        }
        kept = {c: places for c, places in sorted(sure.items()) if len(places) >= FEWEST}
        if len(kept) < 2:
            raise EdgeError(
                f"Too few classes ({len(kept)}) have {FEWEST} clear samples among {len(self.classes)} seeds. "
                "Take more seeds, or train the generator for longer."
            )
        return kept


def make_pool(session: Session, seeds: Sequence[int], classify: Classify) -> Pool:
    """Sample `seeds` and classify the images."""
    architecture = session.manifest.architecture
    z = latents(seeds, architecture.latent_dim, architecture.distribution)
    images = session.run(z)
    classes, confidence = classified(images, classify)
    return Pool(tuple(seeds), z, images, classes, confidence)


def classified(images: FloatArray, classify: Classify) -> tuple[npt.NDArray[np.int64], FloatArray]:
    """Return the likeliest class of each image and its softmax probability."""
    logits = classify(images).astype(np.float64)
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return logits.argmax(axis=1), np.asarray(1.0 / odds.sum(axis=1), np.float32)


def ink(images: FloatArray) -> FloatArray:
    """Return the mean brightness, 0 to 1: of bright strokes on black, how thick and long they are."""
    return np.asarray((images.mean(axis=(1, 2, 3)) + 1.0) / 2.0, np.float32)


def slant(images: FloatArray) -> FloatArray:
    """Return how far strokes lean, as pixels to the right per pixel upwards: minus the covariance of column
    and row over the variance of rows, weighted by brightness. 0 for a blank image.
    """
    light = (images.mean(axis=1) + 1.0) / 2.0  # (n, h, w)
    rows, columns = np.indices(light.shape[1:], dtype=np.float64)
    mass = np.maximum(light.sum(axis=(1, 2)), 1e-9)[:, None, None]
    share = light / mass
    down = rows - (share * rows).sum(axis=(1, 2), keepdims=True)
    right = columns - (share * columns).sum(axis=(1, 2), keepdims=True)
    spread = np.maximum((share * down**2).sum(axis=(1, 2)), 1e-9)
    return np.asarray(-(share * down * right).sum(axis=(1, 2)) / spread, np.float32)


MEASURES: dict[str, Measure] = {"ink": ink, "slant": slant}
