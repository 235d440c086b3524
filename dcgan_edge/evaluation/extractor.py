"""What turns images into the vectors that all metrics are computed on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from dcgan_edge.latents import FloatArray

BATCH = 250  # images per call of a network; bounds the memory


class FeatureExtractor(Protocol):
    """A frozen network. `facts` say which one: name, hash, backend and version."""

    dim: int  # length of a feature vector
    facts: dict[str, Any]

    def features(self, images: FloatArray) -> FloatArray:
        """float32 (n, c, h, w) in [-1, 1] -> float32 (n, dim). Raises UsageError for images it can't take."""
        ...


def in_batches(run: Callable[[FloatArray], FloatArray], images: FloatArray, dim: int) -> FloatArray:
    """Run `images` in pieces of BATCH and join the rows, (n, dim)."""
    parts = [run(images[start : start + BATCH]) for start in range(0, len(images), BATCH)]
    return np.concatenate(parts) if parts else np.empty((0, dim), np.float32)
