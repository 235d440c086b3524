"""The headline of several artifacts: how many times faster each is than the first, from paired rounds.

A machine that changes its speed changes both of a pair, so a ratio may be quoted where no time may.
"""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from .intervals import Estimate, estimate
from .measurement import DRIFT, Measurement, drift, stretches
from .outcome import GOAL, RESOLUTION, Outcome, judge
from .statistics import CONFIDENCE


@dataclass(frozen=True)
class Ratio:
    """The median of `of` over that of `name` under one workload, so above 1 `name` is faster.

    `unstable_because` speaks against quoting it; `because` says why the outcome is ambiguous. `goal` is the
    width of the interval that was aimed at, as a share.
    """

    name: str
    of: str
    scenario: str
    batch: int
    streams: int
    setting: str
    speed: Estimate
    outcome: Outcome
    because: str
    unstable_because: tuple[str, ...]
    goal: float | None = None

    @property
    def workload(self) -> tuple[str, int, int, str]:
        """Return the workload of both, as `Measurement.workload` has it."""
        return self.scenario, self.batch, self.streams, self.setting

    @property
    def verdict(self) -> Literal["STABLE", "UNSTABLE"]:
        """STABLE when nothing speaks against quoting the ratio."""
        return "UNSTABLE" if self.unstable_because else "STABLE"

    def to_dict(self) -> dict[str, Any]:
        """Return the fields, the verdict and the confidence of the interval, for JSON; None is no bound."""
        bounds = {} if self.speed.bounded else {"low": None, "high": None}
        return {
            **{f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "speed"},
            "speed": {**dataclasses.asdict(self.speed), **bounds, "confidence": CONFIDENCE},
            "unstable_because": list(self.unstable_because),
            "verdict": self.verdict,
        }

    def __str__(self) -> str:
        """Return the ratio in words: "3.10x [2.90, 3.30] faster"."""
        speed = self.speed.inverse() if self.outcome == "slower" else self.speed
        digits = 2 if speed.value < 9.995 else 1
        ends = f"{speed.low:.{digits}f}, {speed.high:.{digits}f}" if speed.bounded else "no interval"
        return f"{speed.value:.{digits}f}x [{ends}] {self.outcome}"


def ratios(measurements: Sequence[Measurement]) -> tuple[Ratio, ...]:
    """Return the ratio of each measurement to the first one under the same workload, but of the first."""
    firsts: dict[tuple[str, int, int, str], Measurement] = {}
    found = []
    for now in measurements:
        first = firsts.setdefault(now.workload, now)
        if first is not now:
            found.append(_ratio(first, now))
    return tuple(found)


def paired(base: Measurement, now: Measurement, metric: str) -> list[float]:
    """Return `metric` of `now` over that of `base`, round by round; nothing without rounds together."""
    before, after = base.figures(metric), now.figures(metric)
    together = len(before) == len(after) and base.processes == now.processes
    return [new / old for old, new in zip(before, after, strict=True)] if together else []


def resolution(measurement: Measurement) -> float:
    """Return the difference that may be one of processes and not of artifacts."""
    return RESOLUTION if len(set(measurement.processes)) <= 1 else 0.0


def _ratio(first: Measurement, now: Measurement) -> Ratio:
    times = paired(first, now, "p50")
    if times:
        time = estimate(times, now.processes)
        apart = drift([statistics.median(each) for each in stretches(times)])
    else:
        medians = [statistics.median(each.figures("p50")) for each in (now, first)]
        time, apart = Estimate(medians[0] / medians[1], 0.0, float("inf")), 0.0
    speed, doubt = time.inverse(), now.disturbed_because
    goal = now.course.precision_goal or GOAL
    outcome, because = judge(time, goal, resolution=resolution(now), doubt=doubt, mostly=now.mostly_disturbed)
    against = [doubt] if doubt else []
    if not time.bounded:
        against.append("there are too few rounds, or processes, for an interval")
    elif speed.width > DRIFT:
        against.append(f"its interval is {speed.width:.0%} wide")
    if apart > DRIFT:
        against.append(f"the ratios of its rounds differ by {apart:.0%}")
    if not (first.warm_up.settled and now.warm_up.settled):
        against.append("one had not settled when the warm-up ended")
    return Ratio(
        now.name,
        first.name,
        *now.workload,
        speed,
        outcome,
        because,
        tuple(against),
        now.course.precision_goal,
    )
