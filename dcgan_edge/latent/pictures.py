"""Images to restore: the held-out part of a data set, or pictures from elsewhere; and the mean training
image.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from dcgan_edge.data.archive import is_archive
from dcgan_edge.data.folder import FolderImages
from dcgan_edge.data.idx import is_idx_folder
from dcgan_edge.data.labelled import has_splits, open_split
from dcgan_edge.data.pixels import UnreadableImage, read_image
from dcgan_edge.data.source import Source
from dcgan_edge.errors import EdgeError, UsageError
from dcgan_edge.images import PixelArray, from_uint8
from dcgan_edge.latents import FloatArray

log = logging.getLogger(__name__)
MEAN_OF = 5000  # training images, spread over all of them, are enough for a mean


def pictures(source: str, size: int, channels: int, *, count: int, first: int = 0) -> FloatArray:
    """Return images `first` to `first + count - 1` of `source`: float32 (count, channels, size, size), -1..1.

    `source` is a data set, of which the test images are taken, a folder or an archive of pictures, or one
    picture. A folder may have fewer, and of its pictures those that cannot be read are left out with a
    warning.

    Raises UsageError when there is nothing at `source` or fewer than `first` images in it, EdgeError when
    nothing can be read.
    """
    path = Path(source)
    if path.is_file() and not (is_archive(path) or is_idx_folder(path)):
        if first:
            raise UsageError(f"{path} is one image; the first one asked for is number {first}.")
        try:
            return from_uint8(read_image(path, size, channels)[None])
        except UnreadableImage as error:
            raise EdgeError(f"Cannot read {path}: {error}.") from error
    images: Source
    if has_splits(source):
        images, _ = open_split(source, "test", size, channels)
    else:
        images = FolderImages(path, size, channels)
    if first >= len(images):
        raise UsageError(f"{source} has {len(images)} images; the first one asked for is number {first}.")
    found = list(itertools.islice(_readable(images, first), count))
    if not found:
        raise EdgeError(f"None of the pictures in {source} from number {first} on can be read.")
    return from_uint8(np.stack(found))


def _readable(images: Source, first: int) -> Iterator[PixelArray]:
    """Images from number `first` on; those that cannot be read are named and left out."""
    for place in range(first, len(images)):
        try:
            yield images.load(place)
        except UnreadableImage as error:
            log.warning("Skipped %s: %s", images.name(place), error)


def mean_image(source: str, size: int, channels: int) -> FloatArray | None:
    """Return the mean of training images of `source`, (channels, size, size); None where it has no split,
    and the mean would be of the very pictures that are to be restored.
    """
    if Path(source).is_file() or not has_splits(source):
        return None
    images, _ = open_split(source, "train", size, channels)
    total = np.zeros((channels, size, size), np.float64)
    places = range(0, len(images), max(1, len(images) // MEAN_OF))
    for place in places:
        total += images.load(place)
    return np.asarray(total / len(places) / 127.5 - 1.0, np.float32)
