"""What a benchmark keeps: every raw sample with everything that is needed to read it, as JSON and back.

Statistics, throughput and verdict are derived from the samples each time, never stored as the truth.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import statistics
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from dcgan_edge.artifact import read_file
from dcgan_edge.errors import ArtifactError, BenchmarkError
from dcgan_edge.files import StrPath
from dcgan_edge.schema import build, checked, read_json

from .packing import ENCODING, pack, unpack
from .statistics import CONFIDENCE, DEFAULT_PERCENTILES, LatencyStatistics, summarise
from .workload import Samples

SCHEMA_VERSION = 2
KIND = "dcgan-edge bench"
DRIFT = 0.10  # medians of stretches that differ by more than this share make the figure unstable
Outcome = Literal["regression", "improvement", "noise", "within the gate"]
STRETCHES = 5  # of successive rounds: many short rounds would differ by chance alone
INTERVALS = {
    "closed": "wall clock around Session.run: latents in host memory to images in host memory",
    "open": "from the moment a query was due to its images in host memory, waiting included",
}


@dataclass(frozen=True)
class WarmUp:
    """How the session was warmed up before the samples; `settled` if two windows agreed in the end."""

    calls: int
    seconds: float
    settled: bool


@dataclass(frozen=True)
class Measurement:
    """One artifact under one workload: `streams` queries of `batch` images in flight.

    `rounds` are the raw samples. `reasons` speak against the figure from outside the samples, such as other
    programs, clocks and throttling. `energy` and `roofline` are as their modules write them; `phases` are
    those of some more calls, in milliseconds, where the session can time them. `verification` says whether
    the artifact was verified on this device.
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

    @property
    def latency_ms(self) -> tuple[tuple[float, ...], ...]:
        """Milliseconds of each query, one tuple for each round."""
        return tuple(tuple(samples.latency_ms.tolist()) for samples in self.rounds)

    @property
    def statistics(self) -> LatencyStatistics:
        """Statistics of the queries of all rounds, in milliseconds."""
        return summarise([latency for taken in self.latency_ms for latency in taken], self.percentiles)

    @property
    def images_per_second(self) -> float:
        """Images made over the time from the first query's due time to the last completion of each round."""
        queries = sum(len(samples) for samples in self.rounds)
        return self.batch * queries / sum(samples.span_s for samples in self.rounds)

    @property
    def unstable_because(self) -> tuple[str, ...]:
        """Why the figure should not be quoted; empty when nothing speaks against it."""
        reasons = list(self.reasons)
        medians = [statistics.median(stretch) for stretch in self._stretches()]
        spread = (max(medians) - min(medians)) / statistics.median(medians)
        if spread > DRIFT:
            reasons.append(f"the medians of its rounds differ by {spread:.0%}")
        if not self.warm_up.settled:
            reasons.append("it had not settled when the warm-up ended")
        return tuple(reasons)

    def _stretches(self) -> list[list[float]]:
        """Return the latencies of successive rounds, joined into STRETCHES or fewer."""
        rounds = self.latency_ms
        count = min(STRETCHES, len(rounds))
        edges = [len(rounds) * index // count for index in range(count + 1)]
        return [list(itertools.chain(*rounds[low:high])) for low, high in itertools.pairwise(edges)]

    @property
    def verdict(self) -> Literal["STABLE", "UNSTABLE"]:
        """STABLE when nothing speaks against quoting the figure."""
        return "UNSTABLE" if self.unstable_because else "STABLE"

    def to_dict(self) -> dict[str, Any]:
        """Return everything for JSON, the derived figures and the packed samples included."""
        facts = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "rounds"}
        return {
            **facts,
            "warm_up": dataclasses.asdict(self.warm_up),
            "interval": INTERVALS[self.loop],
            "latency": {**dataclasses.asdict(self.statistics), "confidence": CONFIDENCE},
            "images_per_second": self.images_per_second,
            "verdict": self.verdict,
            "unstable_because": list(self.unstable_because),
            "encoding": ENCODING,
            "rounds": [pack(samples) for samples in self.rounds],
        }

    @classmethod
    def from_dict(cls, facts: dict[str, Any]) -> Measurement:
        """Return the inverse of `to_dict`; derived values are dropped and computed again.

        Raises KeyError, TypeError or ValueError for facts that are not whole or make no sense.
        """
        known = {f.name for f in dataclasses.fields(cls)}
        kept = {name: value for name, value in facts.items() if name in known}
        rounds = tuple(unpack(each) for each in facts["rounds"])
        described = build(cls, {**kept, "rounds": []})
        if not rounds or described.loop not in INTERVALS or min(described.batch, described.streams) < 1:
            raise ValueError("a measurement without rounds, or under no known workload")
        if not all(0 < percent < 100 for percent in described.percentiles):
            raise ValueError("a percentile that is not between 0 and 100")
        if min(int(samples.latency_ns.min()) for samples in rounds) < 1:
            raise ValueError("a query that took no time")
        return dataclasses.replace(described, rounds=rounds)


