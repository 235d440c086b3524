"""Is a difference between two kinds of training run more than the luck of their seeds."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from dcgan_edge.errors import UsageError

# 97.5 % quantiles of Student's t for 1 to 30 degrees of freedom; more are taken for 30, which is cautious.
STUDENT_95 = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
    2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip


@dataclass(frozen=True)
class Spread:
    """One figure over several runs. `sd` is the standard deviation between runs, None for a single one."""

    mean: float
    sd: float | None
    values: tuple[float, ...]


@dataclass(frozen=True)
class Gap:
    """The difference of two means with its 95 % interval. `exceeds_spread` when the interval leaves out 0."""

    difference: float
    low: float
    high: float
    exceeds_spread: bool


def spread(values: Sequence[float]) -> Spread:
    """Raises UsageError when there are no values."""
    if not values:
        raise UsageError("There is no mean of no runs.")
    sd = statistics.stdev(values) if len(values) > 1 else None
    return Spread(statistics.fmean(values), sd, tuple(values))


def gap(one: Spread, other: Spread) -> Gap | None:
    """`one` less `other` by Welch's interval, which lets their spreads differ; None for single runs.

    Source: Welch 1947, "The generalization of Student's problem when several different population variances
    are involved". Degrees of freedom are rounded down.
    """
    if one.sd is None or other.sd is None:
        return None
    difference = one.mean - other.mean
    shares = [found.sd**2 / len(found.values) for found in (one, other) if found.sd is not None]
    variance = sum(shares)
    if variance == 0.0:
        return Gap(difference, difference, difference, difference != 0.0)
    degrees = [len(found.values) - 1 for found in (one, other)]
    freedom = variance**2 / sum(share**2 / degree for share, degree in zip(shares, degrees, strict=True))
    half = STUDENT_95[min(int(freedom), len(STUDENT_95)) - 1] * math.sqrt(variance)
    return Gap(difference, difference - half, difference + half, abs(difference) > half)
