"""What the report shows of benchmarks: charts and what ran each artifact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dcgan_edge.report import charts
from dcgan_edge.report.charts import Chart, Points
from dcgan_edge.report.keys import key
from dcgan_edge.report.rows import Row, grouped
from dcgan_edge.runtime.bench.explaining import course_words, precision_words
from dcgan_edge.runtime.bench.record import Measurement


def percents(rows: Sequence[Row]) -> list[float]:
    """Every percentile that one of the records was made with, rising."""
    return sorted({p.percent for row in rows for p in row.statistics.percentiles})


def legend(rows: Sequence[Row]) -> tuple[tuple[str, str], ...]:
    """(sample, artifact) of each line; with its run where there are several."""
    several = len({row.run for row in rows}) > 1
    names = {row.index: f"{row.label}, {row.run}" if several else row.label for row in rows}
    return tuple((key(index, marked=True), names[index]) for index in sorted(names))


def distributions(rows: Sequence[Row]) -> list[Chart]:
    """The latency distribution of all artifacts under each workload."""
    names = legend(rows)
    drawn = []
    for said, measured in grouped(rows, "workload").items():
        # Every chart has all names, so that an artifact keeps its colour where another is missing.
        samples: dict[str, Any] = {label: () for _, label in names}
        samples |= {names[row.index][1]: row.latency_ms for row in measured}
        drawn.append(Chart(f"Latency, {said}", charts.distribution(samples), names))
    return drawn


def throughputs(rows: Sequence[Row]) -> list[Chart]:
    """Images per second over the batch, for each way of measuring that has two batch sizes or more."""
    names = legend(rows)
    drawn = []
    for said, measured in grouped(rows, "setup").items():
        if len({row.measurement.batch for row in measured}) > 1:
            title = "Throughput by batch" + (f", {said}" if said else "")
            points = {
                label: _throughput([row for row in measured if row.index == index])
                for index, (_, label) in enumerate(names)
            }
            drawn.append(Chart(title, charts.throughput(points), names))
    return drawn


def _throughput(rows: Sequence[Row]) -> Points:
    ordered = sorted(rows, key=lambda row: row.measurement.batch)
    return Points(
        tuple(float(row.measurement.batch) for row in ordered),
        tuple(row.images_per_second for row in ordered),
        tuple(bool(row.unstable) for row in ordered),
    )


def sessions(rows: Sequence[Row]) -> list[tuple[str, str]]:
    """(artifact, what ran it and how); an artifact that the runs ran differently is named with them."""
    said: dict[str, dict[str, dict[str, None]]] = {}
    for row in rows:
        said.setdefault(row.label, {}).setdefault(conditions(row.measurement), {})[row.run] = None
    return [
        (label if len(ways) == 1 else f"{label} ({', '.join(runs)})", words)
        for label, ways in said.items()
        for words, runs in ways.items()
    ]


def course_notes(rows: Sequence[Row]) -> list[str]:
    """What precision of one run was not met, what was waited for and which rounds were taken again."""
    notes = [
        f"{row.label}, {row.workload}: {words}." for row in rows for words in precision_words(row.measurement)
    ]
    for workload, members in grouped(rows, "workload").items():
        notes += [f"{workload}: {words}." for words in course_words(members[0].measurement)]
    return notes


def conditions(measurement: Measurement) -> str:
    """What ran the artifact, and how: "fp16, onnxruntime 1.20, CPUExecutionProvider, threads: 2"."""
    facts = dict(measurement.session)
    words = [measurement.precision, f"{facts.pop('backend', '')} {facts.pop('version', '')}"]
    words += [str(facts.pop("provider", ""))]
    words += [f"{name.replace('_', ' ')}: {fact(value)}" for name, value in facts.items()]
    return ", ".join(word.strip() for word in words if word.strip())


def fact(value: Any) -> str:
    """A fact on one line, whatever it is made of."""
    if isinstance(value, Mapping):
        inner = (f"{str(name).replace('_', ' ')} {fact(each)}" for name, each in value.items())
        return f"({', '.join(inner)})" if value else "none"
    if isinstance(value, list | tuple):
        return " ".join(map(fact, value)) or "none"
    return {"True": "yes", "False": "no", "None": "none"}.get(str(value), str(value))
