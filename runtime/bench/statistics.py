"""Statistics of latency samples, by the rules that trtexec uses, so that figures can be set side by side.

Nothing is clipped: every sample counts. Percentiles come with an interval that needs no assumption on the
distribution, only that samples are drawn alike. Source: TensorRT samples/common (percentile and CV);
Efron 1979, "Bootstrap methods", section 3 (the bootstrap of an order statistic in closed form).
"""

from __future__ import annotations

import functools
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

ENOUGH_FOR_P99 = 662  # queries after which MLPerf's early stopping lets a p99 pass
DEFAULT_PERCENTILES = (50.0, 90.0, 95.0, 99.0, 99.9)
CONFIDENCE = 0.99


@dataclass(frozen=True)
class Percentile:
    """A percentile in milliseconds with its interval at CONFIDENCE; None where the samples are too few to
    bound that side."""

    percent: float
    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class LatencyStatistics:
    """Milliseconds per query over `count` queries. `cv_percent` is standard deviation / mean * 100."""

    count: int
    min: float
    max: float
    mean: float
    median: float
    p90: float
    p95: float
    p99: float
    cv_percent: float
    p99_trusted: bool
    percentiles: tuple[Percentile, ...] = ()


def summarise(
    latency_ms: Sequence[float], percents: Sequence[float] = DEFAULT_PERCENTILES
) -> LatencyStatistics:
    """Return the statistics of one or more samples, all in milliseconds."""
    ordered = sorted(latency_ms)
    mean = statistics.fmean(ordered)
    return LatencyStatistics(
        count=len(ordered),
        min=ordered[0],
        max=ordered[-1],
        mean=mean,
        median=statistics.median(ordered),
        p90=percentile(ordered, 90),
        p95=percentile(ordered, 95),
        p99=percentile(ordered, 99),
        cv_percent=statistics.pstdev(ordered, mean) / mean * 100 if mean else math.inf,
        p99_trusted=len(ordered) >= ENOUGH_FOR_P99,
        percentiles=tuple(_with_interval(ordered, percent) for percent in percents),
    )


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Return the sample at index n - 1 - floor((1 - percent/100) * n) of the rising `ordered`, as trtexec."""
    count = len(ordered)
    # The product is rounded before it is cut, so that 0.1 * 10 counts as 1 and not as 0.9999.
    return ordered[max(count - 1 - int(round((1 - percent / 100) * count, 9)), 0)]


@functools.cache
def interval_ranks(count: int, percent: float, confidence: float = CONFIDENCE) -> tuple[int, int]:
    """Return the ranks (from 1) of the samples between which the true percentile lies with `confidence`.

    The number of samples below the true percentile is binomial, whatever the distribution; its quantiles are
    the ranks, and they are what the bootstrap of an order statistic converges to. Rank 0 or `count` + 1 means
    that no sample bounds that side.
    """
    share = percent / 100
    if not 0 < share < 1:
        return (1, 1) if share <= 0 else (count, count)
    below = np.arange(count)
    # log P(B = k + 1) - log P(B = k), summed up from P(B = 0); stays finite where factorials would not.
    steps = np.log((count - below) / (below + 1.0)) + math.log(share / (1 - share))
    log_mass = count * math.log1p(-share) + np.concatenate([[0.0], np.cumsum(steps)])
    cumulative = np.cumsum(np.exp(log_mass))
    tail = (1 - confidence) / 2
    low = int(np.searchsorted(cumulative, tail, side="right"))
    high = int(np.searchsorted(cumulative, 1 - tail, side="left")) + 1
    return low, high


def _with_interval(ordered: Sequence[float], percent: float) -> Percentile:
    count = len(ordered)
    low, high = interval_ranks(count, percent)
    return Percentile(
        percent,
        statistics.median(ordered) if percent == 50 else percentile(ordered, percent),
        ordered[low - 1] if low >= 1 else None,
        ordered[high - 1] if high <= count else None,
    )
