"""What every kind of images is to `dataset`, `labelled` and `latent`: images loaded one at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from dcgan_edge.images import PixelArray

ReadProgress = Callable[[int, int], None]  # images read so far, of how many


class Source(Protocol):
    """Images of one shape that can be loaded one at a time, from any thread."""

    def __len__(self) -> int: ...
    def name(self, index: int) -> str: ...
    def load(self, index: int) -> PixelArray: ...  # uint8 (channels, size, size), or raises UnreadableImage
