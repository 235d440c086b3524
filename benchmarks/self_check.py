"""`python -m benchmarks.self_check ARTIFACT.onnx`: can the benchmark be believed on this machine?

Its figures are held against a loop that shares no code with it and against MLPerf's LoadGen; runs of the same
artifact must not be called a regression, and a planted one must be; other programs must be named. Prints a
row for each check and exits with 1 when one does not hold. Takes minutes; let nothing else run.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import itertools
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np

from benchmarks.command import errors_said
from benchmarks.loadgen import run_single_stream
from dcgan_edge.cli.progress import steps
from dcgan_edge.latents import FloatArray, latents
from dcgan_edge.runtime.bench.comparison import DEFAULT_GATE, compare, compare_rounds, parse_gate
from dcgan_edge.runtime.bench.measure import Say, measure
from dcgan_edge.runtime.bench.plan import BenchPlan
from dcgan_edge.runtime.bench.process import warm_up
from dcgan_edge.runtime.bench.record import BenchReport, Comparison, Measurement
from dcgan_edge.runtime.bench.statistics import percentile
from dcgan_edge.runtime.bench.worker import Opener, Worker
from dcgan_edge.runtime.bench.workload import closed_loop
from dcgan_edge.runtime.session import Session, SessionFacts, open_session

PLAIN, LOADGEN = 0.03, 0.05  # how far apart figures of the same session may lie
OVERHEAD = 0.03  # of a call of our runtime over a bare one
SLOWDOWN = 0.10
BASELINE = "baseline"
WAIT_S = 0.002
HOG = "while True: pass"


@dataclass(frozen=True)
class Check:
    """One promise of the benchmark, and what was found."""

    promise: str
    found: str
    holds: bool


@click.command()
@click.argument("artifact", type=click.Path(path_type=Path, exists=True))
@click.option("--rounds", default=20, show_default=True, help="Of each loop, alternating.")
@click.option("--seconds", default=1.0, show_default=True, help="Of each round.")
@click.option(
    "--pairs", default=20, show_default=True, help="Runs with the same beside it, and a slower one."
)
@click.option("--duration", default=8.0, show_default=True, help="Seconds measured of each in such a run.")
@click.option("--threads", default=1, show_default=True, help="Of ONNX Runtime; LoadGen has some of its own.")
@errors_said()
def main(artifact: Path, rounds: int, seconds: float, pairs: int, duration: float, threads: int) -> None:
    """Check the benchmark with ARTIFACT, an ONNX file that runs on this CPU."""
    opener = functools.partial(open_session, artifact, device="cpu", threads=threads)
    with steps() as say:
        found = [
            *agreement(opener, rounds, seconds, say),
            *regressions(opener, duration, pairs, say),
            *other_load(opener, say),
        ]
    for check in found:
        click.echo(f"{'holds' if check.holds else 'FAILS'}  {check.promise}: {check.found}")
    sys.exit(not all(check.holds for check in found))


def agreement(opener: Opener, rounds: int, seconds: float, say: Say) -> Iterator[Check]:
    """Our loop, a plain one and LoadGen alternate on one session in one process."""
    loops: dict[str, Callable[[Worker], dict[str, float]]] = {
        "ours": lambda worker: _figures(worker.call(closed_loop, 1, seconds).latency_ms),
        "plain": lambda worker: _figures(worker.call(plain_loop, seconds)),
    }
    if importlib.util.find_spec("mlperf_loadgen"):
        loops["LoadGen"] = lambda worker: worker.call(run_single_stream, seconds)
    with Worker("ours", opener) as worker:
        worker.call(warm_up, 1)
        taken: dict[str, list[dict[str, float]]] = {name: [] for name in loops}
        for number in range(rounds):
            say(f"agreement: round {number + 1} of {rounds}")
            for name in _rotated(list(loops), number):
                taken[name].append(loops[name](worker))
    median, ratio = _paired(taken["ours"], taken["plain"], "p50_ms")
    words = f"{median[0]:.4f} ms against {median[1]:.4f} ms, {ratio - 1:+.2%}"
    yield Check(f"median within {PLAIN:.0%} of a plain loop", words, abs(ratio - 1) <= PLAIN)
    pairs = zip(taken["ours"], taken["plain"], strict=True)
    more = statistics.median(our["p50_ms"] - their["p50_ms"] for our, their in pairs)
    extra = f"{more * 1000:+.1f} us in each call, {ratio - 1:+.2%}"
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


def regressions(opener: Opener, duration: float, pairs: int, say: Say) -> Iterator[Check]:
    """The same artifact and a slower one alternate with a baseline, `pairs` times; run against run, too."""
    plan = BenchPlan((1,), duration_s=duration).in_pairs()
    openers: list[tuple[str, Opener]] = [
        (BASELINE, opener), ("same", opener), ("slower", functools.partial(open_slowed, opener)),
    ]  # fmt: skip
    gates = [parse_gate(DEFAULT_GATE)]
    reports: list[BenchReport] = []
    for pair in range(pairs):
        say(f"regressions: run {pair + 1} of {pairs}")
        reports.append(measure(openers, plan))
    beside = [
        each
        for report in reports
        for each in compare_rounds(report, dict.fromkeys(("same", "slower"), BASELINE), gates)
    ]
    apart = [
        each for pair in itertools.pairwise(reports) for each in compare(*pair, gates) if each.name == "same"
    ]
    yield _alarms(
        "the same beside it is no regression", [each for each in beside if each.name == "same"], False
    )
    yield _alarms("10 % slower beside it is one", [each for each in beside if each.name == "slower"], True)
    yield _alarms("the same in the next run is no regression", apart, False)


def _alarms(promise: str, found: Sequence[Comparison], expected: bool) -> Check:
    alarms = sum(each.regression for each in found)
    changes = [each.change for each in found]
    words = f"{alarms} of {len(found)} are ({min(changes):+.1%} to {max(changes):+.1%})"
    return Check(f"{promise}, {DEFAULT_GATE}", words, alarms == (len(found) if expected else 0))


def other_load(opener: Opener, say: Say) -> Iterator[Check]:
    """Runs of a session that only waits and of the artifact: alone, and with a busy program that joins in
    the middle.
    """
    plan = BenchPlan((1,), rounds=10)
    openers: list[tuple[str, Opener]] = [
        ("waiting", functools.partial(open_waiting, opener)),
        ("ours", opener),
    ]
    for name, each in openers:
        (quiet,) = measure([(name, each)], plan, progress=lambda step: say(f"alone: {step}")).measurements
        promise = f"STABLE when nothing else runs, {name}"
        yield Check(promise, f"{quiet.verdict} {_reasons(quiet)}", quiet.verdict == "STABLE")
    for name, each in openers:
        with contextlib.ExitStack() as stack:

            def join(step: str, stack: contextlib.ExitStack = stack) -> None:
                say(f"joined: {step}")
                if step.endswith(f"round {plan.rounds // 2 + 1} of {plan.rounds}"):
                    stack.enter_context(_hog())

            (busy,) = measure([(name, each)], plan, progress=join).measurements
        named = busy.verdict == "UNSTABLE" and "other programs" in _reasons(busy)
        promise = f"UNSTABLE, by other programs, when a busy program joins, {name}"
        yield Check(promise, f"{busy.verdict} {_reasons(busy)}", named)


def _reasons(measurement: Measurement) -> str:
    return "; ".join(measurement.unstable_because)


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

    def __init__(
        self, session: Session, share: float, *, clock: Callable[[], int] = time.perf_counter_ns
    ) -> None:
        self._session, self._share, self._clock = session, share, clock
        self.manifest = session.manifest

    @property
    def facts(self) -> SessionFacts:
        """Those of the session inside."""
        return self._session.facts

    def run(self, latents: FloatArray) -> FloatArray:
        """Return the images of the session inside, later."""
        start = self._clock()
        images = self._session.run(latents)
        now = self._clock()
        end = now + int((now - start) * self._share)
        while self._clock() < end:
            pass
        return images

    def close(self) -> None:
        """Close the session inside."""
        self._session.close()


class Waiting(Session):
    """A session whose calls take WAIT_S on any machine, however its speed changes."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.manifest = session.manifest

    @property
    def facts(self) -> SessionFacts:
        """Those of the session inside."""
        return self._session.facts

    def run(self, latents: FloatArray) -> FloatArray:
        """Return the latents after WAIT_S."""
        time.sleep(WAIT_S)
        return latents

    def close(self) -> None:
        """Close the session inside."""
        self._session.close()


def open_waiting(opener: Opener) -> Session:
    """Open a session that waits instead of what `opener` opens."""
    return Waiting(opener())


def open_slowed(opener: Opener) -> Session:
    """Open what `opener` opens, slowed down by SLOWDOWN."""
    return Slowed(opener(), SLOWDOWN)


def _figures(latency_ms: Any) -> dict[str, float]:
    ordered = np.sort(np.asarray(latency_ms)).tolist()
    return {"p50_ms": statistics.median(ordered), "p90_ms": percentile(ordered, 90)}


def _paired(
    ours: list[dict[str, float]], theirs: list[dict[str, float]], key: str
) -> tuple[tuple[float, float], float]:
    """The medians over rounds of both, and the median of their ratio round by round."""
    ratio = statistics.median(our[key] / their[key] for our, their in zip(ours, theirs, strict=True))
    medians = tuple(statistics.median(each[key] for each in taken) for taken in (ours, theirs))
    return (medians[0], medians[1]), ratio


def _rotated(names: list[str], number: int) -> list[str]:
    first = number % len(names)
    return names[first:] + names[:first]


if __name__ == "__main__":
    main()
