"""How clean images are: what a median filter would take away. Needs no network."""

from __future__ import annotations

import numpy as np

from dcgan_edge.images import PixelArray

WINDOW = 3  # pixels


def speckle(pixels: PixelArray) -> float:
    """Return the mean difference in grey levels between images (n, c, h, w) and their 3 x 3 median.

    Lone pixels count in full, edges hardly. Compare with real images, which have some: more is noise, less is
    blur.
    """
    windows = np.lib.stride_tricks.sliding_window_view(pixels, (WINDOW, WINDOW), axis=(2, 3))
    middle = WINDOW**2 // 2
    total = 0.0
    for window in windows:  # one image at a time: nine copies of all would be large
        flat = window.reshape(*window.shape[:-2], -1)
        median = np.partition(flat, middle, axis=-1)[..., middle]
        total += float(np.abs(flat[..., middle].astype(np.int16) - median).mean())
    return total / len(pixels)
