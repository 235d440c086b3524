"""The IDX files of MNIST and its relatives: big-endian header, then raw bytes; plain or gzipped.

Sits beside `folder`: both are sources of images for `dataset`. Format: LeCun, "The MNIST database", "THE IDX
FILE FORMAT": two zero bytes, type code 0x08 (unsigned byte), the number of dimensions, each size as uint32.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
from PIL import Image

from dcgan_edge.data.pixels import fit_image
from dcgan_edge.errors import EdgeError
from dcgan_edge.images import PixelArray
from dcgan_edge.machine import available_memory

Split = Literal["train", "test"]
PREFIXES: dict[Split, str] = {"train": "train", "test": "t10k"}
UNSIGNED_BYTE = 0x08
GZIP_MAGIC = b"\x1f\x8b"
MAX_PADDING = 4  # pixels in all; up to here (28 -> 32) a frame is kinder than interpolation


class IdxImages:
    """Images uint8 (n, rows, columns) as a source of `dataset`: padded a little, or resized, to `size`."""

    def __init__(self, images: PixelArray, size: int, channels: int) -> None:
        self._images, self._size, self._channels = images, size, channels

    def __len__(self) -> int:
        return len(self._images)

    def name(self, index: int) -> str:
        return f"image {index}"

    def load(self, index: int) -> PixelArray:
        """Image `index`, uint8 (channels, size, size)."""
        image = self._images[index]
        missing = self._size - image.shape[0]
        if image.shape[0] == image.shape[1] and 0 <= missing <= MAX_PADDING:
            padded = np.pad(image, (missing // 2, missing - missing // 2))  # 0 is the background of MNIST
            return np.broadcast_to(padded, (self._channels, self._size, self._size))
        return fit_image(Image.fromarray(image), self._size, self._channels)


def find_idx(folder: Path, split: Split, kind: Literal["images", "labels"]) -> Path | None:
    """The file of `split` in `folder`, by any of its usual names, or None."""
    code = {"images": "idx3", "labels": "idx1"}[kind]
    stems = [f"{PREFIXES[split]}-{kind}{joint}{code}-ubyte" for joint in "-."]
    candidates = [folder / (stem + suffix) for stem in stems for suffix in ("", ".gz")]
    return next((path for path in candidates if path.is_file()), None)


def is_idx_folder(folder: Path) -> bool:
    return any(find_idx(folder, split, "images") for split in PREFIXES)


def load_idx(folder: Path, split: Split = "train") -> tuple[PixelArray, PixelArray | None]:
    """Images uint8 (n, rows, columns) and labels uint8 (n,) of `split`; None where there are no labels.

    Raises EdgeError when the images are missing, a file is not whole IDX, or the labels do not match.
    """
    path = find_idx(folder, split, "images")
    if path is None:
        raise EdgeError(f"{folder} has no {PREFIXES[split]}-images-idx3-ubyte file.")
    images = _open(path, dimensions=3)
    labels = find_idx(folder, split, "labels")
    if labels is None:
        return images, None
    return images, check_labels(_open(labels, dimensions=1), images, labels.name)


def check_labels(labels: PixelArray, images: PixelArray, name: str) -> PixelArray:
    if len(labels) != len(images):
        raise EdgeError(f"{name} has {len(labels)} labels for {len(images)} images.")
    return labels


def _open(path: Path, *, dimensions: int) -> PixelArray:
    try:
        with open(path, "rb") as file:
            return read_idx(file, path.name, dimensions=dimensions)
    except OSError as error:
        raise EdgeError(f"Cannot read {path}: {error.strerror or error}.") from error


def read_idx(file: BinaryIO, name: str, *, dimensions: int) -> PixelArray:
    """The array of an IDX file of unsigned bytes, plain or gzipped, with exactly `dimensions` axes.

    Raises EdgeError naming `name` for another type or shape, too few or too many bytes, damaged gzip, or
    more than this machine's free memory.
    """
    start = file.read(len(GZIP_MAGIC))
    file.seek(0)
    if start != GZIP_MAGIC:
        return _read_plain(file, name, dimensions)
    try:
        with gzip.GzipFile(fileobj=file) as unpacked:
            return _read_plain(unpacked, name, dimensions)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise EdgeError(f"{name} is damaged gzip ({error}).") from error


def _read_plain(file: BinaryIO | gzip.GzipFile, name: str, dimensions: int) -> PixelArray:
    header = file.read(4 + 4 * dimensions)
    if header[:4] != bytes((0, 0, UNSIGNED_BYTE, dimensions)) or len(header) < 4 + 4 * dimensions:
        raise EdgeError(f"{name} is not an IDX file of unsigned bytes with {dimensions} dimensions.")
    shape = struct.unpack(f">{dimensions}I", header[4:])
    count = math.prod(shape)  # Python's integers do not overflow
    if count == 0:
        raise EdgeError(f"{name} is empty: its shape is {'x'.join(map(str, shape))}.")
    if count > available_memory():
        raise EdgeError(f"{name} announces {count} bytes, more than this machine has free.")
    data = file.read(count + 1)
    if len(data) != count:
        state = "more" if len(data) > count else f"only {len(data)}"
        raise EdgeError(f"{name} announces {count} bytes and has {state}; it is cut short or damaged.")
    return np.frombuffer(data, np.uint8).reshape(shape)
