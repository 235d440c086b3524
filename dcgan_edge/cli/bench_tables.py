"""Benchmarks as tables and notes on stdout, for people."""

from __future__ import annotations

from collections.abc import Sequence

import click
from rich.table import Table

from dcgan_edge.cli.tables import new_table, show
from dcgan_edge.report.rows import labels
from dcgan_edge.runtime.bench.explaining import course_words, precision_words, ratio_words
from dcgan_edge.runtime.bench.phases import phase_words
from dcgan_edge.runtime.bench.record import INTERVALS, BenchReport, Comparison, Measurement, Ratio
from dcgan_edge.runtime.bench.statistics import CONFIDENCE


def show_bench(report: BenchReport) -> None:
    """Print what was measured: ratios, times, what starting takes, and what to know of them."""
    if report.ratios:
        show(ratio_table(report.ratios))
    show(bench_table(report))
    show(start_table(report))
    click.echo(bench_notes(report))
    if report.comparisons:
        show(comparison_table(report.comparisons))


def bench_table(report: BenchReport) -> Table:
    """Return a table with a row for each measurement, in milliseconds and images per second.

    Streams have a column where some measurement has more than one.
    """
    named = labels(measurement.name for measurement in report.measurements)
    several = any(measurement.streams > 1 for measurement in report.measurements)
    set_up = any(measurement.setting for measurement in report.measurements)
    table = new_table(
        "artifact", "precision", "runs on", *(["setting"] if set_up else []),
        ">batch", *([">streams"] if several else []),
        ">median ms", ">p90", ">p99", ">images/s", ">x bound", "verdict",
    )  # fmt: skip
    for measurement in report.measurements:
        stats = measurement.statistics
        table.add_row(
            named[measurement.name],
            measurement.precision,
            f"{measurement.session['backend']} {measurement.session['version']}",
            *([measurement.setting] if set_up else []),
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
        f"{CONFIDENCE:.0%} interval", "~outcome",
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
            _outcome_words(each),
        )
    return table


def _outcome_words(comparison: Comparison) -> str:
    if comparison.regression:
        return "REGRESSION"
    because = f", because {comparison.because}" if comparison.because else ""
    return f"{comparison.outcome}{because}"


def ratio_table(ratios: Sequence[Ratio]) -> Table:
    """Return a table of how many times faster each artifact is than the first, from paired rounds."""
    named = labels(name for ratio in ratios for name in (ratio.name, ratio.of))
    table = new_table("artifact", "at", f"against the first, {CONFIDENCE:.0%} interval", "verdict")
    for ratio in ratios:
        than = f" than {named[ratio.of]}" if ratio.outcome in ("faster", "slower") else ""
        table.add_row(named[ratio.name], _workload(ratio), f"{ratio}{than}", ratio.verdict)
    return table


def start_table(report: BenchReport) -> Table:
    """Return a table of what it takes until an artifact runs: loading, first call, peak memory."""
    named = labels(measurement.name for measurement in report.measurements)
    table = new_table("artifact", "at", ">load s", ">first call ms", ">peak MiB")
    for each in report.measurements:
        table.add_row(
            named[each.name],
            _workload(each),
            "" if each.load_s is None else f"{each.load_s:.3f}",
            "" if each.first_call_ms is None else f"{each.first_call_ms:.3f}",
            "" if each.peak_memory_bytes is None else f"{each.peak_memory_bytes / 2**20:.0f}",
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
        lines += [f"{name}: {words}." for words in precision_words(measurement)]
        if measurement.unstable_because:
            lines.append(f"UNSTABLE: {name}, because {'; '.join(measurement.unstable_because)}.")
    for ratio in report.ratios:
        against = f"{named[ratio.name]} against {named[ratio.of]} at {_workload(ratio)}"
        lines += [f"{against}: {'; '.join(words)}." for words in [ratio_words(ratio)] if words]
    courses = {each.workload: each for each in report.measurements}
    for each in courses.values():
        lines += [f"{_workload(each)}: {words}." for words in course_words(each)]
    return "\n".join(lines)


def _workload(measurement: Measurement | Ratio) -> str:
    streams = f" on {measurement.streams} streams" if measurement.streams > 1 else ""
    setting = f"{measurement.setting}, " if measurement.setting else ""
    return f"{setting}batch {measurement.batch}{streams}"
