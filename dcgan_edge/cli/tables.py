"""Results as tables on stdout, for people; programs ask for `--json`."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from dcgan_edge.artifact import Manifest
from dcgan_edge.runtime.bench.comparison import CONFIDENCE, Comparison
from dcgan_edge.runtime.bench.phases import phase_words
from dcgan_edge.runtime.bench.record import INTERVALS, BenchReport
from dcgan_edge.runtime.parity import Parity

LOG_WIDTH = 120  # columns when stdout is a file or a pipe


def show(table: Table) -> None:
    """Print on stdout, as wide as the terminal."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = LOG_WIDTH
    console.print(table)


def artifact_table(written: Sequence[tuple[Path, Manifest]]) -> Table:
    table = _table("file", "precision", ">size", "sha256", "parity with PyTorch")
    for path, manifest in written:
        table.add_row(
            path.name, manifest.precision, size(manifest.size), manifest.sha256[:12], parity_words(manifest)
        )
    return table


def parity_words(manifest: Manifest) -> str:
    """The verdict of a manifest in a few words."""
    parity = manifest.parity
    if parity.get("verdict") not in ("passed", "failed"):
        return f"not run: {parity['reason']}" if parity else "the reference"
    levels = "1 grey level" if parity["grey_levels"] == 1 else f"{parity['grey_levels']} grey levels"
    return f"{parity['verdict']}, {parity['worst_psnr_db']:.1f} dB, {levels} at most"


def parity_table(verdicts: Mapping[str, Parity]) -> Table:
    table = _table(
        "artifact", ">seeds", ">max |diff|", ">mean |diff|", ">worst PSNR", ">worst seed", ">grey levels",
        ">pixels differ", "verdict",
    )  # fmt: skip
    for name, parity in verdicts.items():
        table.add_row(
            name,
            str(parity.seeds),
            f"{parity.max_abs:.2e}",
            f"{parity.mean_abs:.2e}",
            f"{parity.worst_psnr_db:.1f} dB",
            str(parity.worst_seed),
            str(parity.grey_levels),
            f"{parity.pixels_differ:.3%}",
            "passed" if parity.passed else "FAILED",
        )
    return table


def bench_table(report: BenchReport) -> Table:
    table = _table(
        "artifact", "precision", "runs on", ">batch", ">median ms", ">p90", ">p99", ">images/s", ">x bound",
        "verdict",
    )  # fmt: skip
    for measurement in report.measurements:
        stats = measurement.statistics
        table.add_row(
            Path(measurement.name).name,
            measurement.precision,
            f"{measurement.session['backend']} {measurement.session['version']}",
            str(measurement.batch),
            f"{stats.median:.3f}",
            f"{stats.p90:.3f}",
            f"{stats.p99:.3f}{'' if stats.p99_trusted else ' (few)'}",
            f"{measurement.images_per_second:,.0f}",
            f"{measurement.roofline['ratio']:.1f}" if measurement.roofline.get("ratio") else "",
            "UNSTABLE" if measurement.unstable_because else "STABLE",
        )
    return table


def comparison_table(comparisons: Sequence[Comparison]) -> Table:
    table = _table(
        "artifact", ">batch", "metric", ">then", ">now", ">change", f"{CONFIDENCE:.0%} interval", "outcome"
    )
    for each in comparisons:
        table.add_row(
            Path(each.name).name,
            str(each.batch),
            each.metric,
            f"{each.then:.4g}",
            f"{each.now:.4g}",
            f"{each.change:+.1%}",
            f"{each.low:+.1%} to {each.high:+.1%}",
            each.outcome.upper() if each.outcome == "regression" else each.outcome,
        )
    return table


def bench_notes(report: BenchReport) -> str:
    """What is inside the interval, and why figures are unstable, a line each."""
    loops = dict.fromkeys(measurement.loop for measurement in report.measurements)
    lines = [f"Interval: {INTERVALS[loop]}." for loop in loops]
    for measurement in report.measurements:
        if measurement.loadgen:
            lines.append(f"{Path(measurement.name).name}, beside ours: {_loadgen_words(measurement.loadgen)}")
        name = f"{Path(measurement.name).name} at batch {measurement.batch}"
        if measurement.phases:
            lines.append(f"{name}: {phase_words(measurement.phases)}.")
        if measurement.unstable_because:
            lines.append(f"UNSTABLE: {name}, because {'; '.join(measurement.unstable_because)}.")
    return "\n".join(lines)


def _loadgen_words(rounds: Sequence[Mapping[str, Any]]) -> str:
    """Medians over the rounds of LoadGen's figures."""
    names = [name for name, value in rounds[0].items() if isinstance(value, float)]
    figures = (f"{name} {statistics.median(round_[name] for round_ in rounds):.3f}" for name in names)
    return f"{rounds[0]['source']}: {', '.join(figures)}"


def size(count: int) -> str:
    """Bytes as people read them, in units of 1024."""
    value = float(count)
    for unit in ("B", "KiB", "MiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} GiB"


def _table(*headings: str) -> Table:
    """A table; a heading that starts with ">" is of a column of numbers."""
    table = Table()
    for heading in headings:
        first = heading == headings[0]
        table.add_column(heading.lstrip(">"), justify="right" if heading[0] == ">" else "left", no_wrap=first)
    return table
