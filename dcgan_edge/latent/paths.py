"""Ways through the latent space: between two latents, along a list of them, over the plane of three.

Normal latents lie near a sphere, which a straight line leaves, so they are turned rather than mixed.
Sources: Shoemake 1985, "Animating rotation with quaternion curves" (slerp); White 2016, "Sampling Generative
Networks", arXiv:1609.04468 (slerp for Gaussian latents).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from dcgan_edge.errors import UsageError
from dcgan_edge.latents import Distribution, FloatArray

NEARLY_PARALLEL = 1e-6  # sine of the angle below which the great circle is lost in rounding


def between(start: FloatArray, stop: FloatArray, t: float, distribution: Distribution) -> FloatArray:
    """Return the latent at `t` in [0, 1] on the way: `slerp` for normal latents, `lerp` for uniform ones."""
    return slerp(start, stop, t) if distribution == "normal" else lerp(start, stop, t)


def lerp(start: FloatArray, stop: FloatArray, t: float) -> FloatArray:
    """Return (1 - t) start + t stop, float32 of the shape of both; the ends are exact."""
    return _mixed(start, stop, 1.0 - t, t)


def slerp(start: FloatArray, stop: FloatArray, t: float) -> FloatArray:
    """Turn `start` into `stop` at constant speed; the length goes linearly from one's to the other's.

    The ends are exact. Latents that point the same way, and those of length 0, which point nowhere, are
    joined by a straight line. Opposite ones turn through a fixed direction square to them, for there is no
    shortest way round; in one dimension there is none at all, and the way is straight.
    """
    lengths = float(np.linalg.norm(start)), float(np.linalg.norm(stop))
    if min(lengths) == 0.0:
        return lerp(start, stop, t)
    one, other = start.astype(np.float64) / lengths[0], stop.astype(np.float64) / lengths[1]
    angle = 2.0 * math.atan2(float(np.linalg.norm(one - other)), float(np.linalg.norm(one + other)))
    if math.sin(angle) > NEARLY_PARALLEL:
        length = (1.0 - t) * lengths[0] + t * lengths[1]
        shares = math.sin((1.0 - t) * angle) / math.sin(angle), math.sin(t * angle) / math.sin(angle)
        return _mixed(start, stop, shares[0] * length / lengths[0], shares[1] * length / lengths[1])
    if angle < 1.0 or start.size == 1 or t in (0.0, 1.0):
        return lerp(start, stop, t)
    length = (1.0 - t) * lengths[0] + t * lengths[1]
    return np.asarray(
        length * (math.cos(math.pi * t) * one + math.sin(math.pi * t) * _square_to(one)), np.float32
    )


def walk(latents: FloatArray, steps: int, distribution: Distribution, *, loop: bool = False) -> FloatArray:
    """Turn (n, dim, 1, 1) into (segments, steps, dim, 1, 1): from each latent to the next, both ends in every
    segment.

    `loop` adds the way from the last one back to the first. Raises UsageError for fewer than two latents or
    steps.
    """
    if len(latents) < 2 or steps < 2:
        raise UsageError("A walk goes through at least two seeds, in at least two steps each.")
    stops = np.concatenate([latents[1:], latents[:1]])[: len(latents) - (not loop)]
    return np.stack(
        [
            np.stack([between(start, stop, step / (steps - 1), distribution) for step in range(steps)])
            for start, stop in zip(latents, stops, strict=False)
        ]
    )


def plane(corners: FloatArray, rows: int, columns: int, distribution: Distribution) -> FloatArray:
    """Turn (3, dim, 1, 1) into (rows * columns, dim, 1, 1), row by row: the plane through three latents.

    They are the top left, top right and bottom left corner; the bottom right is B + C - A. Normal latents are
    scaled to the length that is between those of the corners (geometrically), and so stay near their sphere.
    Raises UsageError unless there are three latents and at least 2 x 2 places.
    """
    if len(corners) != 3 or rows < 2 or columns < 2:
        raise UsageError("A plane goes through three seeds, and has at least 2 x 2 pictures.")
    down, across = np.meshgrid(np.linspace(0.0, 1.0, rows), np.linspace(0.0, 1.0, columns), indexing="ij")
    shares = np.stack([1.0 - across - down, across, down], axis=-1).reshape(-1, 3)
    flat = corners.reshape(3, -1).astype(np.float64)
    points = shares @ flat
    lengths = np.linalg.norm(flat, axis=1)
    if distribution == "normal" and lengths.min() > 0.0:
        found = np.linalg.norm(points, axis=1, keepdims=True)
        points *= np.exp(shares @ np.log(lengths))[:, None] / np.where(found == 0.0, 1.0, found)
    return points.astype(np.float32).reshape(-1, *corners.shape[1:])


def _mixed(start: FloatArray, stop: FloatArray, share: float, other: float) -> FloatArray:
    return np.asarray(share * start.astype(np.float64) + other * stop.astype(np.float64), np.float32)


def _square_to(direction: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """A unit vector square to the unit vector `direction`: the axis that it leans on least, straightened."""
    axis = np.zeros_like(direction)
    axis.flat[int(np.argmin(np.abs(direction)))] = 1.0
    axis -= float((axis * direction).sum()) * direction
    return axis / np.linalg.norm(axis)
