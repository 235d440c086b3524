"""How long a query takes and how many images that makes a second, measured so that it can be argued about.

Each artifact has a process of its own, because the spinning thread pools of two runtimes slow each other
down, and the processes work in rounds, so that a machine that slows down slows all of them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from ..device import installed_versions, machine_facts
from ..session import Session
from ..telemetry import Recorder, Telemetry, Unreadable, energy, sample_telemetry, verdict
from .lock import only_benchmark
from .phases import take_phases
from .plan import BenchPlan
from .process import contexts_prepared, first_call, peak_memory_bytes, run_round, warm_up
from .record import BenchReport, Course, Measurement, WarmUp
from .rounds import Round, RoundsTaken, take_rounds
from .surroundings import MachineSurroundings
from .worker import Opener, Worker
from .workload import Samples, poisson_arrivals, timer_overhead_ns

Say = Callable[[str], None]
Item = TypeVar("Item")
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
        stack.enter_context(only_benchmark(say))
        teams = [
            Team(name, [stack.enter_context(Worker(name, opener)) for _ in range(plan.processes)])
            for name, opener in openers
        ]
        with sample_telemetry(root=root) as recorder:
            say("reading the machine at rest")
            recorder.idle(plan.idle_s)
            for batch, streams in plan.workloads():
                measurements += _measure_workload(teams, plan, batch, streams, recorder, root, say)
    telemetry = recorder.telemetry()
    return BenchReport(
        plan=dataclasses.asdict(plan),
        measurements=tuple(_judged(measurement, telemetry) for measurement in measurements),
        machine=machine_facts(root),
        versions=installed_versions(),
        telemetry=telemetry.to_dict(),
    )


@dataclass(frozen=True)
class Team:
    """The processes of one artifact."""

    name: str
    workers: Sequence[Worker]

    def ask(self, function: Callable[..., Any], *arguments: Any) -> list[Any]:
        """Return the value of `function` from each process, asked one after the other."""
        return [worker.call(function, *arguments) for worker in self.workers]


def _measure_workload(
    teams: Sequence[Team],
    plan: BenchPlan,
    batch: int,
    streams: int,
    recorder: Recorder,
    root: Path,
    say: Say,
) -> list[Measurement]:
    """Measure all artifacts under one workload; each round is a window of the telemetry."""
    what = f"batch {batch}" + (f", {streams} streams" if streams > 1 else "")
    say(f"{what}: warming up")
    first_calls = [team.ask(first_call, batch, streams) for team in teams]
    warm_ups = [_together(team.ask(warm_up, batch, streams, plan.warm_up_s)) for team in teams]
    before = [_prepared(team) for team in teams]

    def take(number: int, process: int) -> Round:
        if number < plan.rounds:
            say(f"{what}: round {number + 1} of {plan.rounds}")
        elif number == plan.rounds:
            say(f"{what}: more rounds, until the figures are precise")
        samples: dict[str, Samples] = {}
        spans: dict[str, tuple[int, int]] = {}
        for team in in_fair_order(list(teams), number):
            begin = time.perf_counter_ns()
            samples[team.name] = team.workers[process].call(run_round, plan, batch, streams, number)
            spans[team.name] = begin, time.perf_counter_ns()
        names = [team.name for team in teams]
        return Round(
            number,
            process,
            tuple(samples[name] for name in names),
            tuple(spans[name] for name in names),
            surroundings.look(),
        )

    pids = [os.getpid(), *(worker.pid for team in teams for worker in team.workers)]
    surroundings = MachineSurroundings(root, pids, recorder, _device(teams[0].workers[0].facts))
    taken = take_rounds(take, plan, surroundings)
    for each in taken.counted:
        for team, span in zip(teams, each.spans, strict=True):
            recorder.mark(label(team.name, batch, streams), *span)
    return [
        _measurement(
            team,
            place,
            plan,
            taken,
            warm,
            batch,
            streams,
            first_call_ms=statistics.median(first),
            prepared=prepared,
        )
        for place, (team, warm, first, prepared) in enumerate(
            zip(teams, warm_ups, first_calls, before, strict=True)
        )
    ]


def _measurement(
    team: Team,
    place: int,
    plan: BenchPlan,
    taken: RoundsTaken,
    warm: WarmUp,
    batch: int,
    streams: int,
    *,
    first_call_ms: float,
    prepared: int,
) -> Measurement:
    """Return the measurement of `team`, whose samples are at `place` in each of the rounds `taken`."""
    worker = team.workers[0]
    memory = [peak for peak in team.ask(peak_memory_bytes) if peak is not None]
    rounds = [each.samples[place] for each in taken.counted]
    return Measurement(
        name=team.name,
        sha256=worker.sha256,
        precision=worker.precision,
        verification=worker.verification,
        scenario=plan.scenario,
        batch=batch,
        streams=streams,
        session=worker.call(_facts),
        warm_up=warm,
        rounds=tuple(rounds),
        loop="open" if plan.scenario == "server" else "closed",
        percentiles=plan.percentiles,
        timer_ns=worker.call(_timer_overhead),
        reasons=((COLD,) if _prepared(team) > prepared else ())
        + _overload(plan, rounds, [each.number for each in taken.counted]),
        phases=worker.call(take_phases, batch),
        processes=tuple(each.process for each in taken.counted) if plan.processes > 1 else (),
        set_aside=tuple(each.samples[place] for each in taken.set_aside),
        course=Course(
            taken.waits,
            taken.waited_s,
            sum(bool(each.disturbance) for each in taken.counted),
            taken.disturbances,
            plan.precision_goal if plan.max_time_s is not None else None,
        ),
        load_s=statistics.median(worker.load_s for worker in team.workers),
        first_call_ms=first_call_ms,
        peak_memory_bytes=max(memory, default=None),
    )


def _together(warm_ups: Sequence[WarmUp]) -> WarmUp:
    """Return the warm-ups of all processes of an artifact as one."""
    return WarmUp(
        sum(each.calls for each in warm_ups),
        sum(each.seconds for each in warm_ups),
        all(each.settled for each in warm_ups),
    )


def _prepared(team: Team) -> int:
    return sum(contexts_prepared(facts) for facts in team.ask(_facts))


def _device(facts: dict[str, Any]) -> Literal["cpu", "gpu"]:
    return "cpu" if facts.get("device", "cpu") == "cpu" else "gpu"


def _overload(plan: BenchPlan, rounds: Sequence[Samples], numbers: Sequence[int]) -> tuple[str, ...]:
    """Return the reason that not every query that arrived was served, if that is so."""
    if plan.rate is None:
        return ()
    arrived = sum(len(poisson_arrivals(plan.rate, plan.round_s, number)) for number in numbers)
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
    device = _device(measurement.session)
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


def _facts(session: Session) -> dict[str, Any]:
    """Return what the session says of itself after its runs: engines learn at the first run of a size."""
    return session.facts.to_dict()


def _timer_overhead(_: Session) -> float:
    return timer_overhead_ns()
