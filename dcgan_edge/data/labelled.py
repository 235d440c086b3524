"""Images with labels: their classes, by name, and splits into those to train on and those held out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dcgan_edge.architecture import LONGEST_CLASS
from dcgan_edge.classes import DIGIT_NAMES
from dcgan_edge.data import DIGITS, check_source, load_digits
from dcgan_edge.data.arrays import ArrayImages
from dcgan_edge.data.cifar import CLASS_NAMES, find_cifar10, load_cifar10
from dcgan_edge.data.folder import FolderImages
from dcgan_edge.data.idx import Split, idx_images, is_idx_folder, load_idx
from dcgan_edge.data.packed import is_packed
from dcgan_edge.data.source import Labels as Labels
from dcgan_edge.data.source import Source
from dcgan_edge.data.svhn import is_svhn_folder, load_svhn
from dcgan_edge.errors import EdgeError, UsageError
from dcgan_edge.images import PixelArray
from dcgan_edge.names import shown

Places = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Labelled:
    """Images uint8 (n, c, h, w) and their classes (n,)."""

    pixels: PixelArray
    labels: Labels


@dataclass(frozen=True)
class Classes:
    """The `names` of the classes, and for every image the place of its class among them, `labels` (n,)."""

    names: tuple[str, ...]
    labels: Labels


def open_classes(source: str, size: int, channels: int) -> tuple[Source, Classes]:
    """Return the training images of `source` and their classes.

    Digits and SVHN are called "zero" to "nine", the classes of CIFAR-10 by its own names, those of IDX files
    by their numbers. A folder or an archive of pictures has a folder for each class; folders that hold all of
    those, such as "train", do not count. Raises UsageError for less than two classes, and where there are no
    labels.
    """
    check_source(source)
    path = Path(source)
    if has_splits(source):
        images, labels = open_split(source, "train", size, channels)
        if labels is None:
            raise UsageError(f"{shown(source)} has no file of labels beside its training images.")
        return images, _numbered(labels, source)
    if is_packed(path):
        raise UsageError(
            f"{shown(source)} holds no labels. For classes, name the folder that it was made from: a folder "
            "with one folder of pictures for each class."
        )
    pictures = FolderImages(path, size, channels)
    return pictures, folder_classes([file.name for file in pictures.listing.files], source)


def class_names(source: str) -> tuple[str, ...]:
    """Return the names of the classes of `source`. Raises as `open_classes` does."""
    return open_classes(source, 8, 1)[1].names


def class_shares(labels: Labels | None, count: int) -> tuple[float, ...]:
    """Return the share of each of `count` classes in `labels`, () without labels.

    Raises UsageError for labels of more classes.
    """
    if labels is None:
        return ()
    if labels.max() >= count:
        raise UsageError(f"The images are of {labels.max() + 1} classes, not of {count}.")
    return tuple((np.bincount(labels, minlength=count) / len(labels)).tolist())


def folder_classes(files: list[str], source: str) -> Classes:
    """Return the classes of pictures by the names of their files below `source`: the folder each lies in."""
    parts = [name.split("/") for name in files]
    while len({each[0] for each in parts}) == 1 and min(map(len, parts)) > 2:
        parts = [each[1:] for each in parts]
    loose = next((name for name, each in zip(files, parts, strict=True) if len(each) == 1), None)
    names = sorted({each[0] for each in parts})
    if loose is not None or len(names) < 2:
        found = f"{shown(loose)} lies in none" if loose is not None else f"there is only {shown(names[0])}"
        raise UsageError(
            f"Classes are folders of pictures, such as {shown(source)}/cat and {shown(source)}/dog; {found}."
        )
    places = {name: number for number, name in enumerate(names)}
    return Classes(
        tuple(shown(name, longest=LONGEST_CLASS) for name in names),
        np.array([places[each[0]] for each in parts], np.int64),
    )


def _numbered(labels: PixelArray, source: str) -> Classes:
    """Classes of labels that are numbers; what does not occur is no class."""
    path = Path(source)
    found, places = np.unique(labels, return_inverse=True)
    if len(found) < 2:
        raise UsageError(f"All images of {shown(source)} have one label; classes are two or more.")
    names: tuple[str, ...] = tuple(map(str, range(256)))
    if source == DIGITS or (not is_idx_folder(path) and is_svhn_folder(path)):
        names = DIGIT_NAMES
    elif not is_idx_folder(path):
        names = CLASS_NAMES
    return Classes(tuple(names[label] for label in found), places.astype(np.int64))


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
