"""Is this slower than that? Effect, interval and verdict, against an earlier run or a baseline in the same.

The unit of comparison is the round, not the query: queries of one round share its luck, so thousands of them
are no evidence against ten rounds. Two runs are compared by Welch's interval on the logarithms of the rounds'
figures. It knows only how rounds of one run differ, so where a run was unstable no round may overlap either.

Two artifacts that were measured in one run are compared round by round, by the median of the ratios and its
interval, which holds whatever their distribution: a machine that changes its speed changes both of a pair.
"""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

from dcgan_edge.errors import BenchmarkError, UsageError

from .record import BenchReport, Comparison, Measurement, Outcome, matching
from .statistics import CONFIDENCE, interval_ranks, percentile
from .workload import Samples

DEFAULT_GATE = "p50>+5%"
SAME_MACHINE = ("cpu", "cpus", "architecture", "jetson_model")
SAME_SESSION = ("backend", "provider", "threads")
LEAST_ROUNDS = 5  # of a run, for an interval; `t_quantile` is good from 4 degrees of freedom


@dataclass(frozen=True)
class Gate:
    """What counts as a regression: `metric` ("p50", "p99.9", "throughput") that moves beyond `change`, which
    is a share, in the direction of its sign."""

    metric: str
    change: float


def parse_gate(text: str) -> Gate:
    """Read `p99>+5%` or `throughput<-3%`. Raises UsageError for anything else."""
    match = re.fullmatch(r"(p(\d{1,2}(?:\.\d+)?)|throughput)\s*([<>])\s*([+-])(\d+(?:\.\d+)?)%", text.strip())
    if match is None or (match[3] == ">") != (match[4] == "+") or (match[2] and float(match[2]) == 0):
        raise UsageError(f"{text!r} is not a gate; write p99>+5% or throughput<-5%.")
    share = float(match[5]) / 100
    if share == 0 or (share >= 1 and match[4] == "-"):
        raise UsageError(f"{text!r} can never be met, or always.")
    return Gate(match[1], share if match[4] == "+" else -share)


def compare(
    base: BenchReport, new: BenchReport, gates: Sequence[Gate], *, force: bool = False
) -> list[Comparison]:
    """Compare every measurement of `new` with its counterpart in `base`.

    Raises BenchmarkError when there is no counterpart at all, or when machine or settings differ and `force`
    does not say that this is meant.
    """
    pairs = [(then, now) for now in new.measurements if (then := matching(base.measurements, now))]
    if not pairs:
        raise BenchmarkError(
            "The two runs measured nothing in common: same file names, batches and scenario."
        )
    different = _differences(base, new, pairs)
    if different and not force:
        raise BenchmarkError(
            f"The two runs cannot be compared: {'; '.join(different)}. To do it anyway: --force."
        )
    return [_compare(then, now, gate) for then, now in pairs for gate in gates]


def compare_rounds(
    report: BenchReport, baselines: Mapping[str, str], gates: Sequence[Gate]
) -> list[Comparison]:
    """Compare measurements of `report` with others of the same run, under each workload. `baselines` has the
    name of the baseline by the name of what is compared with it.
    """
    workloads = {(m.name, m.batch, m.streams): m for m in report.measurements}
    pairs = [
        (workloads[baselines[now.name], now.batch, now.streams], now)
        for now in report.measurements
        if now.name in baselines
    ]
    return [_compare_rounds(base, now, gate) for base, now in pairs for gate in gates]


def _compare_rounds(base: Measurement, now: Measurement, gate: Gate) -> Comparison:
    before = [_figure(samples, gate.metric, base.batch) for samples in base.rounds]
    after = [_figure(samples, gate.metric, now.batch) for samples in now.rounds]
    changes = sorted(new / old - 1 for old, new in zip(before, after, strict=True))
    low, high = interval_ranks(len(changes), 50, CONFIDENCE)
    change = statistics.median(changes)
    interval = (
        changes[low - 1] if low >= 1 else -1.0,
        changes[high - 1] if high <= len(changes) else math.inf,
    )
    return Comparison(
        name=now.name,
        batch=now.batch,
        streams=now.streams,
        metric=gate.metric,
        then=statistics.median(before),
        now=statistics.median(after),
        change=change,
        low=interval[0],
        high=interval[1],
        outcome=_outcome(change, *interval, gate),
    )


def _differences(
    base: BenchReport, new: BenchReport, pairs: Sequence[tuple[Measurement, Measurement]]
) -> list[str]:
    found = [
        f"{key} was {base.machine.get(key)} and is {new.machine.get(key)}"
        for key in SAME_MACHINE
        if base.machine.get(key) != new.machine.get(key)
    ]
    for then, now in pairs:
        found += [
            f"{key} of {now.name} was {then.session.get(key)} and is {now.session.get(key)}"
            for key in SAME_SESSION
            if then.session.get(key) != now.session.get(key)
        ]
    return list(dict.fromkeys(found))


def _compare(then: Measurement, now: Measurement, gate: Gate) -> Comparison:
    before = [math.log(_figure(samples, gate.metric, then.batch)) for samples in then.rounds]
    after = [math.log(_figure(samples, gate.metric, now.batch)) for samples in now.rounds]
    effect = statistics.fmean(after) - statistics.fmean(before)
    half = welch_half_width(before, after)
    change, low, high = (math.expm1(value) for value in (effect, effect - half, effect + half))
    return Comparison(
        name=now.name,
        batch=now.batch,
        streams=now.streams,
        metric=gate.metric,
        then=math.exp(statistics.fmean(before)),
        now=math.exp(statistics.fmean(after)),
        change=change,
        low=low,
        high=high,
        outcome="noise" if _overlap(then, before, now, after) else _outcome(change, low, high, gate),
    )


def _overlap(then: Measurement, before: Sequence[float], now: Measurement, after: Sequence[float]) -> bool:
    """Return whether a run was unstable and some rounds of the two are alike."""
    unstable = then.unstable_because or now.unstable_because
    return bool(unstable) and min(after) <= max(before) and min(before) <= max(after)


def _outcome(change: float, low: float, high: float, gate: Gate) -> Outcome:
    if low <= 0 <= high:
        return "noise"
    if (change > 0) != (gate.change > 0):
        return "improvement"
    return "regression" if abs(change) > abs(gate.change) else "within the gate"


def _figure(samples: Samples, metric: str, batch: int) -> float:
    """Return the metric of one round: milliseconds, or images per second."""
    if metric == "throughput":
        return batch * len(samples) / samples.span_s
    return percentile(sorted(samples.latency_ms.tolist()), float(metric[1:]))


def welch_half_width(first: Sequence[float], second: Sequence[float]) -> float:
    """Return half of Welch's interval for the difference of two means; infinite below LEAST_ROUNDS."""
    if min(len(first), len(second)) < LEAST_ROUNDS:
        return math.inf
    parts = [statistics.variance(each) / len(each) for each in (first, second)]
    error = sum(parts)
    if error == 0:
        return 0.0
    freedom = error**2 / sum(
        part**2 / (len(each) - 1) for part, each in zip(parts, (first, second), strict=True)
    )
    return t_quantile(1 - (1 - CONFIDENCE) / 2, freedom) * math.sqrt(error)


def t_quantile(probability: float, freedom: float) -> float:
    """Return a quantile of Student's t, by an expansion that is good to 2 % from 4 degrees of freedom.

    Source: Abramowitz and Stegun, 26.7.5.
    """
    z = NormalDist().inv_cdf(probability)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    fourth = (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160
    return z + first / freedom + second / freedom**2 + third / freedom**3 + fourth / freedom**4
