"""Generated pixels into the hole of an image: as they are, or with their gradients only.

The known pixels are never touched. Source of the second way: Perez, Gangnet and Blake 2003, "Poisson Image
Editing"; Yeh et al., arXiv:1607.07539, blend like this after inversion.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dcgan_edge.errors import UnavailableError
from dcgan_edge.latent.masks import BoolArray
from dcgan_edge.latents import FloatArray


def overlay(images: FloatArray, generated: FloatArray, known: BoolArray) -> FloatArray:
    """Return `images` (n, c, h, w) where `known` (h, w), else `generated`."""
    return np.where(known, images, generated)


def poisson(images: FloatArray, generated: FloatArray, known: BoolArray) -> FloatArray:
    """Return `images` where `known`; in the hole what has the gradients of `generated` and meets the known
    pixels.

    The difference between the two on the rim of the hole is spread into it harmonically (the Laplace equation
    on the four neighbours, mirrored at the image's border). The result is clipped to [-1, 1].

    Raises UnavailableError without scipy.
    """
    try:
        from scipy import sparse
        from scipy.sparse.linalg import splu
    except ImportError as error:
        raise UnavailableError(
            "Poisson blending needs scipy, which is not installed: pip install 'dcgan-edge[restore]'"
        ) from error
    hole = np.flatnonzero(~known)
    own, other = _neighbours(known)
    # A row of the Laplacian: the pixel's number of neighbours on the diagonal, -1 for each of them.
    all_pixels = np.arange(known.size)
    degrees = np.bincount(own, minlength=known.size).astype(np.float64)
    values = np.concatenate([degrees, np.full(len(own), -1.0)])
    places = np.concatenate([all_pixels, own]), np.concatenate([all_pixels, other])
    laplacian = sparse.csr_array((values, places), shape=(known.size, known.size))
    inner, rim = laplacian[hole][:, hole], laplacian[hole][:, np.flatnonzero(known)]
    gap = (images - generated).reshape(-1, known.size).astype(np.float64)  # (n * c, h * w)
    spread = splu(sparse.csc_array(inner)).solve(-(rim @ gap[:, known.ravel()].T))
    filled = generated.reshape(-1, known.size).astype(np.float64)
    filled[:, hole] += spread.T
    return overlay(images, np.clip(filled, -1.0, 1.0).astype(np.float32).reshape(images.shape), known)


def _neighbours(known: BoolArray) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Flat indices of all ordered pairs of pixels that share a side."""
    index = np.arange(known.size).reshape(known.shape)
    down, right = (index[:-1].ravel(), index[1:].ravel()), (index[:, :-1].ravel(), index[:, 1:].ravel())
    return (
        np.concatenate([down[0], down[1], right[0], right[1]]),
        np.concatenate([down[1], down[0], right[1], right[0]]),
    )
