"""What an interval says of two artifacts: faster, slower, the same, or ambiguous and why."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, Literal

from dcgan_edge.schema import build

from .intervals import Estimate
from .statistics import CONFIDENCE

Outcome = Literal["faster", "slower", "same", "ambiguous"]
GOAL = 0.03  # of an interval's width, and the difference below which two artifacts are called the same
# Two processes of one artifact differ by about so much for good, by the layout of their memory: Mytkowicz et
# al. 2009, "Producing wrong data without doing anything obviously wrong". Several processes show it.
RESOLUTION = 0.01
# A program on the same core takes half of it: where it ran during most rounds, less is no difference of ours.
SHARED = 2.0
EARLIER = {"regression": "slower", "improvement": "faster", "noise": "ambiguous"}  # words of schema 2


def judge(
    time_ratio: Estimate, goal: float, *, resolution: float, doubt: str = "", mostly: bool = False
) -> tuple[Outcome, str]:
    """Return what `time_ratio`, the time of one artifact over that of another, says of the first, and why it
    says nothing where it is ambiguous.

    The two are the same where the whole interval lies within `goal` of 1, and differ where it lies wholly
    beyond `resolution`. Where `doubt` says that the rounds were disturbed, only a difference that is wholly
    beyond `goal` counts, and nothing is called the same; where `mostly` all were, only one beyond SHARED, for
    a median is then what the disturbance made of it.
    """
    if not time_ratio.bounded:
        return "ambiguous", doubt or "there are too few rounds, or processes, for an interval"
    low, high = time_ratio.low - 1, time_ratio.high - 1
    if not doubt and -goal <= low and high <= goal:
        return "same", ""
    least = goal if doubt else min(resolution, goal)
    if low > (SHARED - 1 if mostly else least):
        return "slower", ""
    if high < (1 / SHARED - 1 if mostly else -least):
        return "faster", ""
    if doubt:
        return "ambiguous", doubt
    if low <= 0 <= high:
        return "ambiguous", f"the interval holds no difference and reaches beyond {goal:.1%}"
    return "ambiguous", f"the difference may be below {least:.1%}, by which processes of one artifact differ"


@dataclass(frozen=True)
class Comparison:
    """One metric of one measurement, `now` against `then`: milliseconds, or images per second.

    `change` and its interval `low` to `high` are shares: 0.1 is 10 %. `high` is infinite where there were too
    few rounds to bound it. `regression` says that the change is proven and beyond the gate; `because` why
    the outcome is ambiguous.
    """

    name: str
    batch: int
    streams: int
    metric: str
    then: float
    now: float
    change: float
    low: float
    high: float
    outcome: Outcome
    regression: bool = False
    because: str = ""
    setting: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the fields with the confidence of the interval, for JSON: `high` None is no bound."""
        high = self.high if math.isfinite(self.high) else None
        return {**dataclasses.asdict(self), "high": high, "confidence": CONFIDENCE}

    @classmethod
    def from_dict(cls, facts: dict[str, Any]) -> Comparison:
        """Return the inverse of `to_dict`, the outcomes of schema 2 in the words of today.

        Raises KeyError, TypeError or ValueError for other facts.
        """
        kept = {f.name: facts[f.name] for f in dataclasses.fields(cls) if f.name in facts}
        if facts["high"] is None:
            kept["high"] = kept["change"]
        if kept["outcome"] == "within the gate":
            worse = (kept["change"] > 0) == (kept["metric"] != "throughput")
            kept["outcome"] = "slower" if worse else "faster"
        elif kept["outcome"] in EARLIER:
            kept |= {"regression": kept["outcome"] == "regression", "outcome": EARLIER[kept["outcome"]]}
        bounded = build(cls, kept)
        return bounded if facts["high"] is not None else dataclasses.replace(bounded, high=math.inf)
