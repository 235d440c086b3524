"""What the report's template shows of a benchmark: table rows, charts, and what ran each artefact."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from dcgan_edge.runtime import charts
from dcgan_edge.runtime.charts import Chart, Points
from dcgan_edge.runtime.drawing import key
from dcgan_edge.runtime.record import INTERVALS, BenchReport, Measurement
from dcgan_edge.runtime.statistics import LatencyStatistics


@dataclass(frozen=True)
class BenchRow:
    """One measurement; `ratio` is how many times faster its median is than the first of the same load."""

    label: str
    key: str
    measurement: Measurement
    statistics: LatencyStatistics
    ratio: float


def bench_rows(report: BenchReport) -> list[tuple[str, list[BenchRow]]]:
    """(load, its rows) for each load, in the order measured."""
    names = labels(measurement.name for measurement in report.measurements)
    index = {name: number for number, name in enumerate(names)}
    groups: dict[str, list[BenchRow]] = {}
    for measurement in report.measurements:
        rows, stats = groups.setdefault(load(measurement), []), measurement.statistics
        first = rows[0].statistics if rows else stats
        ratio = first.median / stats.median if stats.median else math.nan
        sample = key(index[measurement.name], marked=True)
        rows.append(BenchRow(names[measurement.name], sample, measurement, stats, ratio))
    return list(groups.items())


def sessions(report: BenchReport) -> list[tuple[str, str]]:
    """(artefact, what ran it and how) of everything that was measured."""
    names = labels(measurement.name for measurement in report.measurements)
    said = {}
    for measurement in report.measurements:
        said[names[measurement.name]] = _conditions(measurement)
    return list(said.items())


def bench_charts(report: BenchReport) -> list[Chart]:
    """A latency distribution for each load, and the throughput where a load has two batch sizes or more."""
    names = labels(measurement.name for measurement in report.measurements)
    legend = tuple((key(index, marked=True), label) for index, label in enumerate(names.values()))
    # Every chart has all names, so that an artefact keeps its colour where another is missing.
    loads: dict[str, dict[str, list[float]]] = {}
    setups: dict[str, dict[str, list[Measurement]]] = {}
    for measurement in report.measurements:
        label, setup = names[measurement.name], ", ".join(_setup(measurement))
        latency = loads.setdefault(load(measurement), {name: [] for name in names.values()})
        latency[label] += [ms for turn in measurement.latency_ms for ms in turn]
        setups.setdefault(setup, {name: [] for name in names.values()})[label].append(measurement)
    drawn = []
    for number, (said, samples) in enumerate(loads.items()):
        title = f"Latency, {said}"
        drawn.append(Chart(title, charts.distribution(f"latency{number}", title, samples), legend))
    for number, (said, series) in enumerate(setups.items()):
        if len({m.batch for measured in series.values() for m in measured}) > 1:
            title = "Throughput by batch" + (f", {said}" if said else "")
            points = {label: _throughput(measured) for label, measured in series.items()}
            drawn.append(Chart(title, charts.throughput(f"throughput{number}", title, points), legend))
    return drawn


def load(measurement: Measurement) -> str:
    """The load in words, the same for measurements that may be compared."""
    return ", ".join([*_setup(measurement), f"batch {measurement.batch}"])


def _setup(measurement: Measurement) -> tuple[str, ...]:
    """The load but for its batch, in words; nothing where one batch simply follows the other."""
    scenario = "" if measurement.scenario == "latency" else measurement.scenario
    streams = "" if measurement.streams == 1 else f"{measurement.streams} streams"
    return tuple(word for word in (scenario, streams) if word)


def intervals(report: BenchReport) -> list[str]:
    """What is inside the interval, each of its kinds once."""
    return list(dict.fromkeys(INTERVALS[measurement.loop] for measurement in report.measurements))


def _throughput(measured: Sequence[Measurement]) -> Points:
    ordered = sorted(measured, key=lambda measurement: measurement.batch)
    return Points(
        tuple(float(m.batch) for m in ordered),
        tuple(m.images_per_second for m in ordered),
        tuple(bool(m.unstable_because) for m in ordered),
    )


def labels(paths: Iterable[str]) -> dict[str, str]:
    """The file name of each path, with as many of its folders as it takes to tell it from the others."""
    parts = {path: PurePath(path).parts for path in paths}

    def label(path: str) -> str:
        others = [other for name, other in parts.items() if name != path]
        for count in range(1, len(parts[path])):
            ending = parts[path][-count:]
            if all(other[-count:] != ending for other in others):
                return "/".join(ending)
        return path

    return {path: label(path) for path in parts}


def _conditions(measurement: Measurement) -> str:
    """What ran the artefact, and how: "fp16, onnxruntime 1.20, CPUExecutionProvider, threads: 2"."""
    facts = dict(measurement.session)
    words = [measurement.precision, f"{facts.pop('backend', '')} {facts.pop('version', '')}"]
    words += [str(facts.pop("provider", ""))]
    words += [f"{name.replace('_', ' ')}: {_value(value)}" for name, value in facts.items()]
    return ", ".join(word.strip() for word in words if word.strip())


def _value(value: Any) -> str:
    """A fact of a session on one line, whatever it is made of."""
    if isinstance(value, Mapping):
        inner = (f"{str(name).replace('_', ' ')} {_value(fact)}" for name, fact in value.items())
        return f"({', '.join(inner)})"
    if isinstance(value, list | tuple):
        return " ".join(map(_value, value)) or "none"
    return {"True": "yes", "False": "no", "None": "none"}.get(str(value), str(value))
