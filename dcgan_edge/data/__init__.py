"""Images to train on, as batches of uint8 tensors: the bundled digits, IDX files, what `known` recognises, or
any folder of pictures.

Sources (`idx`, `arrays`, `folder`) load one image; `dataset` turns one into ordered batches for `training`.
Only `dataset` needs torch, and is loaded when it is used.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dcgan_edge.data.digits import load_digits
from dcgan_edge.data.folder import FolderImages, folder_channels
from dcgan_edge.data.idx import IdxImages, is_idx_folder, load_idx
from dcgan_edge.data.known import recognise
from dcgan_edge.data.packed import is_packed
from dcgan_edge.data.source import ReadProgress, Source
from dcgan_edge.errors import UsageError

if TYPE_CHECKING:
    from dcgan_edge.data.dataset import Dataset

DIGITS = "digits"

__all__ = ["DIGITS", "check_source", "load_digits", "native_channels", "native_size", "open_data"]


def open_data(
    source: str, size: int, channels: int | None = None, *, progress: ReadProgress | None = None
) -> Dataset:
    """Return the training images of `source`: "digits", an IDX, CIFAR-10 or SVHN folder, a packed file, or a
    folder of pictures.

    Images are uint8 (channels, size, size). `channels` None is `native_channels(source)`; 3 repeats grey,
    1 turns colour to grey. `progress(done, of)` is called while files are read.

    Raises UsageError when there is no such folder, EdgeError when it holds nothing that can be read.
    """
    from dcgan_edge.data.dataset import gather

    channels = channels or native_channels(source)
    return gather(_open(source, size, channels), (channels, size, size), progress=progress)


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
    """Raise UsageError unless `source` is "digits", a folder or a packed file that exists."""
    path = Path(source)
    if source == DIGITS or path.is_dir() or is_packed(path):
        return
    if path.exists():
        raise UsageError(f"{source} is a file; --data takes a folder, a packed .npy file or 'digits'.")
    raise UsageError(f"There is no folder {source}; --data takes a folder, or 'digits' for the bundled ones.")


def _open(source: str, size: int, channels: int) -> Source:
    check_source(source)
    if source == DIGITS:
        return IdxImages(load_digits()[0], size, channels)
    if is_idx_folder(Path(source)):
        return IdxImages(load_idx(Path(source))[0], size, channels)
    if known := recognise(Path(source)):
        return known.open(size, channels)
    return FolderImages(Path(source), size, channels)
