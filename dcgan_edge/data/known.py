"""Data sets that are recognised by their files: CIFAR-10, SVHN and packed images.

`dcgan_edge.data` asks here first; IDX files and folders of pictures are its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dcgan_edge.data.arrays import ArrayImages
from dcgan_edge.data.cifar import find_cifar10, load_cifar10
from dcgan_edge.data.packed import is_packed, open_packed, packed_facts
from dcgan_edge.data.svhn import is_svhn_folder, load_svhn
from dcgan_edge.images import PixelArray


@dataclass(frozen=True)
class Known:
    """A recognised data set: its own `channels` and `size`, and its training images, uint8 (n, c, h, w)."""

    channels: int
    size: int
    images: Callable[[], PixelArray]
    sha256: str | None = None  # of the file, where it is known

    def open(self, size: int, channels: int) -> ArrayImages:
        """Return its images as a source, at the size and with the channels asked for."""
        return ArrayImages(self.images(), size, channels, sha256=self.sha256)


def recognise(path: Path) -> Known | None:
    """Return the data set at `path`, or None when it is none of these.

    Raises ArtifactError for a packed file whose description is missing or damaged.
    """
    if is_packed(path):
        facts = packed_facts(path)
        return Known(facts.channels, facts.size, lambda: open_packed(path), facts.sha256)
    if find_cifar10(path):
        return Known(3, 32, lambda: load_cifar10(path)[0])
    if is_svhn_folder(path):
        return Known(3, 32, lambda: load_svhn(path)[0])
    return None
