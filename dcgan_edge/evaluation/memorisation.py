"""Are generated images copies of training images: the nearest training image of each, pixel by pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dcgan_edge.evaluation.distances import Doubles, Indices, nearest
from dcgan_edge.images import PixelArray

COPY_QUANTILE = 0.01  # of held-out images lie as near to a training image as what counts as a copy


@dataclass(frozen=True)
class Neighbours:
    """For each image the `index` of the nearest training image and the root mean square difference of their
    pixels in grey levels (0 to 255).
    """

    index: Indices
    grey_levels: Doubles

    def copies(self, threshold: float) -> float:
        """The share of images within `threshold` grey levels of a training image."""
        return float((self.grey_levels <= threshold).mean())


def training_neighbours(images: PixelArray, train: PixelArray) -> Neighbours:
    """The nearest of `train` (m, c, h, w) for each of `images` (n, c, h, w)."""
    index, distance = nearest(
        images.reshape(len(images), -1).astype(np.float32), train.reshape(len(train), -1).astype(np.float32)
    )
    return Neighbours(index, distance / np.sqrt(images[0].size))


def copy_threshold(held_out: Neighbours) -> float:
    """The grey levels that COPY_QUANTILE of held-out images, which nobody copied, are below."""
    return float(np.quantile(held_out.grey_levels, COPY_QUANTILE))
