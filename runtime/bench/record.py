"""What a benchmark keeps: every raw sample with everything that is needed to read it, as JSON and back.

Statistics, throughput and verdict are derived from the samples each time, never stored as the truth.
"""

from __future__ import annotations

import base64
import dataclasses
import itertools
import json
import statistics
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from dcgan_edge.artifact import read_file
from dcgan_edge.errors import ArtifactError

from .statistics import CONFIDENCE, DEFAULT_PERCENTILES, LatencyStatistics, summarise
from .workload import Samples, TimeArray

SCHEMA_VERSION = 1
KIND = "dcgan-edge bench"
ENCODING = "base64 of zlib of little-endian int64 differences, in nanoseconds"
DRIFT = 0.10  # medians of stretches that differ by more than this share make the figure unstable
STRETCHES = 5  # of successive rounds: many short rounds would differ by chance alone
INTERVALS = {
    "closed": "wall clock around Session.run: latents in host memory to images in host memory",
    "open": "from the moment a query was due to its images in host memory, waiting included",
}


@dataclass(frozen=True)
class WarmUp:
    """How the session was warmed up before the samples: `settled` if two windows agreed in the end."""

    calls: int
    seconds: float
    settled: bool


@dataclass(frozen=True)
class Measurement:
    """One artifact under one workload. `rounds` are the raw samples; `reasons` speak against the figure from
    outside the samples: other load, clocks, throttling. `energy` and `roofline` are as their modules write
    them, `loadgen` are the figures of MLPerf's generator on the same session, one for each round, `phases`
    are those of some more calls, where the session can time them.
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
    loadgen: tuple[dict[str, Any], ...] = ()
    phases: tuple[dict[str, float], ...] = ()
    energy: dict[str, Any] = field(default_factory=dict)
    roofline: dict[str, Any] = field(default_factory=dict)

    @property
    def latency_ms(self) -> tuple[tuple[float, ...], ...]:
        """Milliseconds of each query, one tuple for each round."""
        return tuple(tuple(round_.latency_ms.tolist()) for round_ in self.rounds)

    @property
    def statistics(self) -> LatencyStatistics:
        return summarise([sample for round_ in self.latency_ms for sample in round_], self.percentiles)

    @property
    def images_per_second(self) -> float:
        """Images made over the time from the first query's due time to the last completion of each round."""
        queries = sum(len(round_) for round_ in self.rounds)
        return self.batch * queries / sum(round_.span_s for round_ in self.rounds)

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
        """The samples of successive rounds, thrown together into STRETCHES or fewer."""
        rounds = self.latency_ms
        count = min(STRETCHES, len(rounds))
        edges = [len(rounds) * index // count for index in range(count + 1)]
        return [
            [sample for round_ in rounds[low:high] for sample in round_]
            for low, high in itertools.pairwise(edges)
        ]

    @property
    def verdict(self) -> str:
        return "UNSTABLE" if self.unstable_because else "STABLE"

    def to_dict(self) -> dict[str, Any]:
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
            "rounds": [
                {
                    "queries": len(round_),
                    "due_ns": _pack(round_.due_ns),
                    "latency_ns": _pack(round_.latency_ns),
                }
                for round_ in self.rounds
            ],
        }

    @classmethod
    def from_dict(cls, facts: dict[str, Any]) -> Measurement:
        """The inverse of `to_dict`; derived values are dropped and computed again."""
        known = {f.name for f in dataclasses.fields(cls)}
        kept = {name: value for name, value in facts.items() if name in known}
        kept["warm_up"] = WarmUp(**facts["warm_up"])
        for name in ("percentiles", "reasons", "loadgen", "phases"):
            kept[name] = tuple(facts.get(name, ()))
        kept["rounds"] = tuple(
            Samples(
                _unpack(round_["due_ns"], round_["queries"]), _unpack(round_["latency_ns"], round_["queries"])
            )
            for round_ in facts["rounds"]
        )
        if not kept["rounds"] or kept["loop"] not in INTERVALS or min(kept["batch"], kept["streams"]) < 1:
            raise ValueError("a measurement without rounds, or under no known workload")
        if min(int(round_.latency_ns.min()) for round_ in kept["rounds"]) < 1:
            raise ValueError("a query that took no time")
        return cls(**kept)


@dataclass(frozen=True)
class BenchReport:
    """All measurements of one run, and where and how they were made."""

    plan: dict[str, Any]
    measurements: tuple[Measurement, ...]
    machine: dict[str, str]
    versions: dict[str, str]
    telemetry: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        return {
            "schema_version": SCHEMA_VERSION,
            "kind": KIND,
            "plan": self.plan,
            "machine": self.machine,
            "versions": self.versions,
            "telemetry": self.telemetry,
            "measurements": [measurement.to_dict() for measurement in self.measurements],
        }

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), allow_nan=False)

    @property
    def unstable(self) -> tuple[str, ...]:
        """The names of what should not be quoted."""
        return tuple(m.name for m in self.measurements if m.unstable_because)


def read_report(path: Path) -> BenchReport:
    """Read a benchmark record. Raises UsageError when there is none, ArtifactError when it is not one."""
    try:
        facts = json.loads(read_file(path))
        if facts["kind"] != KIND or facts["schema_version"] != SCHEMA_VERSION:
            raise ValueError(f"kind {facts['kind']!r}, schema {facts['schema_version']!r}")
        return BenchReport(
            facts["plan"],
            tuple(Measurement.from_dict(each) for each in facts["measurements"]),
            facts["machine"],
            facts["versions"],
            facts["telemetry"],
        )
    except (KeyError, TypeError, ValueError, zlib.error) as error:
        raise ArtifactError(f"{path.name} is not a benchmark record of this program ({error}).") from error


def matching(measured: Sequence[Measurement], like: Measurement) -> Measurement | None:
    """The one of `measured` under the same workload as `like` and of the same artifact name; if there is
    none, the only one of the same file name, in whatever folder.
    """
    workload = (like.scenario, like.batch, like.streams)
    alike = [each for each in measured if (each.scenario, each.batch, each.streams) == workload]
    same = [each for each in alike if each.name == like.name]
    found = same or [each for each in alike if Path(each.name).name == Path(like.name).name]
    return found[0] if len(found) == 1 else None


def _pack(times: TimeArray) -> str:
    """Differences compress better than times: a few bytes for each sample."""
    return base64.b64encode(zlib.compress(np.diff(times, prepend=0).astype("<i8").tobytes())).decode()


def _unpack(text: str, count: int) -> TimeArray:
    unpacked = zlib.decompressobj().decompress(base64.b64decode(text), 8 * count + 8)  # never more than said
    if count < 1 or len(unpacked) != 8 * count:
        raise ValueError(f"not the {count} samples that were announced")
    return np.cumsum(np.frombuffer(unpacked, "<i8"))
