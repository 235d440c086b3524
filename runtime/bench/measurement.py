"""One artifact under one workload: every raw sample, what speaks against the figures, and what is derived.

Statistics, throughput and verdict are derived from the samples each time, never stored as the truth.
"""

from __future__ import annotations

import dataclasses
import itertools
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from dcgan_edge.schema import build

from .intervals import Estimate, estimate
from .packing import ENCODING, pack, unpack
from .statistics import CONFIDENCE, DEFAULT_PERCENTILES, LatencyStatistics, percentile, summarise
from .workload import Samples

DRIFT = 0.10  # medians of stretches that differ by more than this share make the figure unstable
STRETCHES = 5  # of successive rounds: many short rounds would differ by chance alone
DISTURBED_SHARE = 0.1  # of the rounds; a median does not feel fewer
INTERVALS = {
    "closed": "wall clock around Session.run: latents in host memory to images in host memory",
    "open": "from the moment a query was due to its images in host memory, waiting included",
}
RAW = ("rounds", "set_aside")


@dataclass(frozen=True)
class WarmUp:
    """How the session was warmed up before the samples; `settled` if two windows agreed in the end."""

    calls: int
    seconds: float
    settled: bool


@dataclass(frozen=True)
class Course:
    """How the rounds of one workload went, the same for all artifacts that took part in it.

    `waits` and `waited_s` are what was waited for the machine to be quiet, `disturbed` how many of the rounds
    that count were taken while something else ran, `disturbances` what that was, in words.
    `precision_goal` is the width of intervals that was aimed at, None where the rounds were fixed.
    """

    waits: int = 0
    waited_s: float = 0.0
    disturbed: int = 0
    disturbances: tuple[str, ...] = ()
    precision_goal: float | None = None


