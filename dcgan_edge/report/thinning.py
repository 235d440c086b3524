"""Long series made short enough to be drawn, such that no extreme is lost."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

LEVELS = 512  # of a distribution: less than half a pixel of the chart's height
ENDS = 64  # samples at either end of a distribution, drawn one by one
Numbers = npt.NDArray[np.float64]
Ranks = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Stretches:
    """Mean position, and smallest, median and largest value, of stretches of a series."""

    position: Numbers
    low: Numbers
    middle: Numbers
    high: Numbers


def stretches(x: Numbers, y: Numbers, most: int) -> Stretches:
    """Cut a series of one sample or more into up to `most` stretches of equally many samples."""
    edges = np.linspace(0, len(y), min(most, len(y)) + 1).astype(int)
    low, high = (function.reduceat(y, edges[:-1]) for function in (np.minimum, np.maximum))
    middle = [float(np.median(y[start:stop])) for start, stop in itertools.pairwise(edges)]
    mean = np.add.reduceat(x, edges[:-1]) / np.diff(edges)
    return Stretches(mean, low, np.array(middle), high)


def picked_ranks(count: int, levels: int = LEVELS, ends: int = ENDS) -> Ranks:
    """Ranks (from 0) of `count` ordered samples: `levels` evenly spread, and `ends` at either end."""
    ranks = np.arange(count)
    spread = np.linspace(0, count - 1, levels).astype(int)
    return np.unique(np.concatenate([spread, ranks[:ends], ranks[count - min(ends, count) :]]))


def cumulative(ordered: Numbers) -> tuple[Numbers, Numbers]:
    """Steps of the distribution of rising samples, from 0 %: (values, percent of samples up to them)."""
    ranks = picked_ranks(len(ordered))
    percent = 100 * (ranks + 1) / len(ordered)
    return np.concatenate([ordered[:1], ordered[ranks]]), np.concatenate([[0.0], percent])
