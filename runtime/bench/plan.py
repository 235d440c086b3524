"""What a benchmark measures: the scenario, its workloads, and how the time is split into rounds."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Literal, get_args

from dcgan_edge.errors import UsageError

from .intervals import LEAST_UNITS
from .outcome import GOAL
from .statistics import DEFAULT_PERCENTILES

Scenario = Literal["latency", "single-stream", "multi-stream", "offline", "server"]
SCENARIOS: tuple[Scenario, ...] = get_args(Scenario)
BATCHES: dict[Scenario, tuple[int, ...]] = {  # images of one query; MLPerf's where the scenario is one of its
    "latency": (1, 16), "single-stream": (1,), "multi-stream": (8,), "offline": (24_576,), "server": (1,),
}  # fmt: skip
MOST_IMAGES = 2**20  # of one query; the images of more do not fit into the memory of any device we know
MOST_STREAMS = 256
MOST_ITERATIONS = 10**9
MOST_ARRIVALS = 10**7  # queries of one round, whose schedule is made before the round begins
PAIRED_S = 0.1  # of a round that is compared with its neighbour; machines change speed within seconds
PAIRED_ROUNDS = 30  # at least; the interval then lies within the middle 16 of them
PAIRED_ARRIVALS = 10  # queries of a round that arrive, on average
MOST_PROCESSES = 32
ROUNDS_OF_PROCESS = 4  # at least; two in each order of the artifacts
PAIRED_LEAST = 9  # rounds, one long query each if it is offline; with fewer than 8 there is no interval


@dataclass(frozen=True)
class BenchPlan:
    """What to measure on each artifact: every batch with every number of streams, for `duration_s` seconds
    and at least `iterations` queries, split into `rounds`.

    "latency" sends queries in a closed loop. The others follow MLPerf's scenarios of these names: "offline"
    sends one long query a round, "server" lets `rate` queries arrive per second. `batches` is images per
    query; empty, it is what `BATCHES` has for the scenario.

    With `max_time_s`, more rounds are taken until the intervals of medians and ratios are narrower than
    `precision_goal`, a share, or one workload has taken so many seconds, and rounds that other programs
    disturbed are taken again. `processes` of each artifact share the rounds.

    Raises UsageError for numbers out of range, and for a `rate` that the scenario has no use for.
    """

    batches: tuple[int, ...] = ()
    streams: tuple[int, ...] = (1,)
    duration_s: float = 3.0
    iterations: int = 10
    warm_up_s: float = 0.4
    rounds: int = 5
    scenario: Scenario = "latency"
    rate: float | None = None
    idle_s: float = 1.0
    percentiles: tuple[float, ...] = DEFAULT_PERCENTILES
    precision_goal: float = GOAL
    max_time_s: float | None = None
    processes: int = 1

    def __post_init__(self) -> None:
        if self.scenario not in SCENARIOS:
            raise UsageError(f"{self.scenario!r} is not a scenario; those are {', '.join(SCENARIOS)}.")
        if not self.batches:
            object.__setattr__(self, "batches", BATCHES[self.scenario])
        _whole_numbers("Batch sizes", self.batches, MOST_IMAGES)
        _whole_numbers("Numbers of streams", self.streams, MOST_STREAMS)
        _whole_numbers("The number of queries", (self.iterations,), MOST_ITERATIONS)
        if not all(math.isfinite(value) for value in (self.duration_s, self.warm_up_s, self.idle_s)):
            raise UsageError("The times of a benchmark are finite.")
        if self.duration_s <= 0 or min(self.warm_up_s, self.idle_s) < 0 or self.rounds < 2:
            raise UsageError("A benchmark needs some time to measure in, and 2 rounds or more.")
        if not self.percentiles or not all(0 < percent < 100 for percent in self.percentiles):
            raise UsageError("Percentiles lie between 0 and 100.")
        if not 0 < self.precision_goal < 1:
            raise UsageError("A precision goal is a share between 0 and 1, such as 0.03.")
        if self.max_time_s is not None and not 0 < self.max_time_s < math.inf:
            raise UsageError("The most time of a workload is above 0 seconds, and finite.")
        if self.processes != 1 and not LEAST_UNITS <= self.processes <= MOST_PROCESSES:
            raise UsageError(
                f"Measure in one process of each artifact, or in {LEAST_UNITS} to {MOST_PROCESSES}: "
                "fewer say nothing of how processes differ."
            )
        self._check_rate()

    def _check_rate(self) -> None:
        if (self.scenario == "server") != (self.rate is not None):
            raise UsageError("The scenario server needs a rate of queries per second, and no other has one.")
        if self.rate is None:
            return
        queries = self.rate * self.round_s
        if not 1 <= queries <= MOST_ARRIVALS:
            raise UsageError(
                f"At {self.rate:g} queries per second, {queries:.3g} arrive in each of {self.rounds} rounds; "
                f"1 to {MOST_ARRIVALS:,} can be measured. Choose another rate or duration."
            )

    @property
    def round_s(self) -> float:
        """Seconds of one round."""
        return self.duration_s / self.rounds

    def workloads(self) -> list[tuple[int, int]]:
        """Return (images per query, queries in flight) of each measurement."""
        return [(batch, streams) for batch in self.batches for streams in self.streams]

    def in_pairs(self) -> BenchPlan:
        """Return this plan with the many rounds that comparing artifacts round by round takes."""
        many = max(PAIRED_ROUNDS, round(self.duration_s / PAIRED_S))
        if self.rate is not None:  # a round without queries has no median
            many = min(many, int(self.rate * self.duration_s / PAIRED_ARRIVALS))
        few = self.scenario == "offline" or many < PAIRED_LEAST
        return dataclasses.replace(self, rounds=PAIRED_LEAST if few else many).for_processes()

    def for_processes(self) -> BenchPlan:
        """Return this plan with at least ROUNDS_OF_PROCESS rounds for each of its processes."""
        if self.processes == 1:
            return self
        return dataclasses.replace(self, rounds=max(self.rounds, ROUNDS_OF_PROCESS * self.processes))


def _whole_numbers(what: str, values: tuple[int, ...], most: int) -> None:
    if not values or not all(1 <= value <= most for value in values):
        raise UsageError(f"{what} lie between 1 and {most:,}.")
