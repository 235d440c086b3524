"""Directions of the latent space along which images change most, found from images alone.

After GANSpace (Härkönen et al. 2020, arXiv:2004.02546): the principal components of what a generator makes,
and by regression the latents that move along them. There they are of a layer's activations; here of the
images themselves, so that any artifact on any device has directions, without weights and without gradients.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from dcgan_edge.latents import FloatArray

SAMPLES = 512  # images; several for each component of a usual latent
COUNT = 6


def find_directions(
    latents: FloatArray, images: npt.NDArray[np.uint8], classes: Sequence[int], count: int = COUNT
) -> FloatArray:
    """Return up to `count` directions, float32 (k, latent_dim), unit vectors square to each other.

    `latents` (n, latent_dim) have made `images` (n, size, size, channels), each in its number of `classes`:
    what a class looks like is taken off first. The first direction changes the images most; the component
    that is largest in a direction is positive. A generator that always makes the same image has none.
    """
    values = images.reshape(len(images), -1).astype(np.float32)
    numbers = np.asarray(classes)
    for number in np.unique(numbers):
        values[numbers == number] -= values[numbers == number].mean(axis=0)
    spread, scores = np.linalg.eigh((values @ values.T).astype(np.float64))  # rising
    wanted = min(count, latents.shape[1], int(np.sum(spread > 1e-9 * max(float(spread[-1]), 1.0))))
    if wanted == 0:
        return np.zeros((0, latents.shape[1]), np.float32)
    centred = latents.astype(np.float64) - latents.mean(axis=0)
    found, _ = np.linalg.qr(centred.T @ scores[:, ::-1][:, :wanted])
    largest = np.take_along_axis(found, np.abs(found).argmax(axis=0)[None], 0)
    return np.asarray((found * np.where(largest < 0, -1.0, 1.0)).T, np.float32)
