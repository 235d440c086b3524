"""`python -m benchmarks.self_check ARTIFACT.onnx`: can the benchmark be believed on this machine?

Its figures are held against a loop that shares no code with it and against MLPerf's LoadGen; runs of the same
artefact must not be called a regression, and a planted one must be; other load must be named. Prints a row
for each check and exits with 1 when one does not hold. Takes minutes; let nothing else run.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np

from dcgan_edge.cli.progress import steps
from dcgan_edge.latents import FloatArray, latents
from dcgan_edge.runtime.bench import BenchPlan, Say, bench, warm_up
from dcgan_edge.runtime.bench_worker import Worker
from dcgan_edge.runtime.compare import DEFAULT_GATE, Comparison, compare, parse_gate
from dcgan_edge.runtime.load import closed_loop
from dcgan_edge.runtime.loadgen import run_loadgen
from dcgan_edge.runtime.record import BenchReport
from dcgan_edge.runtime.session import Session, open_session
from dcgan_edge.runtime.statistics import percentile

PLAIN, LOADGEN = 0.03, 0.05  # how far apart figures of the same session may lie
OVERHEAD = 0.03  # of a call of our runtime over a bare one
SLOWDOWN = 0.10
HOG = "while True: pass"


@dataclass(frozen=True)
class Check:
    """One promise of the benchmark, and what was found."""

    promise: str
    found: str
    holds: bool


@click.command()
@click.argument("artifact", type=click.Path(path_type=Path, exists=True))
@click.option("--turns", default=20, show_default=True, help="Of each loop, alternating.")
@click.option("--seconds", default=1.0, show_default=True, help="Of each turn.")
@click.option("--pairs", default=20, show_default=True, help="Runs of the same, and of a slower one.")
@click.option("--duration", default=3.0, show_default=True, help="Seconds measured in each run of a pair.")
def main(artifact: Path, turns: int, seconds: float, pairs: int, duration: float) -> None:
    """Check the benchmark with ARTIFACT, an ONNX file that runs on this CPU."""
    plan = BenchPlan((1,), duration_s=duration, turns=10)
    with steps() as say:
        found = [
            *agreement(artifact, turns, seconds, say),
            *regressions(artifact, plan, pairs, say),
            *other_load(artifact, plan, say),
        ]
    for check in found:
        click.echo(f"{'holds' if check.holds else 'FAILS'}  {check.promise}: {check.found}")
    sys.exit(not all(check.holds for check in found))


def agreement(artifact: Path, turns: int, seconds: float, say: Say) -> Iterator[Check]:
    """Our loop, a plain one and LoadGen take turns on one session in one process."""
    loops: dict[str, Callable[[Worker], dict[str, float]]] = {
        "ours": lambda worker: _figures(worker.call(closed_loop, 1, seconds).latency_ms),
        "plain": lambda worker: _figures(worker.call(plain_loop, seconds)),
    }
    if importlib.util.find_spec("mlperf_loadgen"):
        loops["LoadGen"] = lambda worker: worker.call(run_loadgen, "single-stream", seconds)
    with Worker(artifact.name, functools.partial(open_session, artifact, provider="cpu")) as worker:
        worker.call(warm_up, 1)
        taken: dict[str, list[dict[str, float]]] = {name: [] for name in loops}
        for turn in range(turns):
            say(f"agreement: turn {turn + 1} of {turns}")
            for name in _rotated(list(loops), turn):
                taken[name].append(loops[name](worker))
    median, ratio = _paired(taken["ours"], taken["plain"], "p50_ms")
    words = f"{median[0]:.4f} ms against {median[1]:.4f} ms, {ratio - 1:+.2%}"
    yield Check(f"median within {PLAIN:.0%} of a plain loop", words, abs(ratio - 1) <= PLAIN)
    extra = f"{(median[0] - median[1]) * 1000:+.1f} us in each call, {ratio - 1:+.2%}"
    yield Check(f"our runtime adds less than {OVERHEAD:.0%} to a bare call", extra, ratio - 1 < OVERHEAD)
    if "LoadGen" not in loops:
        yield Check("LoadGen agrees", "not installed: pip install mlcommons-loadgen", False)
        return
    p90, ratio = _paired(taken["ours"], taken["LoadGen"], "p90_ms")
    words = f"{p90[0]:.4f} ms against {p90[1]:.4f} ms, {ratio - 1:+.2%}"
    yield Check(f"p90 within {LOADGEN:.0%} of LoadGen's SingleStream", words, abs(ratio - 1) <= LOADGEN)


def plain_loop(session: Any, seconds: float) -> list[float]:
    """Milliseconds of calls of the bare onnxruntime session inside `session`, as anybody would take them."""
    bare, source = session._session, session.manifest.inputs[0].name
    z = latents([0], session.manifest.architecture.latent_dim, session.manifest.architecture.distribution)
    taken = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        bare.run(None, {source: z})
        taken.append((time.perf_counter() - start) * 1000)
    return taken


def regressions(artifact: Path, plan: BenchPlan, pairs: int, say: Say) -> Iterator[Check]:
    """Two runs of the same artefact, and one of the same made slower, `pairs` times."""
    found: dict[float, list[Comparison]] = {0.0: [], SLOWDOWN: []}
    for pair in range(pairs):
        say(f"regressions: pair {pair + 1} of {pairs}")
        base = _run(artifact, plan, 0.0)
        for slowdown, comparisons in found.items():
            comparisons += compare(base, _run(artifact, plan, slowdown), [parse_gate(DEFAULT_GATE)])
    for slowdown, comparisons in found.items():
        alarms = sum(each.outcome == "regression" for each in comparisons)
        changes = sorted(each.change for each in comparisons)
        middle = statistics.median(changes)
        words = f"{alarms} of {pairs} ({changes[0]:+.1%} to {changes[-1]:+.1%}, median {middle:+.1%})"
        promise = "a slowdown of 10 % is found" if slowdown else "the same artefact is no regression"
        yield Check(f"{promise}, gate {DEFAULT_GATE}", words, alarms == (pairs if slowdown else 0))


def other_load(artifact: Path, plan: BenchPlan, say: Say) -> Iterator[Check]:
    """A run on its own, and one that a busy program joins in the middle."""
    say("other load: without")
    (quiet,) = _run(artifact, plan, 0.0).measurements
    reasons = "; ".join(quiet.unstable_because)
    yield Check("STABLE when nothing else runs", f"{quiet.verdict} {reasons}", quiet.verdict == "STABLE")
    with contextlib.ExitStack() as stack:

        def join(step: str) -> None:
            say(f"other load: {step}")
            if f"turn {plan.turns // 2 + 1} of" in step:
                stack.enter_context(_hog())

        (busy,) = bench([(artifact.name, _opener(artifact, 0.0))], plan, progress=join).measurements
    reasons = "; ".join(busy.unstable_because)
    named = busy.verdict == "UNSTABLE" and "other load" in reasons
    yield Check("UNSTABLE, by other load, when a busy program joins", f"{busy.verdict} {reasons}", named)


@contextlib.contextmanager
def _hog() -> Iterator[int]:
    """A busy program that does not descend from this process, by its number."""
    started = subprocess.run(
        ["sh", "-c", '"$0" -c "$1" >/dev/null 2>&1 & echo $!', sys.executable, HOG],
        check=True,
        capture_output=True,
        text=True,
    )
    pid = int(started.stdout)
    try:
        yield pid
    finally:
        os.kill(pid, signal.SIGKILL)


class Slowed(Session):
    """A session each of whose calls takes a share longer than it would."""

    def __init__(self, session: Session, share: float) -> None:
        self._session, self._share = session, share
        self.manifest, self.facts = session.manifest, session.facts

    def run(self, latents: FloatArray) -> FloatArray:
        start = time.perf_counter_ns()
        images = self._session.run(latents)
        now = time.perf_counter_ns()
        end = now + int((now - start) * self._share)
        while time.perf_counter_ns() < end:
            pass
        return images

    def close(self) -> None:
        self._session.close()


def open_slowed(artifact: Path, share: float) -> Session:
    session = open_session(artifact, provider="cpu")
    return Slowed(session, share) if share else session


def _opener(artifact: Path, share: float) -> Callable[[], Session]:
    return functools.partial(open_slowed, artifact, share)


def _run(artifact: Path, plan: BenchPlan, share: float) -> BenchReport:
    return bench([(artifact.name, _opener(artifact, share))], plan)


def _figures(latency_ms: Any) -> dict[str, float]:
    ordered = np.sort(np.asarray(latency_ms)).tolist()
    return {"p50_ms": statistics.median(ordered), "p90_ms": percentile(ordered, 90)}


def _paired(
    ours: list[dict[str, float]], theirs: list[dict[str, float]], key: str
) -> tuple[tuple[float, float], float]:
    """The medians over turns of both, and the median of their ratio turn by turn."""
    ratio = statistics.median(our[key] / their[key] for our, their in zip(ours, theirs, strict=True))
    medians = tuple(statistics.median(each[key] for each in taken) for taken in (ours, theirs))
    return (medians[0], medians[1]), ratio


def _rotated(names: list[str], turn: int) -> list[str]:
    first = turn % len(names)
    return names[first:] + names[:first]


if __name__ == "__main__":
    main()
