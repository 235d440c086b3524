"""`python -m benchmarks.self_check ARTIFACT.onnx`: can the benchmark be believed on this machine?

Its figures are held against a loop that shares no code with it and against MLPerf's LoadGen; the same
artifact must be called the same or ambiguous, one that was slowed down slower, or ambiguous beside a busy
program; other programs must be named. Prints a row for each check and exits with 1 when one does not hold.
The part about outcomes is `--only answers`, and takes 2 * RUNS * MAX_TIME at the most, besides starting. Let
nothing else run.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import itertools
import statistics
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
from benchmarks.planted import hog, open_slowed, open_waiting
from dcgan_edge.cli.progress import steps
from dcgan_edge.latents import latents
from dcgan_edge.runtime.bench.comparison import DEFAULT_GATE, compare, compare_rounds, parse_gate
from dcgan_edge.runtime.bench.measure import Say, measure
from dcgan_edge.runtime.bench.plan import BenchPlan
from dcgan_edge.runtime.bench.process import warm_up
from dcgan_edge.runtime.bench.record import BenchReport, Comparison, Measurement
from dcgan_edge.runtime.bench.statistics import percentile
from dcgan_edge.runtime.bench.worker import Opener, Worker
from dcgan_edge.runtime.bench.workload import closed_loop
from dcgan_edge.runtime.session import open_session

PLAIN, LOADGEN = 0.03, 0.05  # how far apart figures of the same session may lie
OVERHEAD = 0.03  # of a call of our runtime over a bare one
SLOWDOWN = 0.10
PLANTED = 0.05  # that must be found
ANSWER_GATE = "p50>+3%"
BASELINE = "baseline"
OUTCOMES = ("faster", "same", "slower", "ambiguous")
PARTS = ("agreement", "regressions", "answers", "other-load")


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
@click.option(
    "--runs", default=20, show_default=True, help="Of the answers, alone and beside a busy program."
)
@click.option("--max-time", default=60.0, show_default=True, help="Seconds of such a run at the most.")
@click.option("--threads", default=1, show_default=True, help="Of ONNX Runtime; LoadGen has some of its own.")
@click.option("--only", multiple=True, type=click.Choice(PARTS), help="Check these only. [default: all]")
@errors_said()
def main(
    artifact: Path, rounds: int, seconds: float, pairs: int, duration: float, runs: int, max_time: float,
    threads: int, only: tuple[str, ...],
) -> None:  # fmt: skip
    """Check the benchmark with ARTIFACT, an ONNX file that runs on this CPU."""
    opener = functools.partial(open_session, artifact, device="cpu", threads=threads)
    with steps() as say:
        parts: dict[str, Callable[[], Iterator[Check]]] = {
            "agreement": lambda: agreement(opener, rounds, seconds, say),
            "regressions": lambda: regressions(opener, duration, pairs, say),
            "answers": lambda: answers(opener, runs, max_time, say),
            "other-load": lambda: other_load(opener, say),
        }
        found = [check for name in only or PARTS for check in parts[name]()]
    for check in found:
        click.echo(f"{'holds' if check.holds else 'FAILS'}  {check.promise}: {check.found}")
    sys.exit(not all(check.holds for check in found))


def answers(opener: Opener, runs: int, max_time: float, say: Say) -> Iterator[Check]:
    """The same artifact and a slower one beside a baseline, `runs` times alone and beside a busy program."""
    plan = BenchPlan((1,), duration_s=min(3.0, max_time / 3), max_time_s=max_time).in_pairs()
    slower = functools.partial(open_slowed, opener, PLANTED)
    openers: list[tuple[str, Opener]] = [(BASELINE, opener), ("same", opener), ("slower", slower)]
    for beside, company in (("", contextlib.nullcontext), (" beside a busy program", hog)):
        found: list[Comparison] = []
        begin = time.monotonic()
        with company():
            for number in range(runs):
                say(f"answers{beside}: run {number + 1} of {runs}")
                report = measure(openers, plan)
                names = dict.fromkeys(("same", "slower"), BASELINE)
                found += compare_rounds(report, names, [parse_gate(ANSWER_GATE)])
        took = f"{(time.monotonic() - begin) / runs:.0f} s a run"
        yield answer("the same is the same or ambiguous", beside, _named(found, "same"), took)
        yield answer(f"{PLANTED:.0%} slower is slower", beside, _named(found, "slower"), took)


def answer(promise: str, beside: str, found: Sequence[Comparison], took: str) -> Check:
    """Return the check of outcomes that are all of what is slower, or all of what is the same.

    Beside a busy program what is slower may be ambiguous too. A regression of what is the same, which would
    be exit code 4, is never right.
    """
    is_slower = found[0].name == "slower"
    right = {"slower"} if is_slower else {"same", "ambiguous"}
    allowed = right | ({"ambiguous"} if beside else set())
    counts = {outcome: sum(each.outcome == outcome for each in found) for outcome in OUTCOMES}
    said = ", ".join(f"{count} {outcome}" for outcome, count in counts.items() if count)
    alarms = sum(each.regression for each in found)
    changes = [each.change for each in found]
    words = f"{said}; {alarms} would exit with 4; {min(changes):+.1%} to {max(changes):+.1%}; {took}"
    reasons = "; ".join(dict.fromkeys(each.because.partition(" (")[0] for each in found if each.because))
    holds = all(each.outcome in allowed for each in found) and (is_slower or not alarms)
    return Check(promise + beside, f"{words}{f'; ambiguous, because {reasons}' if reasons else ''}", holds)


def _named(found: Sequence[Comparison], name: str) -> list[Comparison]:
    return [each for each in found if each.name == name]


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
        (BASELINE, opener), ("same", opener), ("slower", functools.partial(open_slowed, opener, SLOWDOWN)),
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
                    stack.enter_context(hog())

            (busy,) = measure([(name, each)], plan, progress=join).measurements
        named = busy.verdict == "UNSTABLE" and "other programs" in _reasons(busy)
        promise = f"UNSTABLE, by other programs, when a busy program joins, {name}"
        yield Check(promise, f"{busy.verdict} {_reasons(busy)}", named)


def _reasons(measurement: Measurement) -> str:
    return "; ".join(measurement.unstable_because)


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
