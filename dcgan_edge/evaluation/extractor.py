"""What turns images into the vectors that all metrics are computed on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

import numpy as np

from dcgan_edge.errors import UsageError
from dcgan_edge.files import StrPath
from dcgan_edge.latents import FloatArray

Features = Literal["digits", "random", "inception"]
BATCH = 250  # images per call of a network; bounds the memory


class FeatureExtractor(Protocol):
    """A frozen network, the `facts` of which are name, hash, backend and version."""

    dim: int  # length of a feature vector
    facts: dict[str, Any]

    def features(self, images: FloatArray) -> FloatArray:
        """Turn float32 (n, c, h, w) in [-1, 1] into float32 (n, dim).

        Raises UsageError for images that this network cannot take.
        """
        ...


def load_extractor(features: str = "digits", weights: StrPath | None = None) -> FeatureExtractor:
    """Load the shipped classifier of digits, a random network for images of any kind, or Inception-v3 with
    the user's file of `weights`.

    Raises UsageError for another name and for weights that do not go with it, and what the networks raise.
    """
    if features == "inception":
        from dcgan_edge.evaluation.inception import InceptionFeatures

        return InceptionFeatures(None if weights is None else Path(weights))
    if features not in get_args(Features):
        known = ", ".join(get_args(Features))
        raise UsageError(f"There are no features {features!r}; there are {known}.")
    if weights is not None:
        raise UsageError(f"Weights are for --features inception; those of {features} are known.")
    if features == "random":
        from dcgan_edge.evaluation.random_features import RandomFeatures

        return RandomFeatures()
    from dcgan_edge.evaluation.classifier import load_digit_features

    return load_digit_features()


def in_batches(run: Callable[[FloatArray], FloatArray], images: FloatArray, dim: int) -> FloatArray:
    """Run `images` in pieces of BATCH and join the rows, (n, dim)."""
    parts = [run(images[start : start + BATCH]) for start in range(0, len(images), BATCH)]
    return np.concatenate(parts) if parts else np.empty((0, dim), np.float32)
