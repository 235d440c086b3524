"""Are generated images copies of training images: the nearest training image of each, pixel by pixel."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from dcgan_edge.errors import UsageError
from dcgan_edge.evaluation.distances import Doubles, distances, pieces
from dcgan_edge.images import PixelArray

COPY_QUANTILE = 0.01  # of held-out images lie as near to a training image as what counts as a copy


@dataclass(frozen=True)
class Neighbours:
    """The nearest training image of each of n images: `images` uint8 (n, c, h, w).

    `grey_levels` (n,) are the root mean square differences of their pixels, on the scale 0 to 255.
    """

    images: PixelArray
    grey_levels: Doubles

    def first(self, count: int) -> Neighbours:
        """Return the neighbours of the first `count` images."""
        return Neighbours(self.images[:count], self.grey_levels[:count])

    def copies(self, threshold: float) -> float:
        """Return the share of images within `threshold` grey levels of a training image."""
        return float((self.grey_levels <= threshold).mean())


def training_neighbours(sets: Sequence[PixelArray], train: Iterable[PixelArray]) -> list[Neighbours]:
    """Find the nearest training image of each image of each of `sets` (n, c, h, w), in one pass.

    `train` gives the training images in blocks (m, c, h, w), of which one at a time is held. Among equally
    near ones the first counts. Raises UsageError when there is none.
    """
    found = [Neighbours(np.empty_like(images), np.full(len(images), np.inf)) for images in sets]
    empty = True
    for block in train:
        empty = False
        for images, nearest in zip(sets, found, strict=True):
            _improve(images, block, nearest)
    if empty:
        raise UsageError("There is no training image to be near to.")
    for nearest in found:
        nearest.grey_levels[:] /= np.sqrt(np.prod(nearest.images.shape[1:]))
    return found


def copy_threshold(held_out: Neighbours) -> float:
    """Return the grey levels that COPY_QUANTILE of held-out images, which nobody copied, are below."""
    return float(np.quantile(held_out.grey_levels, COPY_QUANTILE))


def _improve(images: PixelArray, block: PixelArray, nearest: Neighbours) -> None:
    """Put what `block` has into `nearest` where it is nearer; `grey_levels` are not yet divided."""
    for column, right in pieces(block):
        for start, left in pieces(images):
            between = distances(left, right)
            place = between.argmin(1)
            least = between[np.arange(len(left)), place]
            rows = start + np.flatnonzero(least < nearest.grey_levels[start : start + len(left)])
            nearest.grey_levels[rows] = least[rows - start]
            nearest.images[rows] = block[column + place[rows - start]]
