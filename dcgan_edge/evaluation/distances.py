"""Euclidean distances between the rows of two arrays, in float64, in pieces that fit into a small memory."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from dcgan_edge.errors import UsageError

Floats = npt.NDArray[np.floating]
Doubles = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]
ROWS = 500  # of the first array at a time


def distance_blocks(one: Floats, other: Floats) -> Iterator[tuple[int, Doubles]]:
    """Yield (first row, distances (rows, m)) from the rows of `one` (n, d) to those of `other` (m, d).

    A distance below about 1e-7 of the vectors' lengths is rounding, and not told from 0.
    """
    right = other.astype(np.float64)
    squares = (right**2).sum(1)
    for start in range(0, len(one), ROWS):
        left = one[start : start + ROWS].astype(np.float64)
        squared = (left**2).sum(1)[:, None] + squares - 2.0 * (left @ right.T)
        yield start, np.sqrt(np.maximum(squared, 0.0))


def nearest(one: Floats, other: Floats) -> tuple[Indices, Doubles]:
    """For each row of `one`: the index of the nearest row of `other`, and the distance."""
    if not len(other):
        raise UsageError("There is nothing to be near to.")
    found = [(block.argmin(1), block.min(1)) for _, block in distance_blocks(one, other)]
    return np.concatenate([rows for rows, _ in found]), np.concatenate([near for _, near in found])


def to_neighbour(points: Floats, k: int = 1) -> Doubles:
    """The distance (n,) of each row of `points` (n, d) to its `k`-th nearest other row.

    Raises UsageError when there are not more than `k` rows.
    """
    if len(points) <= k:
        raise UsageError(f"{len(points)} images are too few: each needs {k} others.")
    found = np.empty(len(points))
    for start, block in distance_blocks(points, points):
        rows = np.arange(len(block))
        block[rows, start + rows] = np.inf  # itself
        found[start : start + len(block)] = np.partition(block, k - 1, axis=1)[:, k - 1]
    return found
