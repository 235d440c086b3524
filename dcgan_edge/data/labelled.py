"""Images with labels, split into those to train on and those held out, and balanced draws of few labels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dcgan_edge.data import DIGITS, check_source, load_digits
from dcgan_edge.data.arrays import ArrayImages
from dcgan_edge.data.cifar import find_cifar10, load_cifar10
from dcgan_edge.data.idx import Split, idx_images, is_idx_folder, load_idx
from dcgan_edge.data.source import Source
from dcgan_edge.data.svhn import is_svhn_folder, load_svhn
from dcgan_edge.errors import EdgeError, UsageError
from dcgan_edge.images import PixelArray

Labels = npt.NDArray[np.int64]
Places = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Labelled:
    """Images uint8 (n, c, h, w) and their classes (n,)."""

    pixels: PixelArray
    labels: Labels


def load_labelled(source: str, split: Split, size: int, channels: int) -> Labelled:
    """Return the images of `split` at the size and with the channels asked for, with labels.

    Raises UsageError when `source` has no splits or no labels, EdgeError when its files are damaged.
    """
    images, labels = open_split(source, split, size, channels)
    if labels is None:
        raise UsageError(f"{source} has no labels for its {split} images.")
    pixels = np.stack([images.load(index) for index in range(len(images))])
    return Labelled(pixels, labels.astype(np.int64))


def has_splits(source: str) -> bool:
    """Return whether `source` comes in training and test images: digits, IDX folders, CIFAR-10, SVHN."""
    check_source(source)
    path = Path(source)
    return source == DIGITS or is_idx_folder(path) or find_cifar10(path) is not None or is_svhn_folder(path)


def open_split(source: str, split: Split, size: int, channels: int) -> tuple[Source, PixelArray | None]:
    """Return the images of `split` as a source, and labels if it has any. Raises as `load_labelled` does."""
    if not has_splits(source):
        raise UsageError(
            f"{source} is not split into training and test images; 'digits' and folders of IDX files, "
            "CIFAR-10 and SVHN are."
        )
    path = Path(source)
    if source == DIGITS or is_idx_folder(path):
        images, labels = load_digits(split) if source == DIGITS else load_idx(path, split)
        return idx_images(images, size, channels), labels
    colour, classes = load_cifar10(path, split) if find_cifar10(path) else load_svhn(path, split)
    return ArrayImages(colour, size, channels), classes


def draw_labels(labels: Labels, count: int | None, *, seed: int) -> Places:
    """Return places of `count` labels, as many of each class as of any other, to one; None for all of them.

    Which ones depends on `seed` alone. Raises UsageError for fewer labels than classes or more than there
    are, EdgeError when a class has too few.
    """
    classes = np.unique(labels)
    if count is None:
        return np.arange(len(labels))
    if not len(classes) <= count <= len(labels):
        raise UsageError(
            f"{count} labels cannot be drawn: there are {len(labels)}, of {len(classes)} classes, and each "
            "class needs one."
        )
    random = np.random.Generator(np.random.Philox(key=seed))
    share, more = divmod(count, len(classes))
    drawn = []
    for number, which in enumerate(random.permutation(classes).tolist()):
        places, wanted = np.flatnonzero(labels == which), share + (number < more)
        if len(places) < wanted:
            raise EdgeError(
                f"Class {which} has {len(places)} labels, fewer than the {wanted} wanted of each."
            )
        drawn.append(random.permutation(places)[:wanted])
    return np.sort(np.concatenate(drawn))
