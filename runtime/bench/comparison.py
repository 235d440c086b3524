"""Is this slower than that? Effect, interval and outcome, against an earlier run or a baseline in the same.

Two runs are compared by Welch's interval on the logarithms of the rounds' figures. It knows only how rounds
of one run differ, so where a run was unstable no round may overlap either.

Two artifacts that were measured in one run are compared round by round: a machine that changes its speed
changes both of a pair.
"""

from __future__ import annotations

import dataclasses
import math
import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dcgan_edge.errors import BenchmarkError, UsageError

from ..device import SAME_MACHINE
from .intervals import Estimate, estimate, geometric, units, welch_half_width
from .outcome import GOAL, judge
from .ratios import paired, resolution
from .record import BenchReport, Comparison, Measurement, matching

DEFAULT_GATE = "p50>+5%"
OVERLAP = "a run was unstable, and rounds of the two are alike"
SAME_SESSION = ("backend", "provider", "threads")


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
    workloads = {(m.name, m.workload): m for m in report.measurements}
    pairs = [
        (workloads[baselines[now.name], now.workload], now)
        for now in report.measurements
        if now.name in baselines
    ]
    return [_compare_rounds(base, now, gate) for base, now in pairs for gate in gates]


def _compare_rounds(base: Measurement, now: Measurement, gate: Gate) -> Comparison:
    ratio = estimate(paired(base, now, gate.metric), now.processes)
    middle = [statistics.median(each.figures(gate.metric)) for each in (base, now)]
    return _comparison(now, gate, (middle[0], middle[1]), ratio, now)


def _comparison(
    now: Measurement, gate: Gate, figures: tuple[float, float], ratio: Estimate, doubtful: Measurement
) -> Comparison:
    """Judge `ratio`, that of the metric now to then: a regression is proven, and beyond the gate. `doubtful`
    is the one of the two that was disturbed more.
    """
    goal = min(now.course.precision_goal or GOAL, abs(gate.change))
    time = ratio.inverse() if gate.metric == "throughput" else ratio
    doubt, mostly = doubtful.disturbed_because, doubtful.mostly_disturbed
    outcome, because = judge(time, goal, resolution=resolution(now), doubt=doubt, mostly=mostly)
    worse = (gate.change > 0) == (gate.metric != "throughput")
    proven = outcome == ("slower" if worse else "faster")
    change = ratio.value - 1
    return Comparison(
        name=now.name,
        batch=now.batch,
        streams=now.streams,
        metric=gate.metric,
        then=figures[0],
        now=figures[1],
        change=change,
        low=ratio.low - 1,
        high=ratio.high - 1,
        outcome=outcome,
        regression=proven and abs(change) > abs(gate.change),
        because=because,
        setting=now.setting,
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
    before, after = (
        [math.log(unit) for unit in units(each.figures(gate.metric), each.processes)] for each in (then, now)
    )
    means = statistics.fmean(before), statistics.fmean(after)
    effect, half = means[1] - means[0], welch_half_width(before, after)
    ratio = geometric(effect, half)
    doubtful = max(now, then, key=lambda each: each.course.disturbed / len(each.rounds))
    found = _comparison(now, gate, (math.exp(means[0]), math.exp(means[1])), ratio, doubtful)
    if not _overlap(then, before, now, after):
        return found
    return dataclasses.replace(found, outcome="ambiguous", regression=False, because=OVERLAP)


def _overlap(then: Measurement, before: Sequence[float], now: Measurement, after: Sequence[float]) -> bool:
    """Return whether a run was unstable and some rounds of the two are alike."""
    unstable = then.unstable_because or now.unstable_because
    return bool(unstable) and min(after) <= max(before) and min(before) <= max(after)
