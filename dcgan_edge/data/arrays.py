"""Images that lie in one array, in memory or mapped from a file, as a source for `dataset`."""

from __future__ import annotations

import numpy as np
from PIL import Image

from dcgan_edge.data.pixels import fit_image
from dcgan_edge.images import PixelArray


class ArrayImages:
    """Images uint8 (n, c, h, w), c 1 or 3: as they are where the shape is that asked for, else resized."""

    def __init__(self, images: PixelArray, size: int, channels: int) -> None:
        self._images, self._shape = images, (channels, size, size)

    def __len__(self) -> int:
        return len(self._images)

    def name(self, index: int) -> str:
        return f"image {index}"

    def load(self, index: int) -> PixelArray:
        """Image `index`, uint8 (channels, size, size)."""
        image = self._images[index]
        if image.shape == self._shape:
            return np.asarray(image)
        pixels = image[0] if len(image) == 1 else np.moveaxis(image, 0, -1)
        return fit_image(Image.fromarray(np.ascontiguousarray(pixels)), self._shape[1], self._shape[0])