@dataclass(frozen=True)
class Measurement:
    """One artifact under one workload: `streams` queries of `batch` images in flight.

    `rounds` are the raw samples, `processes` says which process took each (empty: all the same). `set_aside`
    are those of rounds that were taken again because something else ran; no figure is derived from them.
    `setting` is what else a plan set, such as the power mode. `reasons` speak against the figure from outside
    the samples, such as other programs, clocks and throttling. `energy` and `roofline` are as their modules
    write them; `phases` are those of some more calls, in milliseconds, where the session can time them.
    `verification` says whether the artifact was verified on this device. `load_s` is how long the artifact
    took to open, its library included, `first_call_ms` the first query of this size, `peak_memory_bytes` the
    most resident memory of the process so far; each is None where it is not known.
    """

    name: str
    sha256: str
    precision: str
    scenario: str
    batch: int
    streams: int
    session: dict[str, Any]
    warm_up: WarmUp
    rounds: tuple[Samples, ...]
    loop: str = "closed"
    percentiles: tuple[float, ...] = DEFAULT_PERCENTILES
    timer_ns: float = 0.0
    reasons: tuple[str, ...] = ()
    phases: tuple[dict[str, float], ...] = ()
    verification: str = ""
    energy: dict[str, Any] = field(default_factory=dict)
    roofline: dict[str, Any] = field(default_factory=dict)
    processes: tuple[int, ...] = ()
    set_aside: tuple[Samples, ...] = ()
    course: Course = Course()
    setting: str = ""
    load_s: float | None = None
    first_call_ms: float | None = None
    peak_memory_bytes: int | None = None

    @property
    def workload(self) -> tuple[str, int, int, str]:
        """Return what figures must share to be set beside each other."""
        return self.scenario, self.batch, self.streams, self.setting

    @property
    def latency_ms(self) -> tuple[tuple[float, ...], ...]:
        """Milliseconds of each query, one tuple for each round."""
        return tuple(tuple(samples.latency_ms.tolist()) for samples in self.rounds)

    @property
    def statistics(self) -> LatencyStatistics:
        """Statistics of the queries of all rounds, in milliseconds."""
        return summarise([latency for taken in self.latency_ms for latency in taken], self.percentiles)

    def figures(self, metric: str) -> list[float]:
        """Return `metric` ("p50", "p99.9", "throughput") of each round: milliseconds, or images/s."""
        return [figure(samples, metric, self.batch) for samples in self.rounds]

    @property
    def median_ms(self) -> Estimate:
        """The median of a query with its interval, from the medians of the rounds, in milliseconds."""
        return estimate(self.figures("p50"), self.processes)

    @property
    def images_per_second(self) -> float:
        """Images made over the time from the first query's due time to the last completion of each round."""
        queries = sum(len(samples) for samples in self.rounds)
        return self.batch * queries / sum(samples.span_s for samples in self.rounds)

    @property
    def disturbed_because(self) -> str:
        """Return what ran during too many of the rounds that count, "" where that was nothing."""
        course = self.course
        if course.disturbed <= DISTURBED_SHARE * len(self.rounds):
            return ""
        return f"{'; '.join(course.disturbances)} (in {course.disturbed} of {len(self.rounds)} rounds)"

    @property
    def mostly_disturbed(self) -> bool:
        """Return whether something ran during half of the rounds that count, or more."""
        return 2 * self.course.disturbed >= len(self.rounds)

    @property
    def unstable_because(self) -> tuple[str, ...]:
        """Why the figure should not be quoted; empty when nothing speaks against it."""
        reasons = list(self.reasons)
        spread = drift([statistics.median(stretch) for stretch in self._stretches()])
        if spread > DRIFT:
            reasons.append(f"the medians of its rounds differ by {spread:.0%}")
        if not self.warm_up.settled:
            reasons.append("it had not settled when the warm-up ended")
        return tuple(reasons)

    def _stretches(self) -> list[list[float]]:
        """Return the latencies of successive rounds, joined into STRETCHES or fewer."""
        return [list(itertools.chain(*rounds)) for rounds in stretches(self.latency_ms)]

    @property
    def verdict(self) -> Literal["STABLE", "UNSTABLE"]:
        """STABLE when nothing speaks against quoting the figure."""
        return "UNSTABLE" if self.unstable_because else "STABLE"

    def to_dict(self) -> dict[str, Any]:
        """Return everything for JSON, the derived figures and the packed samples included."""
        facts = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name not in RAW}
        middle = self.median_ms
        return {
            **facts,
            "warm_up": dataclasses.asdict(self.warm_up),
            "course": dataclasses.asdict(self.course),
            "interval": INTERVALS[self.loop],
            "latency": {**dataclasses.asdict(self.statistics), "confidence": CONFIDENCE},
            "median_ms": dataclasses.asdict(middle) | ({} if middle.bounded else {"low": None, "high": None}),
            "images_per_second": self.images_per_second,
            "verdict": self.verdict,
            "unstable_because": list(self.unstable_because),
            "encoding": ENCODING,
            **{name: [pack(samples) for samples in getattr(self, name)] for name in RAW},
        }

    @classmethod
    def from_dict(cls, facts: dict[str, Any]) -> Measurement:
        """Return the inverse of `to_dict`; derived values are dropped and computed again.

        Raises KeyError, TypeError or ValueError for facts that are not whole or make no sense.
        """
        known = {f.name for f in dataclasses.fields(cls)}
        kept = {name: value for name, value in facts.items() if name in known}
        rounds = tuple(unpack(each) for each in facts["rounds"])
        aside = tuple(unpack(each) for each in facts.get("set_aside", ()))
        described = build(cls, {**kept, "rounds": [], "set_aside": []})
        if not rounds or described.loop not in INTERVALS or min(described.batch, described.streams) < 1:
            raise ValueError("a measurement without rounds, or under no known workload")
        if not all(0 < percent < 100 for percent in described.percentiles):
            raise ValueError("a percentile that is not between 0 and 100")
        if min(int(samples.latency_ns.min()) for samples in (*rounds, *aside)) < 1:
            raise ValueError("a query that took no time")
        if described.processes and len(described.processes) != len(rounds):
            raise ValueError("rounds of no process")
        return dataclasses.replace(described, rounds=rounds, set_aside=aside)


def figure(samples: Samples, metric: str, batch: int) -> float:
    """Return `metric` of one round: milliseconds, or images per second for "throughput"."""
    if metric == "throughput":
        return batch * len(samples) / samples.span_s
    return percentile(sorted(samples.latency_ms.tolist()), float(metric[1:]))


def stretches(rounds: Sequence[Any]) -> list[Sequence[Any]]:
    """Return `rounds` cut into STRETCHES parts of successive ones, or into single ones if they are fewer."""
    count = min(STRETCHES, len(rounds))
    edges = [len(rounds) * index // count for index in range(count + 1)]
    return [rounds[low:high] for low, high in itertools.pairwise(edges)]


def drift(medians: Sequence[float]) -> float:
    """Return how far the medians of stretches lie apart, as a share of the middle one."""
    return (max(medians) - min(medians)) / statistics.median(medians)


def matching(measured: Sequence[Measurement], like: Measurement) -> Measurement | None:
    """Return the one of `measured` under the same workload as `like` and of the same artifact name; if there
    is none, the only one of the same file name, in whatever folder; else None.
    """
    alike = [each for each in measured if each.workload == like.workload]
    same = [each for each in alike if each.name == like.name]
    found = same or [each for each in alike if Path(each.name).name == Path(like.name).name]
    return found[0] if len(found) == 1 else None
