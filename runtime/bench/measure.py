"""How long a query takes and how many images that makes a second, measured so that it can be argued about.

Each artifact has a process of its own, because the spinning thread pools of two runtimes slow each other
down, and the processes take turns, so that a machine that slows down slows all of them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from dcgan_edge.errors import UsageError

from ..device import installed_versions, machine_facts
from ..session import Session
from ..telemetry import Recorder, Telemetry, Unreadable, energy, sample_telemetry, verdict
from .loadgen import SCENARIOS as LOADGEN_SCENARIOS
from .loadgen import run_loadgen
from .phases import take_phases
from .record import BenchReport, Measurement, WarmUp
from .statistics import DEFAULT_PERCENTILES
from .worker import Opener, Worker
from .workload import (
    Clock,
    Samples,
    closed_loop,
    one_query,
    open_loop,
    poisson_arrivals,
    timer_overhead_ns,
)

Say = Callable[[str], None]
Item = TypeVar("Item")
Scenario = Literal["latency", "single-stream", "multi-stream", "offline", "server"]
WARM_AGREEMENT = 0.02  # medians of two warm-up windows that differ by less have settled
WARM_WINDOW_S = 0.2
WARM_LIMIT_S = 5.0
WARM_LARGEST = 64  # images; queries of thousands would make warm-up and phases as long as the measurement
MULTI_STREAM_IMAGES = 8  # images of one query, MLPerf's MultiStream
PAIRED_S = 0.1  # of a round that is compared with its neighbour; machines change speed within seconds
PAIRED_ROUNDS = 30  # at least; the interval then lies within the middle 16 of them
PAIRED_OFFLINE = 9  # rounds of one long query each; with fewer than 8 there is no interval
OFFLINE_IMAGES = 24_576  # images of the one query, MLPerf's Offline


@dataclass(frozen=True)
class BenchPlan:
    """What to measure on each artifact: every batch with every number of streams, for `duration_s` seconds
    and `iterations` queries at least, split into `rounds`.

    "latency" sends queries of each batch in a closed loop; the others follow the rules of MLPerf's scenarios
    of these names, which fix the batch; "server" needs `rate`, queries a second.
    """

    batches: tuple[int, ...] = (1, 16)
    streams: tuple[int, ...] = (1,)
    duration_s: float = 3.0
    iterations: int = 10
    warm_up_s: float = 0.4
    rounds: int = 5
    scenario: Scenario = "latency"
    rate: float | None = None
    offline_images: int = OFFLINE_IMAGES
    loadgen: bool = False
    idle_s: float = 1.0
    percentiles: tuple[float, ...] = DEFAULT_PERCENTILES

    def __post_init__(self) -> None:
        positive = (*self.batches, *self.streams, self.duration_s, self.iterations, self.offline_images)
        if not self.batches or not self.streams or min(positive) <= 0 or self.rounds < 2:
            raise UsageError("A benchmark needs batches and streams of 1 or more, some time, and 2 rounds.")
        if not all(0 < percent < 100 for percent in self.percentiles):
            raise UsageError("Percentiles lie between 0 and 100.")
        if (self.scenario == "server") != (self.rate is not None):
            raise UsageError("The scenario server needs a rate of queries a second, and only that one.")
        if self.rate is not None and not self.rate > 0:
            raise UsageError(f"A rate is above 0, not {self.rate}.")
        if self.loadgen and self.scenario not in LOADGEN_SCENARIOS:
            raise UsageError(f"LoadGen runs beside the scenarios {' and '.join(LOADGEN_SCENARIOS)}.")

    def workloads(self) -> list[tuple[int, int]]:
        """(batch, streams) of each measurement."""
        fixed = {"multi-stream": MULTI_STREAM_IMAGES, "offline": self.offline_images}
        single = 1 if self.scenario in ("single-stream", "server") else fixed.get(self.scenario)
        batches = self.batches if single is None else (single,)
        return [(batch, streams) for batch in batches for streams in self.streams]


def paired_rounds(scenario: Scenario, duration_s: float) -> int:
    """How many rounds artifacts take that are compared round by round."""
    return PAIRED_OFFLINE if scenario == "offline" else max(PAIRED_ROUNDS, round(duration_s / PAIRED_S))


def bench(
    openers: Sequence[tuple[str, Opener]],
    plan: BenchPlan,
    *,
    root: Path = Path("/"),
    progress: Say | None = None,
) -> BenchReport:
    """Measure each named opener as `plan` says, each in a process of its own, taking turns.

    An opener is a picklable function without arguments that returns an open session. The machine's own
    readings (power, clocks, temperatures, other load) are taken beside it from the files below `root`.
    `progress` is told what is being measured.

    Raises what an opener raises, and EdgeError when a process dies.
    """
    say = progress or (lambda step: None)
    measurements: list[Measurement] = []
    with contextlib.ExitStack() as stack:
        workers = [stack.enter_context(Worker(name, opener)) for name, opener in openers]
        with sample_telemetry(root=root) as recorder:
            say("watching the machine at rest")
            recorder.idle(plan.idle_s)
            for batch, streams in plan.workloads():
                measurements += _measure_workload(workers, plan, batch, streams, recorder, say)
    telemetry = recorder.telemetry()
    return BenchReport(
        plan=dataclasses.asdict(plan),
        measurements=tuple(_judged(measurement, telemetry) for measurement in measurements),
        machine=machine_facts(root),
        versions=installed_versions(),
        telemetry=telemetry.to_dict(),
    )


def _measure_workload(
    workers: Sequence[Worker], plan: BenchPlan, batch: int, streams: int, recorder: Recorder, say: Say
) -> list[Measurement]:
    """All workers under one workload, round by round; each round is a window of the telemetry."""
    what = f"batch {batch}" + (f", {streams} streams" if streams > 1 else "")
    say(f"{what}: warming up")
    warm_ups = [worker.call(warm_up, min(batch, WARM_LARGEST), plan.warm_up_s) for worker in workers]
    rounds: list[list[Samples]] = [[] for _ in workers]
    loadgen: list[list[dict[str, Any]]] = [[] for _ in workers]
    for round_ in range(plan.rounds):
        say(f"{what}: round {round_ + 1} of {plan.rounds}")
        for worker, samples, others in _shuffled(list(zip(workers, rounds, loadgen, strict=True)), round_):
            with recorder.window(label(worker.name, batch, streams)):
                samples.append(worker.call(run_round, plan, batch, streams, round_))
            if plan.loadgen:
                others.append(worker.call(run_loadgen, plan.scenario, plan.duration_s / plan.rounds))
    return [
        Measurement(
            name=worker.name,
            sha256=worker.sha256,
            precision=worker.precision,
            scenario=plan.scenario,
            batch=batch,
            streams=streams,
            session=worker.call(_facts),
            warm_up=warm,
            rounds=tuple(samples),
            loop="open" if plan.scenario == "server" else "closed",
            percentiles=plan.percentiles,
            timer_ns=worker.call(_timer_overhead),
            loadgen=tuple(others),
            phases=worker.call(take_phases, batch) if batch <= WARM_LARGEST else (),
        )
        for worker, warm, samples, others in zip(workers, warm_ups, rounds, loadgen, strict=True)
    ]


def _shuffled(items: list[Item], round_: int) -> list[Item]:
    """`items` in the order of a round, such that over the rounds none is favoured by its place: each begins
    in its round, and every second time the order is reversed.
    """
    first = round_ // 2 % len(items)
    order = items[first:] + items[:first]
    return order if round_ % 2 == 0 else order[::-1]


def _judged(measurement: Measurement, telemetry: Telemetry) -> Measurement:
    """The measurement with what the telemetry says against it, and the energy that it took."""
    window = label(measurement.name, measurement.batch, measurement.streams)
    device: Literal["cpu", "gpu"] = "cpu" if measurement.session.get("device", "cpu") == "cpu" else "gpu"
    images = measurement.batch * sum(len(round_) for round_ in measurement.rounds)
    used = energy(telemetry, window, images=images)
    return dataclasses.replace(
        measurement,
        reasons=verdict(telemetry, window, device=device),
        energy={"not_readable": str(used)} if isinstance(used, Unreadable) else used.to_dict(),
    )


def label(name: str, batch: int, streams: int) -> str:
    """The name of a measurement's windows in the telemetry."""
    return f"{name}, batch {batch}, streams {streams}"


