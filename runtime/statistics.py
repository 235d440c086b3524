"""Statistics of latency samples, by the rules that trtexec uses, so that figures can be set side by side.

Nothing is clipped: every sample counts. Source: TensorRT samples/common, percentile and CV definitions.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

ENOUGH_FOR_P99 = 662  # queries after which MLPerf's early stopping lets a p99 pass


@dataclass(frozen=True)
class LatencyStatistics:
    """Milliseconds per call over `count` calls. `cv_percent` is standard deviation / mean * 100."""

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


def summarise(latency_ms: Sequence[float]) -> LatencyStatistics:
    """Statistics of at least one sample, in milliseconds."""
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
    )


def percentile(ordered: Sequence[float], percent: float) -> float:
    """The sample at index n - 1 - floor((1 - percent/100) * n) of the rising `ordered`, trtexec's rule."""
    count = len(ordered)
    # The product is rounded before it is cut, so that 0.1 * 10 counts as 1 and not as 0.9999.
    return ordered[max(count - 1 - int(round((1 - percent / 100) * count, 9)), 0)]
