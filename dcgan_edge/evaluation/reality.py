"""The real images that generated ones are judged against: those trained on, and some that were held out."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dcgan_edge.data.digits import load_digits
from dcgan_edge.errors import EdgeError
from dcgan_edge.images import PixelArray

DIGITS = "digits"
MOST = 50_000  # images that are looked at; what lies beyond is left out
SIDE = 28


@dataclass(frozen=True)
class RealImages:
    """`train` is what generated images are compared with, `held_out` what the real-data baseline is measured
    on: uint8 (n, c, h, w) each, with no image in common. `split` says where the two come from.
    """

    source: str
    train: PixelArray
    held_out: PixelArray
    split: str


def real_images(source: str, size: int, channels: int) -> RealImages:
    """Real images of `size` pixels from `source`: "digits" or what `dcgan_edge.data.open_data` takes.

    Digits and IDX folders have a test split, which is held out. Anything else is cut in two halves by chance;
    the generator may have seen both.

    Raises UsageError and EdgeError as `open_data` does, and EdgeError when there are too few images.
    """
    if source == DIGITS and (size, channels) == (SIDE, 1):
        return RealImages(
            source, load_digits("train")[0][:, None], load_digits("test")[0][:, None], "train and test split"
        )
    train, test = _opened(source, size, channels)
    if test is not None:
        return RealImages(source, train, test, "train and test split")
    half = len(train) // 2
    if half < 2:
        raise EdgeError(f"{source} has {len(train)} images, too few to compare anything with.")
    return RealImages(source, train[half:], train[:half], "two halves by chance")


def _opened(source: str, size: int, channels: int) -> tuple[PixelArray, PixelArray | None]:
    """The train images in an order of chance, and the test images where there is a test split."""
    from dcgan_edge.data import open_data
    from dcgan_edge.data.idx import find_idx, idx_images, load_idx

    data = open_data(source, size, channels)
    batches = itertools.islice(data.batches(1, seed=0, epoch=0), MOST)
    train = np.concatenate([batch.numpy() for batch in batches])
    if source == DIGITS:
        test = load_digits("test")[0]
    elif find_idx(Path(source), "test", "images") is not None:
        test = load_idx(Path(source), "test")[0]
    else:
        return train, None
    held_out = idx_images(test[:MOST], size, channels)
    return train, np.stack([held_out.load(index) for index in range(len(held_out))])
