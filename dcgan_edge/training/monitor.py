"""Says while a run trains that it goes wrong, and when it is well again.

A `Monitor` reads the lines of metrics.jsonl one after the other and answers each with the events that come
with it. It knows nothing else: the lines that a resumed run keeps, read again, bring it to where it was. It
judges medians over the last lines, never a single line, and a problem ends at a milder threshold than it
begins at.

Sources of the problems: Goodfellow 2016, "NIPS 2016 Tutorial: Generative Adversarial Networks",
arXiv:1701.00160, section 5.1; Radford et al. 2016, arXiv:1511.06434, sections 1 and 6.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any, Literal

from dcgan_edge.training.problems import MANY_CLASSES, PROBLEMS, VARIED, Medians, Problem

WINDOW = 11  # lines; with one every 10 steps they span 100, longer than a swing of the two networks
CLASS_WINDOW = 5  # lines with classes, which are rarer
SETTLING = 50  # lines; before, a healthy generator varies as little as a broken one, and the other errs
NORMS = {"grad_norm_d": "discriminator", "grad_norm_g": "generator"}
LEAST_ENTROPY = 1.0  # bits that the classes of real images must have for a share of it to mean anything


@dataclass(frozen=True)
class TrainEvent:
    """A problem begins or ends at `step`: what is seen, with its number, and what to try ("" at an end)."""

    step: int
    problem: str
    state: Literal["begins", "ends"]
    seen: str
    advice: str

    def __str__(self) -> str:
        head = self.problem if self.state == "begins" else f"{self.problem} is over"
        return f"Step {self.step:,}: {head}. {self.seen} {self.advice}".rstrip()


class Monitor:
    """`events` are all so far, `active` the problems that have begun and not ended."""

    def __init__(self, lines: Iterable[Mapping[str, Any]] = ()) -> None:
        """Begins where `lines`, those that a run already has, lead to."""
        self.events: list[TrainEvent] = []
        self.active: set[str] = set()
        self._lines = 0
        self._seen: dict[str, deque[float]] = {}
        self._not_finite: deque[set[str]] = deque(maxlen=WINDOW)
        self._has_varied = self._has_mixed = False
        for line in lines:
            self.observe(line)

    def observe(self, line: Mapping[str, Any]) -> tuple[TrainEvent, ...]:
        """Return what begins or ends with `line`, a record with its `step`. Figures that are missing are not
        judged; a gradient norm that is None is not finite.
        """
        self._lines += 1
        for name, value in _figures(line).items() if self._lines > SETTLING else ():
            longest = CLASS_WINDOW if name == "class_share" else WINDOW
            self._seen.setdefault(name, deque(maxlen=longest)).append(value)
        now = self._medians(line)
        events = [event for problem in PROBLEMS if (event := self._judged(problem, now, line["step"]))]
        self.events += events
        return tuple(events)

    def _medians(self, line: Mapping[str, Any]) -> Medians:
        """Of the windows that are full."""
        self._not_finite.append({said for name, said in NORMS.items() if name in line and line[name] is None})
        not_finite = tuple(
            said for said in NORMS.values() if any(said in names for names in self._not_finite)
        )
        found = {name: median(seen) for name, seen in self._seen.items() if len(seen) == seen.maxlen}
        self._has_varied |= found.get("diversity", 0.0) >= VARIED
        self._has_mixed |= found.get("class_share", 0.0) >= MANY_CLASSES
        return Medians(
            self._lines,
            has_varied=self._has_varied,
            has_mixed=self._has_mixed,
            not_finite=not_finite,
            **found,
        )

    def _judged(self, problem: Problem, now: Medians, step: int) -> TrainEvent | None:
        if problem.name not in self.active and problem.begins(now):
            self.active.add(problem.name)
            return TrainEvent(step, problem.name, "begins", problem.seen(now), problem.advice)
        if problem.name in self.active and problem.ends(now):
            self.active.remove(problem.name)
            return TrainEvent(step, problem.name, "ends", problem.over(now), "")
        return None


def _figures(line: Mapping[str, Any]) -> dict[str, float]:
    """What is judged of `line`, as far as it has finite numbers for it."""
    number = {name: float(value) for name, value in line.items() if _is_number(value)}
    found = {name: number[name] for name in ("loss_g", *NORMS, "diversity") if name in number}
    if {"real_accuracy", "fake_accuracy"} <= number.keys():
        found["accuracy"] = (number["real_accuracy"] + number["fake_accuracy"]) / 2
    if {"real_score", "fake_score"} <= number.keys():
        found["score_gap"] = abs(number["real_score"] - number["fake_score"])
    if "class_entropy" in number and number.get("real_class_entropy", 0.0) >= LEAST_ENTROPY:
        found["class_share"] = number["class_entropy"] / number["real_class_entropy"]
    return found


def _is_number(value: Any) -> bool:
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # a whole number beyond every float
        return False
