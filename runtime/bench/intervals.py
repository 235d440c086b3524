"""Intervals at CONFIDENCE of figures that were taken in rounds, and of the difference of two runs.

The unit is the round, not the query: queries of one round share its luck, so thousands of them are no
evidence against ten rounds. With several processes the unit is the process, for the same reason: the layout
of memory is drawn once for each, and no number of rounds averages it out.

Sources: Kalibera and Jones 2013, "Rigorous benchmarking in reasonable time", section 6 (the interval comes
from the means of the highest level that was repeated); Welch 1947; Abramowitz and Stegun, 26.7.5.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

from .statistics import CONFIDENCE, interval_ranks

LEAST_UNITS = 5  # rounds of a run, or processes; `t_quantile` is good from 4 degrees of freedom
LARGEST_LOG = 700.0  # a float holds e to the power of 709


@dataclass(frozen=True)
class Estimate:
    """A positive figure with its interval; `low` 0 and `high` infinite are no bounds."""

    value: float
    low: float
    high: float

    @property
    def bounded(self) -> bool:
        """Return whether both ends are known."""
        return self.low > 0 and math.isfinite(self.high)

    @property
    def width(self) -> float:
        """Return the length of the interval as a share of the figure; infinite where an end is unknown."""
        return (self.high - self.low) / self.value if self.bounded else math.inf

    def inverse(self) -> Estimate:
        """Return the estimate of one over the figure."""
        return Estimate(1 / self.value, 1 / self.high, 1 / self.low if self.low else math.inf)


def estimate(values: Sequence[float], processes: Sequence[int] = ()) -> Estimate:
    """Return the estimate of a figure from its positive `values`, one a round.

    `processes` says which process took each round; empty, one took all. Of one process it is the median, with
    an interval that assumes no distribution, unbounded below 8 rounds. Of several it is the geometric mean of
    their medians, with Student's interval over the processes, unbounded below LEAST_UNITS of them.
    """
    if len(set(processes)) <= 1:
        ordered = sorted(values)
        low, high = interval_ranks(len(ordered), 50, CONFIDENCE)
        return Estimate(
            statistics.median(ordered),
            ordered[low - 1] if low >= 1 else 0.0,
            ordered[high - 1] if high <= len(ordered) else math.inf,
        )
    logs = [math.log(value) for value in units(values, processes)]
    return geometric(statistics.fmean(logs), student_half_width(logs))


def geometric(centre: float, half: float) -> Estimate:
    """Return the estimate whose logarithm is `centre`, with an interval of `half` on both sides."""
    low, high = centre - half, centre + half
    return Estimate(math.exp(centre), math.exp(low), math.exp(high) if high < LARGEST_LOG else math.inf)


def units(values: Sequence[float], processes: Sequence[int] = ()) -> list[float]:
    """Return what is independent of each other: the `values` of one process, else the median of each."""
    if len(set(processes)) <= 1:
        return list(values)
    groups: dict[int, list[float]] = {}
    for process, value in zip(processes, values, strict=True):
        groups.setdefault(process, []).append(value)
    return [statistics.median(group) for group in groups.values()]


def student_half_width(values: Sequence[float]) -> float:
    """Return half of Student's interval for the mean of `values`; infinite below LEAST_UNITS."""
    if len(values) < LEAST_UNITS:
        return math.inf
    error = math.sqrt(statistics.variance(values) / len(values))
    return t_quantile(_upper(), len(values) - 1) * error


def welch_half_width(first: Sequence[float], second: Sequence[float]) -> float:
    """Return half of Welch's interval for the difference of two means; infinite below LEAST_UNITS."""
    if min(len(first), len(second)) < LEAST_UNITS:
        return math.inf
    parts = [statistics.variance(each) / len(each) for each in (first, second)]
    error = sum(parts)
    if error == 0:
        return 0.0
    freedom = error**2 / sum(
        part**2 / (len(each) - 1) for part, each in zip(parts, (first, second), strict=True)
    )
    return t_quantile(_upper(), freedom) * math.sqrt(error)


def t_quantile(probability: float, freedom: float) -> float:
    """Return a quantile of Student's t, by an expansion that is good to 2 % from 4 degrees of freedom."""
    z = NormalDist().inv_cdf(probability)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    fourth = (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160
    return z + first / freedom + second / freedom**2 + third / freedom**3 + fourth / freedom**4


def _upper() -> float:
    return 1 - (1 - CONFIDENCE) / 2