@dataclass(frozen=True)
class Comparison:
    """One metric of one measurement, `now` against `then`: milliseconds, or images per second.

    `change` and its interval `low` to `high` are shares: 0.1 is 10 %. `high` is infinite where there were too
    few rounds to bound it.
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

    def to_dict(self) -> dict[str, Any]:
        """Return the fields with the confidence of the interval, for JSON: `high` None is no bound."""
        high = self.high if math.isfinite(self.high) else None
        return {**dataclasses.asdict(self), "high": high, "confidence": CONFIDENCE}

    @classmethod
    def from_dict(cls, facts: dict[str, Any]) -> Comparison:
        """Return the inverse of `to_dict`. Raises KeyError or TypeError for other facts."""
        kept = {f.name: facts[f.name] for f in dataclasses.fields(cls)}
        bounded = build(cls, {**kept, "high": kept["change"] if facts["high"] is None else facts["high"]})
        return bounded if facts["high"] is not None else dataclasses.replace(bounded, high=math.inf)


@dataclass(frozen=True)
class BenchReport:
    """All measurements of one run, where and how they were made, and what was asked of them.

    `comparisons` are with a baseline that was measured in the same run, or with an earlier run; `failures`
    are the gates that were missed, a sentence each.
    """

    plan: dict[str, Any]
    measurements: tuple[Measurement, ...]
    machine: dict[str, str]
    versions: dict[str, str]
    telemetry: dict[str, Any] = field(default_factory=dict)
    comparisons: tuple[Comparison, ...] = ()
    failures: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the record for JSON."""
        return {
            "schema_version": SCHEMA_VERSION,
            "kind": KIND,
            "plan": self.plan,
            "machine": self.machine,
            "versions": self.versions,
            "telemetry": self.telemetry,
            "measurements": [measurement.to_dict() for measurement in self.measurements],
            "comparisons": [comparison.to_dict() for comparison in self.comparisons],
            "failures": list(self.failures),
        }

    def to_json(self) -> str:
        """Return the record as one line of JSON; `read_report` reads it back."""
        return json.dumps(self.to_dict(), allow_nan=False)

    def to_html(self, *, title: str | None = None) -> str:
        """Return the report as one HTML page without scripts; it needs the extra `report`."""
        from dcgan_edge.report import ReportContent, render

        return render(ReportContent(title or "Benchmark", runs={"benchmark": self}))

    def raise_if_failed(self) -> None:
        """Raise BenchmarkError with every gate that was missed."""
        if self.failures:
            raise BenchmarkError(" ".join(self.failures))

    @property
    def unstable(self) -> tuple[str, ...]:
        """The names of what should not be quoted."""
        return tuple(m.name for m in self.measurements if m.unstable_because)


def read_report(path: StrPath) -> BenchReport:
    """Read a benchmark record. Raises UsageError when there is none, ArtifactError when it is not one."""
    path = Path(path)
    try:
        facts = read_json(read_file(path), path.name)
        kind, version = facts["kind"], facts["schema_version"]
        if kind == KIND and version != SCHEMA_VERSION:
            raise ArtifactError(
                f"{path.name} is a benchmark record of schema {version!r}, and this program reads schema "
                f"{SCHEMA_VERSION}. Measure again: dcgan-edge bench ARTIFACT --output {path.name}"
            )
        if kind != KIND:
            raise ValueError(f"kind {kind!r}")
        return BenchReport(
            checked(dict[str, Any], facts["plan"], "plan"),
            tuple(Measurement.from_dict(each) for each in facts["measurements"]),
            checked(dict[str, str], facts["machine"], "machine"),
            checked(dict[str, str], facts["versions"], "versions"),
            checked(dict[str, Any], facts["telemetry"], "telemetry"),
            tuple(Comparison.from_dict(each) for each in facts["comparisons"]),
            tuple(map(str, facts["failures"])),
        )
    except (
        AttributeError,
        KeyError,
        OverflowError,
        TypeError,
        ValueError,
        zlib.error,
    ) as error:
        raise ArtifactError(f"{path.name} is not a benchmark record of this program ({error}).") from error


def matching(measured: Sequence[Measurement], like: Measurement) -> Measurement | None:
    """Return the one of `measured` under the same workload as `like` and of the same artifact name; if there
    is none, the only one of the same file name, in whatever folder; else None.
    """
    workload = (like.scenario, like.batch, like.streams)
    alike = [each for each in measured if (each.scenario, each.batch, each.streams) == workload]
    same = [each for each in alike if each.name == like.name]
    found = same or [each for each in alike if Path(each.name).name == Path(like.name).name]
    return found[0] if len(found) == 1 else None
