"""KID: the squared maximum mean discrepancy between two sets of features, with an interval.

The estimate is unbiased at any number of images, which FID is not. Sets are cut into subsets, so that no
kernel matrix is larger than subset x subset; every image is used.

The interval: images are drawn again with replacement, 200 times (Efron 1979). Pairs of an image with its own
copies are left out, as they are in the estimate, so that the repeats are unbiased too. The interval is the
estimate -/+ 1.96 standard deviations of the repeats. The same draws are made for each set of the same size,
so that the difference between two generators on the same seeds is paired. Where the sets are alike the
interval is too wide, never too narrow.

Source: Binkowski et al. 2018, "Demystifying MMD GANs", arXiv:1801.01401, section 4; Gretton et al. 2012, "A
kernel two-sample test", lemma 6.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dcgan_edge.errors import UsageError
from dcgan_edge.evaluation.distances import Doubles, Floats, Indices

SUBSET = 1000  # images
MOST_SUBSETS = 10  # of the larger set; more images are left out
RESAMPLES = 200
NORMAL_95 = 1.96  # standard deviations on each side that hold 95 % of a normal distribution


@dataclass(frozen=True)
class Kid:
    """The estimate, its 95 % interval, and the value on each resampling, for paired differences."""

    value: float
    low: float
    high: float
    repeats: Doubles

    def to_dict(self) -> dict[str, float]:
        """Return the estimate and its interval as JSON has them."""
        return {"value": self.value, "low": self.low, "high": self.high}

    def minus(self, other: Kid) -> Kid:
        """Return the difference to `other`, measured on the same seeds and against the same images."""
        return _with_interval(self.value - other.value, self.repeats - other.repeats)


def kid(generated: Floats, real: Floats, *, subset: int = SUBSET, resamples: int = RESAMPLES) -> Kid:
    """Return the unbiased MMD^2 of features (n, d) and (m, d) under the kernel (x.y / d + 1)^3; 0 for equal
    distributions, and then as often below 0 as above. Random choices are the same in each call.

    Raises UsageError for fewer than two images on either side.
    """
    if min(len(generated), len(real)) < 2:
        raise UsageError("KID takes at least two images on either side.")
    left, right = (_subsets(features, subset, stream) for stream, features in enumerate((generated, real)))
    draws = [
        [_multiplicities(len(part), resamples, stream, number) for number, part in enumerate(parts)]
        for stream, parts in enumerate((left, right))
    ]
    within = [
        [_within(part, times) for part, times in zip(parts, drawn, strict=True)]
        for parts, drawn in zip((left, right), draws, strict=True)
    ]
    # The shorter list of subsets is gone through several times.
    pairs = itertools.islice(
        zip(itertools.cycle(range(len(left))), itertools.cycle(range(len(right))), strict=False),
        max(len(left), len(right)),
    )
    values = [
        within[0][i] + within[1][j] - 2.0 * _between(left[i], right[j], draws[0][i], draws[1][j])
        for i, j in pairs
    ]
    value, *repeats = np.mean(values, axis=0)
    return _with_interval(float(value), np.array(repeats))


def _with_interval(value: float, repeats: Doubles) -> Kid:
    half = NORMAL_95 * float(repeats.std(ddof=1))
    return Kid(value, value - half, value + half, repeats)


def _subsets(features: Floats, size: int, stream: int) -> list[Doubles]:
    """`features` in a fixed random order, in equal parts of at most `size`."""
    order = np.argsort(_words(len(features), stream, 0), kind="stable")[: MOST_SUBSETS * size]
    parts = math.ceil(len(order) / size)
    return [features[chosen].astype(np.float64) for chosen in np.array_split(order, parts)]


def _multiplicities(count: int, resamples: int, stream: int, subset: int) -> Doubles:
    """How often each of `count` images is drawn (count, 1 + resamples); column 0 is every image once."""
    chosen = (_words(count * resamples, stream, 1 + subset) % np.uint64(count)).astype(np.int64)
    columns = np.arange(resamples, dtype=np.int64).repeat(count)
    drawn: Indices = np.bincount(chosen * resamples + columns, minlength=count * resamples)
    return np.hstack([np.ones((count, 1)), drawn.reshape(count, resamples)])


def _words(count: int, stream: int, number: int) -> npt.NDArray[np.uint64]:
    """Random words that NumPy keeps the same in all its versions."""
    return np.random.Philox(key=stream + (number << 64)).random_raw(count)


def _kernel(one: Doubles, other: Doubles) -> Doubles:
    values: Doubles = (one @ other.T / one.shape[1] + 1.0) ** 3
    return values


def _within(part: Doubles, times: Doubles) -> Doubles:
    """The mean kernel value over pairs of different images, each image taken `times` (n, r) times: (r,)."""
    values = _kernel(part, part)
    np.fill_diagonal(values, 0.0)
    pairs = times.sum(0) ** 2 - (times**2).sum(0)
    mean: Doubles = (times * (values @ times)).sum(0) / pairs
    return mean


def _between(one: Doubles, other: Doubles, times: Doubles, others: Doubles) -> Doubles:
    total = (times * (_kernel(one, other) @ others)).sum(0)
    mean: Doubles = total / (times.sum(0) * others.sum(0))
    return mean