def run_round(session: Session, plan: BenchPlan, batch: int, streams: int, round_: int) -> Samples:
    """One round of `plan` on an open session."""
    seconds = plan.duration_s / plan.rounds
    if plan.scenario == "offline":
        return one_query(session, batch)
    if plan.scenario == "server":
        assert plan.rate is not None  # the plan has checked it
        return open_loop(session, batch, poisson_arrivals(plan.rate, seconds, round_), streams=streams)
    least = -(-plan.iterations // plan.rounds)
    return closed_loop(session, batch, seconds, least=least, streams=streams)


def warm_up(
    session: Session, batch: int, at_least_s: float = 0.0, *, clock: Clock = time.perf_counter_ns
) -> WarmUp:
    """Run until the medians of two windows of 0.2 s agree within 2 %, for 5 s at the most."""
    start, calls, previous = clock(), 0, 0.0
    while True:
        window = closed_loop(session, batch, WARM_WINDOW_S, clock=clock)
        calls += len(window)
        median, seconds = statistics.median(window.latency_ns.tolist()), (clock() - start) / 1e9
        settled = abs(median - previous) <= WARM_AGREEMENT * median and seconds >= at_least_s
        if settled or seconds >= max(WARM_LIMIT_S, at_least_s):
            return WarmUp(calls, seconds, settled)
        previous = median


def _facts(session: Session) -> dict[str, Any]:
    """What the session says of itself after its runs: engines learn at the first run of a batch size."""
    return session.facts.to_dict()


def _timer_overhead(_: Session) -> float:
    return timer_overhead_ns()
