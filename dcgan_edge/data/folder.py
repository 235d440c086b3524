"""A folder of pictures, searched recursively, as a source of images for `dataset`."""

from __future__ import annotations

import os
from pathlib import Path

from dcgan_edge.data.pixels import UnreadableImage, read_image, readable_suffixes
from dcgan_edge.errors import EdgeError
from dcgan_edge.images import PixelArray

SAMPLED = 16  # pictures that are looked at to tell grey from colour


class FolderImages:
    """The picture files under `root`, in the order of their names, read one at a time."""

    def __init__(self, root: Path, size: int, channels: int) -> None:
        self._root, self._size, self._channels = root, size, channels
        self._files = list_pictures(root)

    def __len__(self) -> int:
        return len(self._files)

    def name(self, index: int) -> str:
        return str(self._files[index].relative_to(self._root))

    def load(self, index: int) -> PixelArray:
        """Picture `index`, uint8 (channels, size, size). Raises UnreadableImage with the reason."""
        return read_image(self._files[index], self._size, self._channels)


def list_pictures(root: Path) -> list[Path]:
    """Files under `root` whose ending is a picture's, or that have none, sorted by path. Hidden files and
    folders are left out, and links to folders are not followed, as they may lead round in a circle.

    Raises EdgeError when there are none.
    """
    files: list[Path] = []
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        files.extend(Path(folder, name) for name in names if _may_be_picture(name))
    if not files:
        raise EdgeError(f"There are no pictures in {root}.")
    return sorted(files)


def _may_be_picture(name: str) -> bool:
    suffix = Path(name).suffix.lower()
    return not name.startswith(".") and (not suffix or suffix in readable_suffixes())


def folder_channels(root: Path) -> int:
    """1 when a few pictures spread over the folder are all grey to the last value, else 3."""
    files = list_pictures(root)
    for path in files[:: max(1, len(files) // SAMPLED)]:
        try:
            red, green, blue = read_image(path, 32, 3)
        except UnreadableImage:
            continue  # it is counted and named when the folder is read
        if (red != green).any() or (green != blue).any():
            return 3
    return 1
