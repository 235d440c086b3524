"""How long a query takes and how many images that makes a second, measured so that it can be argued about.

Each artifact has a process of its own, because the spinning thread pools of two runtimes slow each other
down, and the processes work in rounds, so that a machine that slows down slows all of them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

from ..device import installed_versions, machine_facts
from ..session import Session
from ..telemetry import Recorder, Telemetry, Unreadable, energy, sample_telemetry, verdict
from .phases import take_phases
from .plan import BenchPlan
from .record import BenchReport, Measurement, WarmUp
from .worker import Opener, Worker
from .workload import (
    Clock,
    Samples,
    closed_loop,
    make_ready,
    one_query,
    open_loop,
    poisson_arrivals,
    timer_overhead_ns,
)

Say = Callable[[str], None]
Item = TypeVar("Item")
WARM_AGREEMENT = 0.02  # medians of two warm-up windows that differ by less have settled
WARM_WINDOW_S = 0.2
WARM_LIMIT_S = 5.0
WARM_LARGEST = 64  # images, or what the session takes at once: long queries are pieces of that size
COLD = "some of it ran for the first time while it was measured"


def measure(
    openers: Sequence[tuple[str, Opener]],
    plan: BenchPlan,
    *,
    root: Path = Path("/"),
    progress: Say | None = None,
) -> BenchReport:
    """Measure each named opener as `plan` says, each in a process of its own, round by round.

    An opener is a picklable function without arguments that returns an open session. The machine's own
    readings (power, clocks, temperatures, CPU load of others) are taken meanwhile from the files below
    `root`. `progress` is told what is being measured.

    Raises what an opener raises, and EdgeError when a process dies.
    """
    say = progress or (lambda step: None)
    measurements: list[Measurement] = []
    with contextlib.ExitStack() as stack:
        workers = [stack.enter_context(Worker(name, opener)) for name, opener in openers]
        with sample_telemetry(root=root) as recorder:
            say("reading the machine at rest")
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
    """Measure all workers under one workload; each round is a window of the telemetry."""
    what = f"batch {batch}" + (f", {streams} streams" if streams > 1 else "")
    say(f"{what}: warming up")
    warm_ups = [worker.call(warm_up, batch, streams, plan.warm_up_s) for worker in workers]
    before = [contexts_prepared(worker.call(_facts)) for worker in workers]
    rounds: list[list[Samples]] = [[] for _ in workers]
    for number in range(plan.rounds):
        say(f"{what}: round {number + 1} of {plan.rounds}")
        for worker, samples in in_fair_order(list(zip(workers, rounds, strict=True)), number):
            with recorder.window(label(worker.name, batch, streams)):
                samples.append(worker.call(run_round, plan, batch, streams, number))
    return [
        Measurement(
            name=worker.name,
            sha256=worker.sha256,
            precision=worker.precision,
            verification=worker.verification,
            scenario=plan.scenario,
            batch=batch,
            streams=streams,
            session=(facts := worker.call(_facts)),
            warm_up=warm,
            rounds=tuple(samples),
            loop="open" if plan.scenario == "server" else "closed",
            percentiles=plan.percentiles,
            timer_ns=worker.call(_timer_overhead),
            reasons=((COLD,) if contexts_prepared(facts) > prepared else ()) + _overload(plan, samples),
            phases=worker.call(take_phases, batch),
        )
        for worker, warm, samples, prepared in zip(workers, warm_ups, rounds, before, strict=True)
    ]


def _overload(plan: BenchPlan, rounds: Sequence[Samples]) -> tuple[str, ...]:
    """Return the reason that not every query that arrived was served, if that is so."""
    if plan.rate is None:
        return ()
    arrived = sum(len(poisson_arrivals(plan.rate, plan.round_s, number)) for number, _ in enumerate(rounds))
    served = sum(map(len, rounds))
    if served == arrived:
        return ()
    return (f"it could not keep up with the rate: {served:,} of {arrived:,} queries were served",)


def in_fair_order(items: list[Item], number: int) -> list[Item]:
    """Return `items` in the order of round `number`, such that over the rounds none is favoured by its place:
    another one begins every second round, and in between the order is reversed.
    """
    first = number // 2 % len(items)
    order = items[first:] + items[:first]
    return order if number % 2 == 0 else order[::-1]


def _judged(measurement: Measurement, telemetry: Telemetry) -> Measurement:
    """Return the measurement with what the telemetry says against it, and the energy that it took."""
    window = label(measurement.name, measurement.batch, measurement.streams)
    device: Literal["cpu", "gpu"] = "cpu" if measurement.session.get("device", "cpu") == "cpu" else "gpu"
    images = measurement.batch * sum(len(samples) for samples in measurement.rounds)
    used = energy(telemetry, window, images=images)
    return dataclasses.replace(
        measurement,
        reasons=measurement.reasons + verdict(telemetry, window, device=device),
        energy={"not_readable": str(used)} if isinstance(used, Unreadable) else used.to_dict(),
    )


def label(name: str, batch: int, streams: int) -> str:
    """Return the name of a measurement's windows in the telemetry."""
    return f"{name}, batch {batch}, streams {streams}"


def run_round(session: Session, plan: BenchPlan, batch: int, streams: int, number: int) -> Samples:
    """Run round `number` of `plan`: queries of `batch` images, `streams` of them in flight."""
    if plan.scenario == "offline":
        return one_query(session, batch, streams=streams)
    if plan.scenario == "server":
        assert plan.rate is not None  # the plan has checked it
        return open_loop(session, batch, poisson_arrivals(plan.rate, plan.round_s, number), streams=streams)
    least = -(-plan.iterations // plan.rounds)
    return closed_loop(session, batch, plan.round_s, least=least, streams=streams)


def warm_up(
    session: Session,
    batch: int,
    streams: int = 1,
    at_least_s: float = 0.0,
    *,
    clock: Clock = time.perf_counter_ns,
) -> WarmUp:
    """Prepare every stream for queries of `batch` images, then send such queries on all `streams` until the
    medians of two windows of 0.2 s agree within 2 %, for 5 s at the most.
    """
    start, calls, previous = clock(), 0, 0.0
    make_ready(session, batch, streams)
    batch = min(batch, max(WARM_LARGEST, session.manifest.batch.max))
    while True:
        window = closed_loop(session, batch, WARM_WINDOW_S, streams=streams, clock=clock)
        calls += len(window)
        median, seconds = statistics.median(window.latency_ns.tolist()), (clock() - start) / 1e9
        settled = abs(median - previous) <= WARM_AGREEMENT * median and seconds >= at_least_s
        if settled or seconds >= max(WARM_LIMIT_S, at_least_s):
            return WarmUp(calls, seconds, settled)
        previous = median


def contexts_prepared(facts: dict[str, Any]) -> int:
    """Return how many batch sizes a session, whose `facts` these are, has prepared on its streams so far."""
    return int(facts.get("details", {}).get("contexts_prepared", 0))


def _facts(session: Session) -> dict[str, Any]:
    """Return what the session says of itself after its runs: engines learn at the first run of a size."""
    return session.facts.to_dict()


def _timer_overhead(_: Session) -> float:
    return timer_overhead_ns()
