"""What is done to a session inside its process: the first call, the warm-up, the rounds."""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import Any

from ..session import Session
from ..telemetry.reader import read_or
from .measurement import WarmUp
from .plan import BenchPlan
from .workload import (
    Clock,
    Samples,
    batch_latents,
    closed_loop,
    make_ready,
    one_query,
    open_loop,
    poisson_arrivals,
)

WARM_AGREEMENT = 0.02  # medians of two warm-up windows that differ by less have settled
WARM_WINDOW_S = 0.2
WARM_LIMIT_S = 5.0
WARM_LARGEST = 64  # images, or what the session takes at once: long queries are pieces of that size
PEAK = (
    "VmHWM:"  # kB; the peak of getrusage would be that of the process which started this one, if it was more
)


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


def first_call(
    session: Session, batch: int, streams: int = 1, *, clock: Clock = time.perf_counter_ns
) -> float:
    """Return the milliseconds of the first query of `batch` images, with what has to be prepared for it."""
    z = batch_latents(session, min(batch, max(WARM_LARGEST, session.manifest.batch.max)))
    start = clock()
    make_ready(session, batch, streams)
    session.raw(z)
    return (clock() - start) / 1e6


def peak_memory_bytes(_: Session, *, root: Path = Path("/")) -> int | None:
    """Return the most memory that this process has had resident, None where the system does not say."""
    for line in read_or(root / "proc/self/status").splitlines():
        if line.startswith(PEAK):
            return int(line.split()[1]) * 1024
    return None


def contexts_prepared(facts: dict[str, Any]) -> int:
    """Return how many batch sizes a session, whose `facts` these are, has prepared on its streams so far."""
    return int(facts.get("details", {}).get("contexts_prepared", 0))
