"""Images that lie in one array, in memory or mapped from a file, as a source for `dataset`."""

from __future__ import annotations

import hashlib

import numpy as np
from PIL import Image

from dcgan_edge.data.pixels import fit_image
from dcgan_edge.images import PixelArray

FRAME = 4  # pixels in all; up to here (28 -> 32) a frame is kinder than interpolation


class ArrayImages:
    """Images uint8 (n, c, h, w), c 1 or 3: as they are where the shape is that asked for, else resized.

    `sha256` is that of the file they are mapped from; without it their bytes are read for `digest`. With
    `framed`, square images a little smaller than asked for are put in the middle of a black one, as is usual
    for MNIST.
    """

    omitted: tuple[str, ...] = ()

    def __init__(
        self,
        images: PixelArray,
        size: int,
        channels: int,
        *,
        sha256: str | None = None,
        framed: bool = False,
    ) -> None:
        self._images, self._shape = images, (channels, size, size)
        self._sha256, self._framed = sha256, framed

    def __len__(self) -> int:
        return len(self._images)

    def name(self, index: int) -> str:
        """Return what image `index` is called in messages."""
        return f"image {index}"

    def load(self, index: int) -> PixelArray:
        """Return image `index`, uint8 (channels, size, size)."""
        image = self._images[index]
        if image.shape == self._shape:
            return np.asarray(image)
        channels, size, _ = self._shape
        _, height, width = image.shape
        if self._framed and height == width and 0 <= size - height <= FRAME:
            before, after = (size - height) // 2, (size - height + 1) // 2
            framed = np.pad(image, ((0, 0), (before, after), (before, after)))
            return np.broadcast_to(framed, self._shape)
        pixels = image[0] if len(image) == 1 else np.moveaxis(image, 0, -1)
        return fit_image(Image.fromarray(np.ascontiguousarray(pixels)), size, channels)

    def digest(self) -> str:
        """Return the SHA-256 of the images, or of the file they are mapped from."""
        if self._sha256 is None:
            self._sha256 = hashlib.sha256(np.ascontiguousarray(self._images).data).hexdigest()
        return self._sha256
