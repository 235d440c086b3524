"""The seed contract: one integer is one latent, the same on every machine, library and batch size.

Latent of seed s: the raw stream of Philox4x64-10 with key (s, 0) (NumPy's `Philox(key=s)`); each 64-bit
word u becomes v = ((u >> 11) + 0.5) * 2**-53, strictly inside (0, 1); `uniform` is 2v - 1, `normal` is
Box-Muller on consecutive pairs. All arithmetic is float64, rounded to float32 at the end.

Logarithm, sine and cosine are computed here from + - * / and sqrt alone, which IEEE 754 rounds the same
everywhere. NumPy's own differ in the last bit between processors, and that bit can reach the float32.

Sources: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"; Box and Muller 1958.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from dcgan_edge.errors import UsageError
from dcgan_edge.seeds import MAX_SEED

FloatArray = npt.NDArray[np.float32]
Distribution = Literal["normal", "uniform"]
LN2 = 0.6931471805599453


def latents(seeds: Iterable[int], dim: int, distribution: Distribution = "normal") -> FloatArray:
    """Return the latents of `seeds`, float32 of shape (len(seeds), dim, 1, 1), row i for the i-th seed.

    `normal` draws from N(0, 1), `uniform` from U(-1, 1). A row depends on its seed, `dim` (as a prefix: the
    latent of a smaller `dim` is the start of a larger one's) and `distribution`, and on nothing else.

    Raises UsageError for a seed outside 0..2**64-1 or a `dim` below 1.
    """
    if dim < 1:
        raise UsageError(f"A latent has at least one component, not {dim}.")
    words = [_words(seed, dim + dim % 2) for seed in seeds]
    if not words:
        return np.empty((0, dim, 1, 1), np.float32)
    unit = ((np.stack(words) >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
    values = 2.0 * unit - 1.0 if distribution == "uniform" else _box_muller(unit)
    return values[:, :dim].astype(np.float32).reshape(-1, dim, 1, 1)


def _words(seed: int, count: int) -> npt.NDArray[np.uint64]:
    if not 0 <= seed <= MAX_SEED:
        raise UsageError(f"A seed is a whole number from 0 to 2**64-1, not {seed}.")
    return np.random.Philox(key=seed).random_raw(count)


def _box_muller(unit: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """(n, 2k) uniforms in (0, 1) -> (n, 2k) normals; columns 2j and 2j+1 come from each other."""
    radius = np.sqrt(-2.0 * _log(unit[:, 0::2]))
    cosine, sine = _cos_sin(unit[:, 1::2])
    normal = np.empty_like(unit)
    normal[:, 0::2] = radius * cosine
    normal[:, 1::2] = radius * sine
    return normal


def _log(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Natural logarithm for 0 < x < 1: x = m * 2**e with m near 1, log m = 2 artanh((m-1)/(m+1))."""
    mantissa, exponent = np.frexp(x)
    low = mantissa < math.sqrt(0.5)
    mantissa = np.where(low, 2.0 * mantissa, mantissa)
    exponent = np.where(low, exponent - 1, exponent)
    s = (mantissa - 1.0) / (mantissa + 1.0)  # |s| <= 0.172, so 12 terms of the series reach 1e-19
    return exponent * LN2 + 2.0 * s * _series(s * s, [1.0 / (2 * k + 1) for k in range(12)])


def _cos_sin(revolutions: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return cos and sin of 2*pi*revolutions; whole quarters are taken off first, |angle| <= pi/4 is left."""
    quarters = np.rint(4.0 * revolutions)
    angle = (2.0 * math.pi) * (revolutions - 0.25 * quarters)
    square = angle * angle
    cosine = _series(square, [(-1.0) ** k / math.factorial(2 * k) for k in range(10)])
    sine = angle * _series(square, [(-1.0) ** k / math.factorial(2 * k + 1) for k in range(9)])
    quadrant = quarters.astype(np.int64) % 4
    return (
        np.choose(quadrant, [cosine, -sine, -cosine, sine]),
        np.choose(quadrant, [sine, cosine, -sine, -cosine]),
    )


def _series(x: npt.NDArray[np.float64], coefficients: list[float]) -> npt.NDArray[np.float64]:
    """Horner's scheme, constant coefficient first."""
    total = np.full_like(x, coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        total = total * x + coefficient
    return total


def as_latents(values: npt.NDArray[np.floating[Any]], latent_dim: int) -> FloatArray:
    """Return `values` as contiguous float32 of shape (batch, latent_dim, 1, 1); other float types are cast.

    Raises UsageError for another shape or a type that is not floating point.
    """
    given = np.asarray(values)
    if given.shape[1:] != (latent_dim, 1, 1) or given.dtype.kind != "f":
        raise UsageError(
            f"Latents are floats of shape (batch, {latent_dim}, 1, 1), "
            f"not {given.dtype} of shape {given.shape}."
        )
    return np.ascontiguousarray(given, np.float32)
