"""The report as GitHub Markdown: tables short enough for a README, with what it takes to read them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import PurePath

from dcgan_edge.report.bench import course_notes
from dcgan_edge.report.comparison import Compared, compared
from dcgan_edge.report.content import FLEET, ReportContent
from dcgan_edge.report.cost import bound_of, energy_of
from dcgan_edge.report.environment import Fact, differing, environment
from dcgan_edge.report.fleet import RULE, Fleet, fleet, model
from dcgan_edge.report.incidents import all_well, incidents
from dcgan_edge.report.rows import MLPERF_STYLE, Row, intervals, is_mlperf_style, rows
from dcgan_edge.report.words import bounds, milliseconds, outlier_words, significant, speed
from dcgan_edge.runtime.bench.record import Ratio
from dcgan_edge.runtime.bench.statistics import CONFIDENCE, ENOUGH_FOR_P99

Cells = Sequence[str]


def to_markdown(content: ReportContent) -> str:
    """A heading, what went wrong in training, a table of all measurements, the comparison or the fleet."""
    measured = rows(content.runs)
    parts = [f"### {escaped(content.title)}", *map(escaped, content.notes), *_training(content)]
    if measured:
        parts += [_measurements(content, measured), *_reading_notes(content, measured)]
    if len(content.runs) == 2:
        tables = environment(content.runs, measured)
        parts += _comparison(compared(content.runs, measured), differing(tables))
    if len(content.runs) >= FLEET:
        parts += _fleet(fleet(content.runs, measured))
    return "\n\n".join(parts) + "\n"


def _training(content: ReportContent) -> list[str]:
    """What went wrong in the training, a line for each."""
    lines = []
    for incident in incidents(content.metrics):
        until = "still so at the end" if incident.end is None else f"over at step {incident.end:,}"
        lines.append(f"- {escaped(f'Step {incident.begin:,}: {incident.problem}, {until}. {incident.seen}')}")
    if lines:
        return ["What went wrong in the training:", "\n".join(lines)]
    said = all_well(content.metrics)
    return [f"Training: {said[0].lower()}{said[1:]}"] if said else []


def escaped(text: str) -> str:
    """`text` as GitHub shows it letter by letter, on one line and inside a table."""
    entities = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "&#64;"}
    line = "".join(entities.get(letter, letter) for letter in " ".join(text.split()))
    return re.sub(r"([\\`*_\[\]|~$])|(?<!&)(#)", lambda match: f"\\{match[0]}", line)


def _measurements(content: ReportContent, measured: Sequence[Row]) -> str:
    """A line for each measurement; a column that would be empty is left out."""
    lines = [_measurement(content, row) for row in measured]
    headings = [heading for heading in lines[0] if any(line[heading] for line in lines)]
    return table(headings, [[line[heading] for heading in headings] for line in lines])


def _measurement(content: ReportContent, row: Row) -> dict[str, str]:
    stats, middle, energy, bound = row.statistics, row.percentile(50), energy_of(row), bound_of(row)
    parity = content.parity.get(PurePath(row.measurement.name).name)
    return {
        "run": escaped(row.run) if len(content.runs) > 1 else "",
        "artifact": escaped(row.label),
        "workload": escaped(row.workload),
        ">median, ms": milliseconds(stats.median),
        f">{CONFIDENCE:.0%} interval": bounds(middle) if middle else "",
        ">p99, ms": milliseconds(stats.p99) + ("" if stats.p99_trusted else " \N{DAGGER}"),
        ">images/s": f"{row.images_per_second:,.0f}",
        "against the first": _speed(row.ratio) if row.ratio else "",
        ">mJ/image": significant(1e3 * energy.joules_per_image) if energy else "",
        ">measured/roofline bound": f"{bound.ratio:.1f} ({escaped(bound.bound)})" if bound else "",
        ">worst PSNR": f"{parity.worst_psnr_db:.1f} dB" if parity else "",
        "parity": "" if parity is None else "passed" if parity.passed else "FAILED",
        "verdict": "UNSTABLE" if row.unstable else "stable",
    }


def _speed(ratio: Ratio) -> str:
    return escaped(speed(ratio)) + (", UNSTABLE" if ratio.unstable_because else "")


def _reading_notes(content: ReportContent, measured: Sequence[Row]) -> list[str]:
    notes = [f"Interval: {'; '.join(intervals(measured))}."]
    if is_mlperf_style(measured):
        notes.append(f"{MLPERF_STYLE}.")
    if any(not row.statistics.p99_trusted for row in measured):
        notes.append(f"† fewer than {ENOUGH_FOR_P99} calls: the p99 is not settled.")
    machines = dict.fromkeys(model(report) for report in content.runs.values())
    backends = dict.fromkeys(
        f"{row.measurement.session.get('backend', '')} {row.measurement.session.get('version', '')}"
        for row in measured
    )
    notes.append(f"Measured on {escaped('; '.join(machines))}, by {escaped(', '.join(backends))}.")
    run = {row.run: f"{row.run}, " if len(content.runs) > 1 else "" for row in measured}
    unstable = [
        f"- UNSTABLE: {escaped(f'{run[row.run]}{row.label}, {row.workload}: ' + '; '.join(row.unstable))}."
        for row in measured
        if row.unstable
    ]
    course = [f"- {escaped(note)}" for note in course_notes(measured)] if len(content.runs) == 1 else []
    return [*notes, *("\n".join(lines) for lines in (unstable, course) if lines)]


def _comparison(found: Compared, different: Sequence[tuple[str, Fact]]) -> list[str]:
    headings = [
        "artifact",
        "workload",
        "metric",
        ">then",
        ">now",
        ">change",
        f">{found.confidence:.0%} interval",
    ]
    lines = []
    for change in found.changes:
        figures, unit = change.figures, " ms" if change.figures.metric.startswith("p") else ""
        lines.append([
            escaped(change.now.label), escaped(change.now.workload), figures.metric,
            milliseconds(figures.then) + unit, milliseconds(figures.now) + unit, f"{figures.change:+.1%}",
            f"{figures.low:+.1%} to {figures.high:+.1%}", change.word,
        ])  # fmt: skip
    notes = [
        f"- Not the same: {escaped(f'{heading}, {fact.name}: ' + ', then '.join(fact.values))}."
        for heading, fact in different
    ]
    notes += [f"- Only in one of them: {escaped(each)}." for each in found.alone]
    said = [f"#### {escaped(found.now)} against {escaped(found.then)}, gate {escaped(found.gate)}"]
    said += [table([*headings, "outcome"], lines)] if lines else []
    return [*said, *(["\n".join(notes)] if notes else [])]


def _fleet(found: Fleet) -> list[str]:
    devices = []
    for number, device in enumerate(found.devices, start=1):
        verdict = "STANDS OUT" if device.outliers else "like the others"
        devices.append([str(number), escaped(device.name), escaped(device.model), verdict])
    differing: dict[str, list[str]] = {}
    for outlier in found.outliers:
        differing.setdefault(f"{outlier.row.run}, {outlier.where}", []).append(outlier_words(outlier))
    lines = [f"- {escaped(who)}: {escaped(', '.join(words))}" for who, words in differing.items()]
    parts = [table([">no.", "board", "model", "verdict"], devices)]
    return [*parts, *(["\n".join(lines)] if lines else []), RULE]


def table(headings: Cells, lines: Iterable[Cells]) -> str:
    """A Markdown table; a heading that starts with ">" is of a column of numbers."""
    rule = ["---:" if heading.startswith(">") else "---" for heading in headings]
    return "\n".join(
        f"| {' | '.join(cells)} |" for cells in ([h.removeprefix(">") for h in headings], rule, *lines)
    )
