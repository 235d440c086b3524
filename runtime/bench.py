"""How long one call takes, and how many images that makes a second, said so that it can be repeated.

The clock runs around `Session.run`: latents in host memory in, images in host memory out. Each artefact has
a process of its own, because the spinning thread pools of two runtimes slow each other down, and the
processes take turns, so that a machine that slows down slows all of them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from dcgan_edge.errors import EdgeError, UsageError
from dcgan_edge.latents import latents
from dcgan_edge.runtime.bench_worker import Opener, Worker
from dcgan_edge.runtime.device import installed_versions, machine_facts
from dcgan_edge.runtime.session import Session
from dcgan_edge.runtime.statistics import LatencyStatistics, summarise

SCHEMA_VERSION = 1
INTERVAL = "wall clock around Session.run: latents in host memory to images in host memory"
AGREEMENT = 0.05  # medians of turns that differ by more than this share make the figure unstable
WARM_AGREEMENT = 0.02  # medians of two warm-up windows that count as settled
WARM_WINDOW_S = 0.2
WARM_LIMIT_S = 5.0
Clock = Callable[[], int]


@dataclass(frozen=True)
class BenchPlan:
    """What to measure: batch sizes, seconds per artefact and batch, and the turns they are split into."""

    batches: tuple[int, ...] = (1, 16)
    duration_s: float = 3.0
    turns: int = 5

    def __post_init__(self) -> None:
        if not self.batches or min(self.batches) < 1 or self.duration_s <= 0 or self.turns < 2:
            raise UsageError(
                "A benchmark needs batches of 1 or more, a duration above 0 and 2 turns or more."
            )


@dataclass(frozen=True)
class WarmUp:
    """How the session was warmed up before the samples: `settled` if two windows agreed in the end."""

    calls: int
    seconds: float
    settled: bool


@dataclass(frozen=True)
class Measurement:
    """One artefact at one batch size. `latency_ms` are the raw samples, one list for each turn."""

    name: str
    sha256: str
    precision: str
    batch: int
    session: dict[str, Any]
    warm_up: WarmUp
    latency_ms: tuple[tuple[float, ...], ...]

    @property
    def statistics(self) -> LatencyStatistics:
        return summarise([sample for turn in self.latency_ms for sample in turn])

    @property
    def images_per_second(self) -> float:
        """Images made over the time spent inside the interval."""
        stats = self.statistics
        return self.batch * 1000 / stats.mean

    @property
    def unstable_because(self) -> tuple[str, ...]:
        """Why the figure should not be quoted; empty when nothing speaks against it."""
        reasons = []
        medians = [statistics.median(turn) for turn in self.latency_ms]
        spread = (max(medians) - min(medians)) / statistics.median(medians)
        if spread > AGREEMENT:
            reasons.append(f"the medians of the turns differ by {spread:.0%}")
        if not self.warm_up.settled:
            reasons.append(f"it did not settle within {WARM_LIMIT_S:g} s of warm-up")
        return tuple(reasons)

    def to_dict(self) -> dict[str, Any]:
        facts = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {
            **facts,
            "warm_up": dataclasses.asdict(self.warm_up),
            "latency": dataclasses.asdict(self.statistics),
            "images_per_second": self.images_per_second,
            "verdict": "UNSTABLE" if self.unstable_because else "STABLE",
            "reasons": list(self.unstable_because),
        }


@dataclass(frozen=True)
class BenchReport:
    """All measurements of one run, and where and how they were made."""

    plan: BenchPlan
    measurements: tuple[Measurement, ...]
    machine: dict[str, str]
    versions: dict[str, str]

    def to_dict(self) -> dict[str, Any]:
        return {
            "schema_version": SCHEMA_VERSION,
            "interval": INTERVAL,
            "plan": dataclasses.asdict(self.plan),
            "machine": self.machine,
            "versions": self.versions,
            "measurements": [measurement.to_dict() for measurement in self.measurements],
        }


def bench(
    openers: Sequence[tuple[str, Opener]], plan: BenchPlan, *, progress: Callable[[str], None] | None = None
) -> BenchReport:
    """Measure each named opener at each batch of `plan`, each in a process of its own, taking turns.

    An opener is a picklable function without arguments that returns an open session. `progress` is told what
    is being measured. Raises what an opener raises, and EdgeError when a process dies.
    """
    say = progress or (lambda step: None)
    measurements = []
    with contextlib.ExitStack() as stack:
        workers = [stack.enter_context(Worker(name, opener)) for name, opener in openers]
        for batch in plan.batches:
            warm_ups = []
            for worker in workers:
                say(f"{worker.name}, batch {batch}: warming up")
                warm_ups.append(worker.call(warm_up, batch))
            turns: list[list[tuple[float, ...]]] = [[] for _ in workers]
            for turn in range(plan.turns):
                for worker, samples in zip(workers, turns, strict=True):
                    say(f"{worker.name}, batch {batch}: turn {turn + 1} of {plan.turns}")
                    samples.append(worker.call(measure, batch, plan.duration_s / plan.turns))
            for worker, warm, samples in zip(workers, warm_ups, turns, strict=True):
                measurements.append(
                    Measurement(
                        worker.name,
                        worker.sha256,
                        worker.precision,
                        batch,
                        worker.facts,
                        warm,
                        tuple(samples),
                    )
                )
    return BenchReport(plan, tuple(measurements), machine_facts(), installed_versions())


def warm_up(session: Session, batch: int, *, clock: Clock = time.perf_counter_ns) -> WarmUp:
    """Run until the medians of two windows of 0.2 s agree within 2 %, for 5 s at the most."""
    start, calls, previous = clock(), 0, 0.0
    while True:
        window = measure(session, batch, WARM_WINDOW_S, clock=clock)
        calls += len(window)
        median, seconds = statistics.median(window), (clock() - start) / 1e9
        settled = abs(median - previous) <= WARM_AGREEMENT * median
        if settled or seconds >= WARM_LIMIT_S:
            return WarmUp(calls, seconds, settled)
        previous = median


def measure(
    session: Session, batch: int, seconds: float, *, clock: Clock = time.perf_counter_ns
) -> tuple[float, ...]:
    """Milliseconds of each call, called again and again for `seconds`, at least once."""
    return tuple(_calls(session, batch, seconds, clock))


def _calls(session: Session, batch: int, seconds: float, clock: Clock) -> Iterator[float]:
    architecture = session.manifest.architecture
    z = latents(range(batch), architecture.latent_dim, architecture.distribution)
    end = clock() + int(seconds * 1e9)
    while True:
        start = clock()
        session.run(z)
        stop = clock()
        yield (stop - start) / 1e6
        if stop >= end:
            return


def find(report: BenchReport, name: str, batch: int) -> Measurement:
    """The measurement of `name` at `batch`. Raises EdgeError if there is none."""
    for measurement in report.measurements:
        if (measurement.name, measurement.batch) == (name, batch):
            return measurement
    raise EdgeError(f"{name} was not measured at batch {batch}.")
