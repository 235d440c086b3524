"""One run over time: the latency of every call, and below it, on the same axis, what the machine did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dcgan_edge.report.charts import Chart
from dcgan_edge.report.charts_time import Kind, Line, Panel, Span, panel
from dcgan_edge.report.keys import key, swatch
from dcgan_edge.report.readings import Reading, Recorded, grouped_readings, recorded
from dcgan_edge.report.rows import Row, grouped
from dcgan_edge.report.thinning import Numbers

OTHER_CLOCK = "The readings were taken on another clock than the samples and cannot be set beside them."


@dataclass(frozen=True)
class Timeline:
    """The charts of one run, top to bottom, and in sentences what they do not show."""

    run: str
    charts: tuple[Chart, ...]
    notes: tuple[str, ...]
    not_readable: tuple[str, ...]


def timeline(run: str, telemetry: Mapping[str, Any], rows: Sequence[Row]) -> Timeline:
    """Draw `rows`, the measurements of `run`, and its `telemetry`.

    Raises ArtifactError when the telemetry is damaged.
    """
    spans, beside = _spans(rows), recorded(telemetry)
    start, stop = min(span[0] for span in spans), max(span[1] for span in spans)
    series = [each for each in beside.series if each.times_ns[0] < stop and each.times_ns[-1] > start]
    start = min([start, *(int(reading.times_ns[0]) for reading in series)])
    stop = max([stop, *(int(reading.times_ns[-1]) for reading in series)])
    until = (stop - start) / 1e9 or 1.0
    shaded = [Span((a - start) / 1e9, (b - start) / 1e9, kind, text) for a, b, kind, text in spans]
    lines = [Line(row.index, f"{row.label}, {row.workload}", _samples(row, start)) for row in rows]
    latency = panel(Panel("latency (ms)", lines, until, shaded, tall=True))
    charts = [Chart("Latency of each call, at the time it was due", latency, _legend(rows))]
    still = [each for each in series if each.is_throttling and not each.values.any()]
    moving = [each for each in series if not each.is_throttling or each.values.any()]
    for group, members in grouped_readings(moving):
        lines = [_line(index, reading, start) for index, reading in enumerate(members)]
        bands = [Span(span.start, span.stop, span.kind) for span in shaded if span.kind != "workload"]
        shown = Panel(group.y, lines, until, bands, zero=group.zero)
        svg = panel(shown)
        charts.append(Chart(group.title, svg, _reading_legend(members, beside)))
    return Timeline(run, tuple(charts), tuple(_notes(beside, series, still)), beside.not_readable)


def _notes(beside: Recorded, shown: Sequence[Reading], still: Sequence[Reading]) -> list[str]:
    """What the charts do not show."""
    if not shown:
        return [OTHER_CLOCK] if beside.series else []
    places = ", ".join(reading.place for reading in still)
    stayed = [f"Throttling stayed at 0: {places}."] if still else []
    return [*stayed, f"Reading this took {beside.cpu_share:.1%} of one processor."]


def _spans(rows: Sequence[Row]) -> list[tuple[int, int, Kind, str]]:
    """Warm-ups, rounds and workloads as (start, stop, kind, text), in nanoseconds.

    The sessions are warmed up one after the other right before the first round; of that the record has only
    how long it took.
    """
    spans: list[tuple[int, int, Kind, str]] = []
    for members in grouped(rows, "workload").values():
        rounds = max(len(row.measurement.rounds) for row in members)
        for number in range(rounds):
            taken = [
                row.measurement.rounds[number] for row in members if number < len(row.measurement.rounds)
            ]
            first = min(int(each.due_ns.min()) for each in taken)
            last = max(int((each.due_ns + each.latency_ns).max()) for each in taken)
            spans.append((first, last, "round" if number % 2 == 0 else "break", str(number + 1)))
        begin, end = spans[-rounds][0], spans[-1][1]
        warm = int(1e9 * sum(row.measurement.warm_up.seconds for row in members))
        spans.append((begin - warm, begin, "warm-up", ""))
        measurement = members[0].measurement
        streams = f", {measurement.streams} streams" if measurement.streams > 1 else ""
        spans.append((begin, end, "workload", f"batch {measurement.batch}{streams}"))
    return spans


def _samples(row: Row, start: int) -> tuple[tuple[Numbers, Numbers], ...]:
    parts = []
    for each in row.measurement.rounds:
        order = np.argsort(each.due_ns, kind="stable")  # they come in the order of completion
        parts.append(((each.due_ns[order] - start) / 1e9, each.latency_ms[order]))
    return tuple(parts)


def _line(index: int, reading: Reading, start: int) -> Line:
    moments = (reading.times_ns - start) / 1e9
    return Line(index, reading.place, ((moments, reading.values),), steps=reading.steps)


def _reading_legend(members: Sequence[Reading], beside: Recorded) -> tuple[tuple[str, str], ...]:
    limits = {name: f", limit {limit:g}" for name, limit in beside.limits.items()}
    return tuple(
        (key(index, marked=False), reading.place + limits.get(reading.name, ""))
        for index, reading in enumerate(members)
    )


def _legend(rows: Sequence[Row]) -> tuple[tuple[str, str], ...]:
    lines = {row.index: (key(row.index, marked=False), row.label) for row in rows}
    return (
        *lines.values(),
        (swatch(False), "every other round"),
        (swatch(True), "warm-up, samples not kept"),
    )
