"""A folder of pictures, searched recursively, or an archive of them, as a source of images for `dataset`."""

from __future__ import annotations

import hashlib
import logging
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

from dcgan_edge.data import foreign
from dcgan_edge.data.pixels import UnreadableImage, read_image, readable_suffixes
from dcgan_edge.errors import EdgeError
from dcgan_edge.images import PixelArray
from dcgan_edge.names import shown
from dcgan_edge.walk import Omitted, named, walk

SAMPLED = 16  # pictures that are read to tell grey from colour
RUN_FILES = ("metrics.jsonl", "checkpoint.safetensors")  # what a folder has that a training writes to

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PictureFile:
    """A picture of a folder or an archive: its `name` there, `facts` that change with it, and how to open it.

    `stamp` changes whenever the file is written, even if its content stays the same.
    """

    name: str
    size: int
    stamp: int
    open: Callable[[], BinaryIO]


@dataclass(frozen=True)
class Listing:
    """The pictures of `place` sorted by name, and what lies there besides them."""

    place: Path
    files: tuple[PictureFile, ...]
    omitted: tuple[Omitted, ...]

    @property
    def digest(self) -> str:
        """SHA-256 over the names and sizes of the pictures, wherever they lie now."""
        digest = hashlib.sha256()
        for file in self.files:
            digest.update(os.fsencode(file.name) + b"\0%d\0" % file.size)
        return digest.hexdigest()


class FolderImages:
    """The pictures in a folder or an archive, in the order of their names, read one at a time.

    `omitted` are the other entries; `animated` collects the names of pictures whose first frame was taken.
    """

    def __init__(self, root: Path, size: int, channels: int, *, listing: Listing | None = None) -> None:
        self.listing = listing or list_pictures(root)
        self.omitted = [str(entry) for entry in self.listing.omitted]
        self.animated: set[str] = set()
        self._size, self._channels, self._lock = size, channels, threading.Lock()

    def __len__(self) -> int:
        return len(self.listing.files)

    def name(self, index: int) -> str:
        """Return the name of picture `index` below the folder, fit to be shown."""
        return shown(self.listing.files[index].name)

    def load(self, index: int) -> PixelArray:
        """Return picture `index`, uint8 (channels, size, size). Raises UnreadableImage with the reason."""
        return read_image(
            self.listing.files[index].open,
            self._size,
            self._channels,
            animated=lambda: self._note_animated(index),
        )

    def digest(self) -> str:
        """Return what identifies the content, as `Source` says."""
        return self.listing.digest

    def _note_animated(self, index: int) -> None:
        with self._lock:
            first = not self.animated
            self.animated.add(self.name(index))
        if first:
            log.warning("%s is animated; the first frame of such pictures is taken.", self.name(index))


def list_pictures(place: Path) -> Listing:
    """Return the pictures in the folder or archive `place`: files whose ending is a picture's, or that have
    none. Links are followed, see `dcgan_edge.walk`; what a training run wrote there is left out.

    Raises EdgeError when there are none, naming what there is instead.
    """
    if not place.is_dir():
        from dcgan_edge.data.archive import list_archive

        listing = list_archive(place)
    else:
        found = walk(place, refuse=not_by_name, refuse_folder=_of_a_run)
        files = tuple(
            PictureFile(file.name, file.size, file.modified, partial(_open, file.path))
            for file in found.files
        )
        listing = Listing(place, files, found.omitted)
    if not listing.files:
        others = f" Left out: {named(listing.omitted)}." if listing.omitted else ""
        raise EdgeError(f"There are no pictures in {shown(place)}.{others}")
    return listing


def not_by_name(name: str) -> str:
    """Return why a file called `name` is not read as a picture, "" if it is."""
    suffix = Path(name).suffix.lower()
    if not suffix or suffix in readable_suffixes():
        return ""
    return foreign.by_ending(name) or foreign.NOT_BY_ENDING


def folder_channels(place: Path) -> int:
    """Return 1 when a few pictures spread over the folder or archive are grey to the last value, else 3."""
    files = list_pictures(place).files
    for file in files[:: max(1, len(files) // SAMPLED)]:
        try:
            red, green, blue = read_image(file.open, 32, 3)
        except UnreadableImage:
            continue  # it is counted and named when the folder is read
        if (red != green).any() or (green != blue).any():
            return 3
    return 1


def _of_a_run(folder: Path) -> str:
    """Why `folder` is left out as the work of a training: a run, or the sample images of one."""
    runs = (folder, folder.parent) if folder.name == "samples" else (folder,)
    written = any((run / name).is_file() for run in runs for name in RUN_FILES)
    return "a folder that a training writes to" if written else ""


def _open(path: Path) -> BinaryIO:
    return open(path, "rb")
