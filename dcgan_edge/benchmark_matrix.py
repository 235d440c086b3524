"""A whole plan of benchmarks in one record: artifacts and backends side by side, at each batch size, number
of streams and, on a Jetson, power mode. Interrupted, it goes on where it stopped.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dcgan_edge.artifact import read_file
from dcgan_edge.benchmarking import Contestant, in_rounds, measured
from dcgan_edge.errors import UsageError
from dcgan_edge.files import StrPath, check_writable, sha256, write_atomic
from dcgan_edge.runtime.bench.outcome import GOAL
from dcgan_edge.runtime.bench.plan import BenchPlan
from dcgan_edge.runtime.bench.power_modes import PowerModes, Run, power_modes, run_command
from dcgan_edge.runtime.bench.record import BenchReport, Measurement, read_report
from dcgan_edge.runtime.bench.workload import Samples
from dcgan_edge.runtime.device import SAME_MACHINE, machine_facts, parse_device
from dcgan_edge.runtime.session import Backend, EngineOptions
from dcgan_edge.schema import build

LARGEST_PLAN = 2**20  # bytes
BETWEEN_NS = 1_000_000_000  # of two cells in the record


@dataclass(frozen=True)
class BenchCell:
    """What is measured together: all artifacts by all backends, under one workload in one power mode."""

    batch: int
    streams: int
    power_mode: int | None = None

    @property
    def setting(self) -> str:
        """Return the power mode in words, "" where none is set."""
        return "" if self.power_mode is None else f"power mode {self.power_mode}"

    def __str__(self) -> str:
        words = [self.setting, f"batch {self.batch}", f"streams {self.streams}"]
        return ", ".join(word for word in words if word)


@dataclass(frozen=True)
class BenchMatrix:
    """The plan file: every combination of its lists is a cell. Times are in seconds, the goal is a share.

    `artifacts` are paths beside the plan file. `power_modes` are numbers of nvpmodel, and only used where
    `change_power_mode` says that the board may be put into them.
    """

    artifacts: tuple[str, ...]
    batches: tuple[int, ...] = (1,)
    streams: tuple[int, ...] = (1,)
    backends: tuple[Backend, ...] = ("auto",)
    device: str = "auto"
    duration: float = 3.0
    precision_goal: float = GOAL
    max_time: float | None = None
    processes: int = 1
    power_modes: tuple[int, ...] = ()
    change_power_mode: bool = False

    def cells(self) -> list[BenchCell]:
        """Return all cells, those of one power mode after each other."""
        return [
            BenchCell(batch, streams, mode)
            for mode in self.power_modes or (None,)
            for batch in self.batches
            for streams in self.streams
        ]

    def rounds(self, cell: BenchCell, contestants: int) -> BenchPlan:
        """Return how `cell` is measured. Raises UsageError for numbers out of range."""
        plan = BenchPlan(
            (cell.batch,),
            (cell.streams,),
            self.duration,
            precision_goal=self.precision_goal,
            max_time_s=self.max_time,
            processes=self.processes,
        )
        return in_rounds(plan, contestants)


def bench_plan(
    plan: StrPath, *, output: StrPath, progress: Callable[[str], None] | None = None
) -> BenchReport:
    """Measure all cells of the TOML file `plan`, and keep them in the one record `output`.

    The record is written after each cell. Cells that it has already, of the same plan, the same artifacts and
    the same machine, are not measured again. Readings over time are not kept.

    Raises UsageError for a plan that makes no sense and for an `output` that holds something else, before
    anything is measured, and what `bench` raises; UnavailableError where power modes cannot be changed.
    """
    return run_plan(read_plan(Path(plan)), Path(plan).parent, Path(output), progress=progress)


def read_plan(path: Path) -> BenchMatrix:
    """Return the plan in the TOML file `path`. Raises UsageError when there is none, or it makes no sense."""
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        data = read_file(path)
        if len(data) > LARGEST_PLAN:
            raise ValueError("it is larger than 1 MiB")
        facts = tomllib.loads(data.decode())
        matrix = build(BenchMatrix, {name.replace("-", "_"): value for name, value in facts.items()})
    except (ValueError, RecursionError) as error:  # errors of TOML and of Unicode are ValueErrors
        raise UsageError(f"{path.name} is no plan of a benchmark: {str(error)[:200]}.") from error
    lists = {"artifacts": matrix.artifacts, "batches": matrix.batches, "streams": matrix.streams}
    for name, values in {**lists, "backends": matrix.backends, "power-modes": matrix.power_modes}.items():
        if len(set(values)) < len(values) or (not values and name != "power-modes"):
            raise UsageError(f"{path.name}: {name} needs one or more entries, each once.")
    if matrix.power_modes and not matrix.change_power_mode:
        raise UsageError(
            f"{path.name} has power modes, which change the board for everything that runs on it. To allow "
            "that, write change-power-mode = true; the mode it is in now is put back."
        )
    if any(mode < 0 for mode in matrix.power_modes):
        raise UsageError(f"{path.name}: power modes are numbers of nvpmodel, from 0 on.")
    return matrix


def run_plan(
    matrix: BenchMatrix,
    folder: Path,
    output: Path,
    *,
    progress: Callable[[str], None] | None = None,
    run: Run = run_command,
) -> BenchReport:
    """Measure what `output` does not have yet of `matrix`, whose artifacts lie in `folder`; see `bench_plan`.

    `run` runs nvpmodel.
    """
    say = progress or (lambda step: None)
    check_writable(output)
    parse_device(matrix.device)
    contestants = dict(plan_contestants(matrix, folder))
    plans = {cell: matrix.rounds(cell, len(contestants)) for cell in matrix.cells()}
    asked = asked_of(matrix, {name: sha256(read_file(each.path)) for name, each in contestants.items()})
    report = _earlier(output, asked)
    done = list(report.plan["done"]) if report else []
    missing = [cell for cell in plans if str(cell) not in done]
    with _modes(matrix, run) if missing else contextlib.nullcontext() as modes:
        for cell in missing:
            if modes and cell.power_mode is not None:
                modes.change(cell.power_mode)
            say(f"cell {len(done) + 1} of {len(plans)}: {cell}")
            found = measured(contestants, plans[cell], None, progress)
            done.append(str(cell))
            report = _joined(report, found, cell, {"matrix": asked, "done": list(done)})
            write_atomic(output, report.to_json().encode())
    assert report is not None  # a plan has a cell, which was done before or now
    return report


def asked_of(matrix: BenchMatrix, digests: Mapping[str, str]) -> dict[str, Any]:
    """Return what a record keeps of the plan that it is of, as JSON values; `digests` are the SHA-256 of the
    artifacts by the names of `plan_contestants`.
    """
    asked: dict[str, Any] = json.loads(json.dumps({**dataclasses.asdict(matrix), "sha256": dict(digests)}))
    return asked  # which has lists for tuples, as a record that was read


@contextlib.contextmanager
def _modes(matrix: BenchMatrix, run: Run) -> Iterator[PowerModes | None]:
    if not matrix.power_modes:
        yield None
        return
    with power_modes(run) as modes:
        yield modes


def plan_contestants(matrix: BenchMatrix, folder: Path) -> Iterator[tuple[str, Contestant]]:
    """Yield each artifact by each backend, with its name in the record; none is opened.

    Backends are for ONNX files; others have one only.
    """
    engine = EngineOptions(None, True, max(matrix.streams))
    for name in matrix.artifacts:
        path = folder / name
        backends: tuple[Backend, ...] = matrix.backends if path.suffix.lower() == ".onnx" else ("auto",)
        for backend in backends:
            said = f"{path} ({backend})" if len(backends) > 1 else str(path)
            yield said, Contestant(path, matrix.device, backend, None, engine)


def _earlier(output: Path, asked: dict[str, Any]) -> BenchReport | None:
    """Return the record so far, None where there is none. Raises UsageError for that of another plan."""
    if not output.exists():
        return None
    report = read_report(output)
    if report.plan.get("matrix") != asked or not isinstance(report.plan.get("done"), list):
        raise UsageError(
            f"{output.name} holds results of another plan, or of artifacts that have changed. Choose another "
            "--output, or delete it."
        )
    now = machine_facts()
    if any(report.machine.get(key) != now.get(key) for key in SAME_MACHINE):
        raise UsageError(f"{output.name} was begun on another machine. Choose another --output.")
    return report


def _joined(
    report: BenchReport | None, found: BenchReport, cell: BenchCell, plan: dict[str, Any]
) -> BenchReport:
    """Return `report` with the measurements of `cell`, whose times are moved behind those before: cells may
    have been measured in different processes, or on different days, each with a clock of its own.
    """
    before = report.measurements if report else ()
    ends = [int((each.due_ns + each.latency_ns).max()) for taken in before for each in taken.rounds]
    starts = [int(each.due_ns.min()) for taken in found.measurements for each in taken.rounds]
    shift = max(ends) + BETWEEN_NS - min(starts) if ends else 0
    taken = tuple(_moved(each, cell.setting, shift) for each in found.measurements)
    return BenchReport(plan, (*before, *taken), found.machine, found.versions)


def _moved(measurement: Measurement, setting: str, shift_ns: int) -> Measurement:
    rounds, aside = (
        tuple(Samples(each.due_ns + shift_ns, each.latency_ns) for each in some)
        for some in (measurement.rounds, measurement.set_aside)
    )
    return dataclasses.replace(measurement, setting=setting, rounds=rounds, set_aside=aside)
