"""The real images that generated ones are judged against: those trained on, and some that were held out."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dcgan_edge.data.digits import load_digits
from dcgan_edge.errors import EdgeError
from dcgan_edge.images import PixelArray

if TYPE_CHECKING:
    from dcgan_edge.data.source import Dataset

DIGITS = "digits"
MOST_HELD_OUT = 10_000  # images; as many as the test sets of MNIST and CIFAR-10 have
BLOCK = 1000  # training images that are read at a time
SIDE = 28
SPLIT, HALVES = "train and test split", "two halves by chance"


@dataclass(frozen=True)
class RealImages:
    """Training images, which generated ones are compared with, and `held_out` ones for the baseline.

    `train()` gives all training images anew, uint8 blocks (m, c, h, w) in an order of chance that is always
    the same; `held_out` (n, c, h, w) has none of them. `split` says where the two come from.
    """

    source: str
    train: Callable[[], Iterator[PixelArray]]
    held_out: PixelArray
    split: str


def real_images(source: str, size: int, channels: int) -> RealImages:
    """Open real images of `size` pixels from `source`: "digits" or what `dcgan_edge.data.open_data` takes.

    Digits, CIFAR-10, SVHN and IDX folders have a test split, of which up to MOST_HELD_OUT images are held
    out. Anything else is cut into two halves by chance; the generator may have seen both.

    Raises UsageError and EdgeError as `open_data` does, and EdgeError when there are too few images.
    """
    if source == DIGITS and (size, channels) == (SIDE, 1):
        return RealImages(
            source,
            lambda: _in_blocks(load_digits("train")[0][:, None]),
            load_digits("test")[0][:, None],
            SPLIT,
        )
    from dcgan_edge.data import open_data

    test = official_test_images(source, size, channels)
    data = open_data(source, size, channels)
    if test is not None:
        return RealImages(source, lambda: _blocks(data, 0), test, SPLIT)
    half = len(data) // 2
    if half < 2:
        raise EdgeError(f"{source} has {len(data)} images, too few to compare anything with.")
    return RealImages(source, lambda: _blocks(data, half), some_images(data, half), HALVES)


def some_images(data: Dataset, count: int) -> PixelArray:
    """Return `count` images of `data` chosen by chance, always the same, but no more than MOST_HELD_OUT.

    Of data without a test split they are those that `real_images` holds out, if `count` is half of them.
    """
    return np.concatenate(list(_blocks(data, 0, min(count, MOST_HELD_OUT))))


def official_test_images(source: str, size: int, channels: int) -> PixelArray | None:
    """Return the first MOST_HELD_OUT images of the official test split; None where `source` has none.

    Raises UsageError and EdgeError as `real_images` does.
    """
    from dcgan_edge.data.idx import find_idx, is_idx_folder
    from dcgan_edge.data.labelled import has_splits, open_split

    if not has_splits(source):
        return None
    folder = Path(source)
    if source != DIGITS and is_idx_folder(folder) and find_idx(folder, "test", "images") is None:
        return None
    images, _ = open_split(source, "test", size, channels)
    return np.stack([images.load(index) for index in range(min(len(images), MOST_HELD_OUT))])


def _in_blocks(pixels: PixelArray) -> Iterator[PixelArray]:
    for start in range(0, len(pixels), BLOCK):
        yield pixels[start : start + BLOCK]


def _blocks(data: Dataset, first: int, stop: int | None = None) -> Iterator[PixelArray]:
    """Images `first` to `stop` (None: to the end) of the data in an order of chance, in blocks."""
    stop = len(data) if stop is None else stop
    images = data.batches(1, seed=0, epoch=0, start=first)
    for start in range(first, stop, BLOCK):
        block = itertools.islice(images, min(BLOCK, stop - start))
        yield np.concatenate([image.numpy() for image in block])
