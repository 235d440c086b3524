"""Euclidean distances between the rows of two arrays, in float64, in pieces that fit into a small memory."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from dcgan_edge.errors import UsageError

Floats = npt.NDArray[np.floating]
Doubles = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]
ROWS = 1000  # of either array that are float64 at a time, fewer where rows are long
PIECE = 2**22  # numbers of a piece, 32 MiB


def pieces(rows: npt.NDArray[np.generic]) -> Iterator[tuple[int, Doubles]]:
    """Yield (first row, piece (k, d) in float64) of an array (n, ...), whose other axes are joined."""
    width = max(1, int(np.prod(rows.shape[1:])))
    step = max(1, min(ROWS, PIECE // width))
    for start in range(0, len(rows), step):
        piece = rows[start : start + step]
        yield start, piece.reshape(len(piece), -1).astype(np.float64)


def distances(left: Doubles, right: Doubles) -> Doubles:
    """Return the distances (n, m) of the rows of `left` (n, d) to those of `right` (m, d).

    A distance below about 1e-7 of the vectors' lengths is rounding, and not told from 0.
    """
    squared = (left**2).sum(1)[:, None] + (right**2).sum(1) - 2.0 * (left @ right.T)
    found: Doubles = np.sqrt(np.maximum(squared, 0.0))
    return found


def distance_blocks(one: Floats, other: Floats) -> Iterator[tuple[int, Doubles]]:
    """Yield (first row, distances (rows, m)) from the rows of `one` (n, d) to all those of `other` (m, d)."""
    for start, left in pieces(one):
        block = np.empty((len(left), len(other)))
        for column, right in pieces(other):
            block[:, column : column + len(right)] = distances(left, right)
        yield start, block


def to_neighbour(points: Floats, k: int = 1) -> Doubles:
    """Return the distance (n,) of each row of `points` (n, d) to its `k`-th nearest other row.

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
