"""Measuring artifacts side by side, and judging them against a baseline or an earlier run.

The one function behind `dcgan-edge bench`: it names what is measured, pairs it with its baseline, and turns
gates that were missed into `BenchReport.failures`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from dcgan_edge.errors import BenchmarkError, UsageError
from dcgan_edge.files import StrPath, write_atomic
from dcgan_edge.opening import open_generator
from dcgan_edge.profile import chosen_artifact
from dcgan_edge.runtime.bench.comparison import DEFAULT_GATE, Gate, compare_rounds, parse_gate
from dcgan_edge.runtime.bench.comparison import compare as compare_runs
from dcgan_edge.runtime.bench.measure import measure
from dcgan_edge.runtime.bench.outcome import GOAL
from dcgan_edge.runtime.bench.phases import trtexec_times
from dcgan_edge.runtime.bench.plan import BenchPlan, Scenario
from dcgan_edge.runtime.bench.record import BenchReport, Comparison, read_report
from dcgan_edge.runtime.bench.roofline.bound import add_bounds
from dcgan_edge.runtime.bench.roofline.peaks import load_peaks
from dcgan_edge.runtime.bench.statistics import DEFAULT_PERCENTILES
from dcgan_edge.runtime.device import parse_device
from dcgan_edge.runtime.session import Backend, EngineOptions, Session

Item = TypeVar("Item")
ROUNDS = 8  # of one artifact; fewer have no interval
LONGEST = 5  # times the durations, unless a time is given, that rounds of one workload may go on
BASELINE = "(baseline)"  # behind the name of an artifact that others are compared with


@dataclass(frozen=True)
class Contestant:
    """One artifact or checkpoint with the number of CPU threads that it runs on. Calling it opens it."""

    path: Path
    device: str
    backend: Backend
    threads: int | None
    engine: EngineOptions

    def __call__(self) -> Session:
        """Open the session, in whatever process this is called. Raises what `open_generator` raises."""
        return open_generator(
            self.path,
            device=self.device,
            backend=self.backend,
            threads=self.threads,
            engine=self.engine if self.is_engine else None,
        )

    @property
    def is_engine(self) -> bool:
        """Whether options of engines apply."""
        return self.path.suffix.lower() == ".engine"


def bench(
    artifacts: StrPath | Sequence[StrPath], *,
    batches: Sequence[int] = (), streams: Sequence[int] = (1,), threads: Sequence[int] = (),
    scenario: Scenario = "latency", rate: float | None = None,
    duration_s: float = 3.0, precision_goal: float = GOAL, max_time_s: float | None = None,
    processes: int = 1, iterations: int = 10, warmup_s: float = 0.4,
    percentiles: Sequence[float] = DEFAULT_PERCENTILES,
    device: str = "auto", backend: Backend = "auto",
    zero_copy: bool | None = None, cuda_graph: bool | None = None,
    baseline: StrPath | None = None, compare: StrPath | BenchReport | None = None,
    fail_if: Sequence[str] = (), force: bool = False,
    latency_bound_s: float | None = None, require_stable: bool = False, single: bool = False,
    peaks: StrPath | None = None, progress: Callable[[str], None] | None = None,
) -> BenchReport:  # fmt: skip
    """Measure artifacts (.onnx, .engine) and checkpoints on this machine, each in a process of its own.

    Every one is measured with every number of `batches` (images per query; empty: 1 and 16, or what the
    scenario has), `streams` (queries in flight) and `threads` (of the CPU; empty: one per physical core), for
    `duration_s` seconds each at least. Rounds go on until the intervals of medians and of ratios to the first
    are narrower than `precision_goal`, a share, or a workload has taken `max_time_s` seconds, waiting for a
    quiet machine included (None: five times what the durations add up to). `processes` of each artifact
    (1, or 5 and more) bring how processes differ into the intervals. `scenario` "server" needs `rate`, in
    queries per second. `zero_copy` and `cuda_graph` are for engines; None is the best that the device can do.

    `baseline` is measured too and compared round by round; `compare` is the record of an earlier run, which
    must be of the same machine and settings unless `force`. `fail_if` has gates such as "p99>+5%" (empty:
    "p50>+5%"), `latency_bound_s` bounds the 99th percentile. What misses a gate, is unstable though
    `require_stable`, or cannot be compared, is a sentence in the report's `failures`, and nothing is raised.
    `single` refuses more than one measurement, as the export of times needs it.

    Raises UsageError for options that do not fit each other, before anything is measured, and what
    `open_session` raises for artifacts and devices that are not here.
    """
    parse_device(device)
    gates = _gates(fail_if, baseline, compare, force=force)
    earlier = compare if isinstance(compare, BenchReport) or compare is None else read_report(compare)
    if peaks is not None:
        load_peaks(Path(peaks))  # a file that is no such file is found before anything is measured
    plan = BenchPlan(
        _distinct(batches), _distinct(streams), duration_s, iterations, warmup_s,
        scenario=scenario, rate=rate, percentiles=_distinct(percentiles),
        precision_goal=precision_goal, max_time_s=max_time_s, processes=processes,
    )  # fmt: skip
    engine = EngineOptions(zero_copy, cuda_graph is not False, max(plan.streams))
    ways = [Contestant(Path(), device, backend, count, engine) for count in _distinct(threads) or (None,)]
    files = _named([artifacts] if isinstance(artifacts, str | os.PathLike) else artifacts, ways)
    bases = _named([] if baseline is None else [baseline], ways, mark=f" {BASELINE}")
    everything = bases | files
    if not files:
        raise UsageError("A benchmark needs an artifact to measure.")
    if (zero_copy, cuda_graph) != (None, None) and not any(each.is_engine for each in everything.values()):
        raise UsageError("Zero-copy and CUDA graphs are for engines, and none is measured.")
    if single and len(everything) * len(plan.workloads()) > 1:
        raise UsageError("Times are exported of a single measurement: name one file and one --batch.")
    report = measured(everything, in_rounds(plan, len(everything)), peaks, progress)
    comparisons, refused = _compared(report, earlier, _pairs(files, bases), gates, force=force)
    report = replace(report, comparisons=comparisons)
    failures = _failures(report, latency_bound_s=latency_bound_s, require_stable=require_stable)
    return replace(report, failures=(*refused, *failures))


def in_rounds(plan: BenchPlan, contestants: int) -> BenchPlan:
    """Return `plan` with many rounds where several are compared, and with a limit of its time."""
    limit = plan.max_time_s or LONGEST * plan.duration_s * contestants
    plan = replace(plan, max_time_s=limit, rounds=ROUNDS)
    return plan.in_pairs() if contestants > 1 else plan.for_processes()


def write_times(report: BenchReport, path: StrPath) -> None:
    """Write the times of the one measurement of `report` as trtexec's --exportTimes does, in milliseconds."""
    (measurement,) = report.measurements
    write_atomic(Path(path), json.dumps(trtexec_times(measurement)).encode())


