"""One candidate measured beside the base, by the paired rounds of `bench`, and the figures that are kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dcgan_edge.runtime.bench.intervals import Estimate
from dcgan_edge.runtime.bench.measure import measure
from dcgan_edge.runtime.bench.plan import BenchPlan
from dcgan_edge.runtime.bench.record import BenchReport, Measurement, Ratio

from .candidates import Candidate

ROUNDS = 10  # of a short trial; eight and more have an interval
Say = Callable[[str], None]


@dataclass(frozen=True)
class Workload:
    """What is sent: `streams` queries of `batch` images in flight."""

    batch: int
    streams: int

    def __str__(self) -> str:
        return f"batch {self.batch}" + (f", {self.streams} streams" if self.streams > 1 else "")


@dataclass(frozen=True)
class Figure:
    """A figure with its interval; `low` and `high` are None where they are not known."""

    value: float
    low: float | None = None
    high: float | None = None

    @classmethod
    def of(cls, estimate: Estimate) -> Figure:
        """Return `estimate` as JSON can have it."""
        bounds = (estimate.low, estimate.high) if estimate.bounded else (None, None)
        return cls(estimate.value, *bounds)


@dataclass(frozen=True)
class Trial:
    """How a candidate did under a workload beside the base.

    `speed` is how many times faster than the base, from paired rounds; `outcome` says whether that is proven.
    `base_images_per_second` is what the base made meanwhile. `joules_per_image` is above idle, None where
    nothing measures it. `doubts` speak against quoting the ratio, `because` says why the outcome is
    ambiguous. `final` is a long trial of the best.
    """

    candidate: Candidate
    workload: Workload
    median_ms: Figure
    images_per_second: float
    base_images_per_second: float
    speed: Figure
    outcome: str
    joules_per_image: float | None
    peak_memory_bytes: int | None
    doubts: tuple[str, ...] = ()
    because: str = ""
    final: bool = False


def short_plan(workload: Workload, duration_s: float, *, idle_s: float) -> BenchPlan:
    """Return the rounds of a short trial."""
    return BenchPlan(
        (workload.batch,),
        (workload.streams,),
        duration_s,
        ROUNDS,
        warm_up_s=0.2,
        rounds=ROUNDS,
        idle_s=idle_s,
    )


def take_trials(
    folder: Path,
    base: Candidate,
    others: Sequence[Candidate],
    workload: Workload,
    plan: BenchPlan,
    say: Say,
    *,
    final: bool = False,
) -> tuple[list[Trial], BenchReport]:
    """Measure `others` beside `base` as `plan` says, and return the trials of all, that of the base first."""

    def told(step: str) -> None:
        if step.startswith("waiting"):  # for another benchmark; rounds are too many to tell
            say(step)

    everyone = [base, *(each for each in others if each != base)]
    openers = [(str(each), each.contestant(folder, workload.streams)) for each in everyone]
    report = measure(openers, plan, progress=told)
    ratios = {ratio.name: ratio for ratio in report.ratios}
    first = report.measurements[0]
    found = [
        _trial(candidate, workload, measurement, first, ratios.get(measurement.name), final=final)
        for candidate, measurement in zip(everyone, report.measurements, strict=True)
    ]
    return found, report


def _trial(
    candidate: Candidate,
    workload: Workload,
    taken: Measurement,
    base: Measurement,
    ratio: Ratio | None,
    *,
    final: bool,
) -> Trial:
    return Trial(
        candidate,
        workload,
        median_ms=Figure.of(taken.median_ms),
        images_per_second=taken.images_per_second,
        base_images_per_second=base.images_per_second,
        speed=Figure.of(ratio.speed) if ratio else Figure(1.0, 1.0, 1.0),
        outcome=ratio.outcome if ratio else "same",
        joules_per_image=_joules(taken.energy),
        peak_memory_bytes=taken.peak_memory_bytes,
        doubts=ratio.unstable_because if ratio else (),
        because=ratio.because if ratio else "",
        final=final,
    )


def _joules(energy: dict[str, Any]) -> float | None:
    joules = energy.get("joules_per_image")
    return float(joules) if isinstance(joules, int | float) and joules > 0 else None
