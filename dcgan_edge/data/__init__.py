"""Images to train on, as batches of uint8 tensors: the bundled digits, IDX files, what `known` recognises, or
any folder of pictures.

Sources (`idx`, `arrays`, `folder`) load one image; `dataset` turns one into ordered batches for `training`.
Only `dataset` needs torch, and is loaded when it is used.
"""

from __future__ import annotations

import os
from pathlib import Path

from dcgan_edge.data import foreign
from dcgan_edge.data.archive import is_archive
from dcgan_edge.data.cifar import pickled_cifar
from dcgan_edge.data.digits import load_digits
from dcgan_edge.data.folder import FolderImages, folder_channels
from dcgan_edge.data.idx import idx_images, is_idx_folder, load_idx
from dcgan_edge.data.known import recognise
from dcgan_edge.data.packed import is_packed
from dcgan_edge.data.source import Dataset, ReadProgress, Source
from dcgan_edge.errors import UsageError
from dcgan_edge.names import shown

DIGITS = "digits"
TAKEN = "a folder, an archive of pictures, IDX files, a packed .npy file or 'digits'"

__all__ = ["DIGITS", "Dataset", "check_source", "load_digits", "native_channels", "native_size", "open_data"]


def open_data(
    source: str,
    size: int,
    channels: int | None = None,
    *,
    labelled: bool = False,
    progress: ReadProgress | None = None,
) -> Dataset:
    """Return the training images of `source`: "digits", an IDX, CIFAR-10 or SVHN folder, a packed file, a
    folder of pictures or an archive of them.

    Images are uint8 (channels, size, size). `channels` None is `native_channels(source)`; 3 repeats grey,
    1 turns colour to grey. With `labelled` the classes come along, see `labelled.open_classes`.
    `progress(done, of)` is called while files are read.

    Raises UsageError when there is no such folder, and for labels that it does not have; EdgeError when it
    holds nothing that can be read.
    """
    from dcgan_edge.data.dataset import gather

    channels = channels or native_channels(source)
    shape = (channels, size, size)
    if not labelled:
        return gather(_open(source, size, channels), shape, progress=progress)
    from dcgan_edge.data.labelled import open_classes

    images, classes = open_classes(source, size, channels)
    return gather(images, shape, labels=classes.labels, progress=progress)


def native_channels(source: str) -> int:
    """Return 1 for digits, IDX files, packed grey and folders of grey pictures (a few are read), else 3."""
    check_source(source)
    if source == DIGITS or is_idx_folder(Path(source)):
        return 1
    known = recognise(Path(source))
    return known.channels if known else folder_channels(Path(source))


def native_size(source: str) -> int:
    """Return 28 for digits and IDX files, the size of CIFAR-10, SVHN and packed files themselves, else 64.

    Raises UsageError as `check_source` does.
    """
    check_source(source)
    if source == DIGITS or is_idx_folder(Path(source)):
        return 28
    known = recognise(Path(source))
    return known.size if known else 64


def check_source(source: str) -> None:
    """Raise UsageError unless `source` is "digits", a folder, or a file that holds images: a packed one, IDX,
    or an archive of pictures. The message says what a file is instead, and what to do with it.
    """
    if not source.strip():
        raise UsageError("--data is empty, as an unset variable of a shell is. Give a folder, or 'digits'.")
    path = Path(source)
    if source == DIGITS:
        return
    if path.is_dir():
        if reason := pickled_cifar(path):
            raise UsageError(f"{shown(source)} {reason}")
        return
    if is_packed(path) or is_archive(path) or is_idx_folder(path):
        return
    if not os.path.lexists(path):
        raise UsageError(
            f"There is no folder {shown(source)}; --data takes a folder, or 'digits' for the bundled ones."
        )
    raise UsageError(f"{shown(source)} is {_kind(path)}; --data takes {TAKEN}.")


def _kind(path: Path) -> str:
    """What a file is that --data does not take."""
    if not path.is_file():
        return "neither a folder nor a regular file"
    if meaning := foreign.by_ending(path.name):
        return meaning
    try:
        with open(path, "rb") as file:
            return foreign.by_content(file.read(foreign.HEAD)) or "a file"
    except OSError as error:
        return f"a file that cannot be read ({error.strerror or error})"


def _open(source: str, size: int, channels: int) -> Source:
    check_source(source)
    path = Path(source)
    if source == DIGITS:
        return idx_images(load_digits()[0], size, channels)
    if is_idx_folder(path):
        return idx_images(load_idx(path)[0], size, channels)
    if known := recognise(path):
        return known.open(size, channels)
    return FolderImages(path, size, channels)