def measured(
    contestants: dict[str, Contestant],
    plan: BenchPlan,
    peaks: StrPath | None,
    progress: Callable[[str], None] | None,
) -> BenchReport:
    """Return the measurements with the roofline bound beside each."""
    report = measure(list(contestants.items()), plan, progress=progress)
    if progress:
        progress("measuring the roofline bound")
    paths = {name: each.path for name, each in contestants.items()}
    return add_bounds(report, paths, peaks_file=Path(peaks) if peaks else None)


def _gates(
    texts: Sequence[str], baseline: StrPath | None, compare: StrPath | BenchReport | None, *, force: bool
) -> list[Gate]:
    """Return the gates. Raises UsageError for a text that is none, and where there is nothing to compare."""
    if texts and baseline is None and compare is None:
        raise UsageError("A gate needs something to compare with: --baseline ARTIFACT or --compare RUN.json.")
    if force and compare is None:
        raise UsageError("Only a comparison with an earlier run can be forced; name it: --compare RUN.json.")
    return [parse_gate(text) for text in texts or (DEFAULT_GATE,)]


def _distinct(values: Iterable[Item]) -> tuple[Item, ...]:
    """Return the values in the order given, each once."""
    return tuple(dict.fromkeys(values))


def _named(paths: Sequence[StrPath], ways: Sequence[Contestant], *, mark: str = "") -> dict[str, Contestant]:
    """Return each of `paths` in each of the `ways` to open it, by its name in the record, ending in `mark`.

    Raises UsageError for a path that is named twice.
    """
    named = {
        f"{path}{f' ({way.threads} threads)' if len(ways) > 1 else ''}{mark}": replace(way, path=path)
        for path in map(chosen_artifact, paths)
        for way in ways
    }
    if len(named) < len(paths) * len(ways):
        raise UsageError("An artifact is named twice; to compare one with itself: --baseline.")
    return named


def _pairs(files: dict[str, Contestant], bases: dict[str, Contestant]) -> dict[str, str]:
    """Return the name of the baseline that has as many threads, by the name of each artifact."""
    return {
        name: base
        for name, each in files.items()
        for base, beside in bases.items()
        if each.threads == beside.threads
    }


def _compared(
    report: BenchReport,
    earlier: BenchReport | None,
    pairs: dict[str, str],
    gates: Sequence[Gate],
    *,
    force: bool,
) -> tuple[tuple[Comparison, ...], tuple[str, ...]]:
    """Return the comparisons, and the reason why the one with the earlier run was refused, if it was."""
    comparisons = compare_rounds(report, pairs, gates)
    if earlier is not None:
        try:
            comparisons += compare_runs(earlier, report, gates, force=force)
        except BenchmarkError as error:
            return tuple(comparisons), (str(error),)
    return tuple(comparisons), ()


def _failures(report: BenchReport, *, latency_bound_s: float | None, require_stable: bool) -> list[str]:
    """Return a sentence for every gate that the measurements and comparisons of `report` have missed."""
    found = [
        f"{each.name} is slower: {each.metric} changed by {each.change:+.1%}."
        for each in report.comparisons
        if each.regression
    ]
    for measurement in report.measurements:
        p99 = measurement.statistics.p99
        if latency_bound_s is not None and p99 > latency_bound_s * 1000:
            found.append(
                f"{measurement.name} took {p99:.3f} ms at the 99th percentile; "
                f"{latency_bound_s * 1000:g} ms are allowed."
            )
        if require_stable and measurement.unstable_because:
            found.append(f"{measurement.name} is unstable: {'; '.join(measurement.unstable_because)}.")
    return found
