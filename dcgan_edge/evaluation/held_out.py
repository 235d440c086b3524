"""What a training is judged by while it runs: the distance of its images to real ones that were held out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from dcgan_edge.errors import UsageError
from dcgan_edge.evaluation.extractor import FeatureExtractor
from dcgan_edge.evaluation.frechet import frechet_distance, moments
from dcgan_edge.evaluation.kernel import kid
from dcgan_edge.evaluation.reality import official_test_images, some_images
from dcgan_edge.evaluation.scores import described
from dcgan_edge.images import PixelArray, to_uint8
from dcgan_edge.latents import FloatArray

if TYPE_CHECKING:
    from dcgan_edge.data.source import Dataset

FEWEST = 50  # images; below, no figure here says anything
NO_INTERVAL = 2  # resamples: the least that there can be, as only the estimate is wanted


class HeldOut:
    """Real images as features; called with batches of generated ones in [-1, 1], it returns FID and KID."""

    def __init__(self, pixels: PixelArray, extractor: FeatureExtractor) -> None:
        """`pixels` are uint8 (n, c, h, w). Raises UsageError for fewer than FEWEST, and what the extractor
        raises for images that it cannot take.
        """
        if len(pixels) < FEWEST:
            raise UsageError(
                f"Training is evaluated on at least {FEWEST} held-out images; here are {len(pixels)}. Leave "
                "--eval-every out, or name other images with --eval-data."
            )
        self._extractor = extractor
        self._features, _ = described(pixels, extractor)
        self._moments = moments(self._features)

    def __call__(self, batches: Iterable[FloatArray]) -> tuple[float, float]:
        """Return FID and KID of `batches` (n, c, h, w), after rounding to the 8 bits that files have."""
        found = (described(to_uint8(batch), self._extractor) for batch in batches)
        features = np.concatenate([each for each, _ in found])
        distance = frechet_distance(moments(features), self._moments)
        return distance, kid(features, self._features, resamples=NO_INTERVAL).value


def held_out_images(
    data: Dataset, source: str, size: int, channels: int, *, other: str | None = None
) -> PixelArray:
    """Return real images (n, channels, size, size) to judge a training on `source`, opened as `data`, by.

    They are the test split of `source` where it has one. Else there are none that were not trained on, and
    half of those that were, chosen by chance, are taken, as `eval` does. `other` names images to take in
    their place: their test split, or all of them.

    Raises UsageError and EdgeError as `real_images` does.
    """
    test = official_test_images(source if other is None else other, size, channels)
    if test is not None:
        return test
    if other is None:
        return some_images(data, max(1, len(data) // 2))
    from dcgan_edge.data import open_data

    named = open_data(other, size, channels)
    return some_images(named, len(named))
