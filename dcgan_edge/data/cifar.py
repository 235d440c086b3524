"""CIFAR-10 from its binary version, which needs no pickle; the arrays go to `arrays` and to evaluation.

Format: Krizhevsky, "The CIFAR-10 dataset", "Binary version": records of one label byte, then 32 x 32 red,
green and blue values, row by row.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dcgan_edge.data.idx import Split
from dcgan_edge.errors import EdgeError
from dcgan_edge.images import PixelArray
from dcgan_edge.machine import available_memory

FOLDER = "cifar-10-batches-bin"  # as the archive unpacks
BATCHES: dict[Split, tuple[str, ...]] = {
    "train": tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
    "test": ("test_batch.bin",),
}
PICKLED = ("cifar-10-batches-py", "cifar-100-python")
SHAPE = (3, 32, 32)
RECORD = 1 + 3 * 32 * 32
CLASSES = 10
CLASS_NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def find_cifar10(folder: Path) -> Path | None:
    """Return the folder of the batches, `folder` or the one that the archive unpacks to; None without any."""
    names = [name for split in BATCHES.values() for name in split]
    candidates = (folder, folder / FOLDER)
    return next((path for path in candidates if any((path / name).is_file() for name in names)), None)


def pickled_cifar(folder: Path) -> str:
    """Return what is wrong with `folder` if it holds CIFAR in Python's version and nothing else, else ""."""
    places = (folder, *(folder / name for name in PICKLED))
    pickled = any((place / "data_batch_1").is_file() for place in places) or any(
        (place / name).is_file() for place in places for name in ("train",) if (place / "meta").is_file()
    )
    if not pickled or find_cifar10(folder):
        return ""
    return (
        "holds CIFAR in its Python version, which is pickle: it could run a program when it is read, and is "
        "not opened. The binary version is the same: dcgan-edge data fetch cifar10 --out cifar10"
    )


def load_cifar10(folder: Path, split: Split = "train") -> tuple[PixelArray, PixelArray]:
    """Return images uint8 (n, 3, 32, 32) and labels uint8 (n,), 0 to 9, of `split`.

    Raises EdgeError when a batch is missing, cut short, or holds something else than CIFAR-10.
    """
    place = find_cifar10(folder) or folder
    missing = [name for name in BATCHES[split] if not (place / name).is_file()]
    if missing:
        raise EdgeError(
            f"{place} lacks {', '.join(missing)}; fetch the set again: "
            "dcgan-edge data fetch cifar10 --out ANOTHER-FOLDER"
        )
    paths = [place / name for name in BATCHES[split]]
    if sum(path.stat().st_size for path in paths) > available_memory() // 2:  # records, then images
        raise EdgeError(f"{place} does not fit into the memory that is free.")
    records = np.concatenate([_records(path) for path in paths])
    return records[:, 1:].reshape(-1, *SHAPE), records[:, 0]


def _records(path: Path) -> PixelArray:
    """(n, 3073) bytes of one batch."""
    try:
        data = np.fromfile(path, np.uint8)
    except OSError as error:
        raise EdgeError(f"Cannot read {path}: {error.strerror or error}.") from error
    if data.size == 0 or data.size % RECORD:
        raise EdgeError(
            f"{path.name} has {data.size} bytes, not a multiple of {RECORD}; it is cut short or damaged."
        )
    records = data.reshape(-1, RECORD)
    if records[:, 0].max() >= CLASSES:
        raise EdgeError(f"{path.name} has the label {records[:, 0].max()}; those of CIFAR-10 are 0 to 9.")
    return records
