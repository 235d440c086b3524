"""Benchmarks as tables and notes on stdout, for people."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from dcgan_edge.cli.tables import new_table
from dcgan_edge.report.rows import labels
from dcgan_edge.runtime.bench.phases import phase_words
from dcgan_edge.runtime.bench.record import INTERVALS, BenchReport, Comparison, Measurement
from dcgan_edge.runtime.bench.statistics import CONFIDENCE


def bench_table(report: BenchReport) -> Table:
    """Return a table with a row for each measurement, in milliseconds and images per second.

    Streams have a column where some measurement has more than one.
    """
    named = labels(measurement.name for measurement in report.measurements)
    several = any(measurement.streams > 1 for measurement in report.measurements)
    table = new_table(
        "artifact", "precision", "runs on", ">batch", *([">streams"] if several else []),
        ">median ms", ">p90", ">p99", ">images/s", ">x bound", "verdict",
    )  # fmt: skip
    for measurement in report.measurements:
        stats = measurement.statistics
        table.add_row(
            named[measurement.name],
            measurement.precision,
            f"{measurement.session['backend']} {measurement.session['version']}",
            str(measurement.batch),
            *([str(measurement.streams)] if several else []),
            f"{stats.median:.3f}",
            f"{stats.p90:.3f}",
            f"{stats.p99:.3f}{'' if stats.p99_trusted else ' (few)'}",
            f"{measurement.images_per_second:,.0f}",
            f"{measurement.roofline['ratio']:.1f}" if measurement.roofline.get("ratio") else "",
            measurement.verdict,
        )
    return table


def comparison_table(comparisons: Sequence[Comparison]) -> Table:
    """Return a table with a row for each metric that was compared."""
    named = labels(each.name for each in comparisons)
    several = any(each.streams > 1 for each in comparisons)
    table = new_table(
        "artifact", ">batch", *([">streams"] if several else []), "metric", ">then", ">now", ">change",
        f"{CONFIDENCE:.0%} interval", "outcome",
    )  # fmt: skip
    for each in comparisons:
        table.add_row(
            named[each.name],
            str(each.batch),
            *([str(each.streams)] if several else []),
            each.metric,
            f"{each.then:.4g}",
            f"{each.now:.4g}",
            f"{each.change:+.1%}",
            f"{each.low:+.1%} to {each.high:+.1%}",
            each.outcome.upper() if each.outcome == "regression" else each.outcome,
        )
    return table


def bench_notes(report: BenchReport) -> str:
    """Return what is inside the interval and why figures are unstable, a line each."""
    named = labels(measurement.name for measurement in report.measurements)
    loops = dict.fromkeys(measurement.loop for measurement in report.measurements)
    lines = [f"Interval: {INTERVALS[loop]}." for loop in loops]
    for name, words in {each.name: each.verification for each in report.measurements}.items():
        if words:
            lines.append(f"{named[name]}: {words}.")
    for measurement in report.measurements:
        name = f"{named[measurement.name]} at {_workload(measurement)}"
        if measurement.phases:
            lines.append(f"{name}: {phase_words(measurement.phases)}.")
        if measurement.unstable_because:
            lines.append(f"UNSTABLE: {name}, because {'; '.join(measurement.unstable_because)}.")
    return "\n".join(lines)


def _workload(measurement: Measurement) -> str:
    streams = f" on {measurement.streams} streams" if measurement.streams > 1 else ""
    return f"batch {measurement.batch}{streams}"
