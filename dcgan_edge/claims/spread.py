"""Whether a difference between two kinds of training run is more than the luck of their seeds."""

from __future__ import annotations

import statistics
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

from dcgan_edge.errors import UsageError

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Spread:
    """One figure over several runs. `sd` is the standard deviation between runs, None for a single one."""

    mean: float
    sd: float | None
    values: tuple[float, ...]


@dataclass(frozen=True)
class Gap:
    """The difference of two means with its 95 % interval; `exceeds_spread` where that leaves out 0."""

    difference: float
    low: float
    high: float
    exceeds_spread: bool


def spread(values: Sequence[float]) -> Spread:
    """Return mean and standard deviation of `values`. Raises UsageError when there are none."""
    if not values:
        raise UsageError("There is no mean of no runs.")
    sd = statistics.stdev(values) if len(values) > 1 else None
    return Spread(statistics.fmean(values), sd, tuple(values))


def gap(one: Spread, other: Spread) -> Gap | None:
    """Return `one` less `other` with Welch's interval, which lets their spreads differ; None for single runs.

    Source: Welch 1947, "The generalization of Student's problem when several different population variances
    are involved", as scipy.stats computes it.
    """
    from scipy import stats

    if one.sd is None or other.sd is None:
        return None
    difference = one.mean - other.mean
    if one.sd == other.sd == 0.0:
        return Gap(difference, difference, difference, difference != 0.0)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Precision loss", RuntimeWarning)  # runs of one kind are all equal
        test = stats.ttest_ind(one.values, other.values, equal_var=False)
        low, high = map(float, test.confidence_interval(CONFIDENCE))
    return Gap(difference, low, high, not low <= 0.0 <= high)
