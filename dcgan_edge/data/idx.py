"""The IDX files of MNIST and its relatives: big-endian header, then raw bytes; plain or gzipped.

Sits beside `folder`: both are sources of images for `dataset`. Format: LeCun, "The MNIST database", "THE IDX
FILE FORMAT": two zero bytes, type code 0x08 (unsigned byte), the number of dimensions, each size as uint32.
"""

from __future__ import annotations

import gzip
import math
import os
import re
import struct
import zlib
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np

from dcgan_edge.data.arrays import ArrayImages
from dcgan_edge.errors import EdgeError, UsageError
from dcgan_edge.images import PixelArray
from dcgan_edge.machine import available_memory
from dcgan_edge.names import shown

Split = Literal["train", "test"]
PREFIXES: dict[Split, str] = {"train": "train", "test": "t10k"}
UNSIGNED_BYTE = 0x08
GZIP_MAGIC = b"\x1f\x8b"
SPLITS: dict[Split, tuple[str, ...]] = {"train": ("train",), "test": ("t10k", "test")}
TORCHVISION = ("MNIST", "FashionMNIST", "KMNIST", "EMNIST", "QMNIST")  # folders that it makes
NAME = re.compile(
    r"(?P<set>[a-z0-9-]*?)(?P<split>train|t10k|test)-(?P<kind>images|labels)[-.]idx[13]-ubyte(\.gz)?"
)


def find_idx(place: Path, split: Split, kind: Literal["images", "labels"]) -> Path | None:
    """Return the file of `split` at `place` by any of its usual names, or None.

    `place` is the folder of the files, the one that torchvision keeps them in (`MNIST/raw` and its like
    below it), or a file of images, whose relatives lie beside it.
    """
    found = {_order(path): path for path in _candidates(place, split, kind)}
    return found[min(found)] if found else None


def is_idx_folder(place: Path) -> bool:
    """Return whether `place` has images in IDX files, or is such a file."""
    return any(find_idx(place, split, "images") for split in PREFIXES)


def load_idx(place: Path, split: Split = "train") -> tuple[PixelArray, PixelArray | None]:
    """Return images uint8 (n, rows, columns) and labels uint8 (n,) of `split`; None without labels.

    EMNIST stores its images on their side; they are turned upright.

    Raises EdgeError when the images are missing, a file is not whole IDX, or the labels do not match.
    """
    path = find_idx(place, split, "images")
    if path is None:
        raise EdgeError(f"{shown(place)} has no {PREFIXES[split]}-images-idx3-ubyte file.")
    images = _open(path, dimensions=3)
    if path.name.startswith("emnist-"):
        images = images.transpose(0, 2, 1)
    labels = find_idx(path, split, "labels")
    if labels is None:
        return images, None
    return images, check_labels(_open(labels, dimensions=1), images, labels.name)


def _candidates(place: Path, split: Split, kind: str) -> list[Path]:
    """Every file of `split` and `kind`, of one data set.

    Raises UsageError when a folder holds several sets, as EMNIST's does.
    """
    prefix = ""
    if named := NAME.fullmatch(place.name) if place.is_file() else None:
        folders, prefix = [place.parent], named["set"]
    elif place.is_dir():
        folders = [place, place / "raw", *(place / name / "raw" for name in TORCHVISION)]
    else:
        return []
    folder = next((folder for folder in folders if _idx_names(folder)), None)
    found = [] if folder is None else [folder / name for name in _idx_names(folder)]
    matches = [(path, match) for path in found if (match := NAME.fullmatch(path.name))]
    sets = sorted({match["set"] for _, match in matches if match["kind"] == "images"})
    if not named and len(sets) > 1:
        raise UsageError(
            f"{shown(folder or place)} holds {len(sets)} data sets: {', '.join(sets)}. Give --data the file "
            f"of one of them: {shown(matches[0][0])}"
        )
    return [
        path
        for path, match in matches
        if (match["kind"], match["split"] in SPLITS[split]) == (kind, True)
        and (match["set"] == prefix or not named)
    ]


def _idx_names(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return sorted(each.name for each in entries if NAME.fullmatch(each.name) and each.is_file())
    except OSError:
        return []


def _order(path: Path) -> tuple[bool, bool]:
    return path.name.endswith(".gz"), "images." in path.name or "labels." in path.name


def idx_images(images: PixelArray, size: int, channels: int) -> ArrayImages:
    """Return images uint8 (n, rows, columns) as a source, framed or resized to `size`."""
    return ArrayImages(images[:, None], size, channels, framed=True)


def check_labels(labels: PixelArray, images: PixelArray, name: str) -> PixelArray:
    """Return `labels` if there is one for each of `images`. Raises EdgeError naming `name` otherwise."""
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
    """Return the array of an IDX file of unsigned bytes, plain or gzipped, with exactly `dimensions` axes.

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
