"""Two runs beside each other: what changed, by how much, and what else was not the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dcgan_edge.errors import BenchmarkError
from dcgan_edge.report import charts
from dcgan_edge.report.bench import fact
from dcgan_edge.report.charts import Chart
from dcgan_edge.report.keys import key
from dcgan_edge.report.rows import Row
from dcgan_edge.runtime.bench import comparison as compare
from dcgan_edge.runtime.bench.comparison import DEFAULT_GATE, SAME_SESSION, parse_gate
from dcgan_edge.runtime.bench.record import BenchReport, Comparison, matching
from dcgan_edge.runtime.bench.statistics import CONFIDENCE
from dcgan_edge.runtime.device import SAME_MACHINE

MOST_CHARTS = 12


@dataclass(frozen=True)
class Change:
    """One metric of one measurement, then and now. `word` is the outcome for people; `good` is None where it
    is neither good nor bad."""

    then: Row
    now: Row
    figures: Comparison
    word: str
    good: bool | None


@dataclass(frozen=True)
class Compared:
    """The changes of run `now` against run `then`; `differences` speak against comparing at all, `alone` are
    the measurements that only one of the two has."""

    then: str
    now: str
    gate: str
    confidence: float
    changes: tuple[Change, ...]
    differences: tuple[str, ...]
    alone: tuple[str, ...]


def compared(runs: Mapping[str, BenchReport], rows: Sequence[Row]) -> Compared:
    """Compare the second of two runs with the first, by the default gate, whatever differs between them."""
    (then, base), (now, new) = runs.items()
    try:
        found = compare.compare(base, new, [parse_gate(DEFAULT_GATE)], force=True)
    except BenchmarkError:  # nothing in common
        found = []
    earlier, later = ([row for row in rows if row.run == run] for run in (then, now))
    pairs = [(_match(earlier, row), row) for row in later]
    changes = tuple(
        _change(before, after, figures)
        for (before, after), figures in zip(((b, a) for b, a in pairs if b), found, strict=True)
    )
    paired = {id(row) for change in changes for row in (change.then, change.now)}
    alone = [row for row in (*earlier, *later) if id(row) not in paired]
    return Compared(
        then,
        now,
        DEFAULT_GATE,
        CONFIDENCE,
        changes,
        _differences(base, new, changes),
        tuple(f"{row.label}, {row.workload} ({row.run})" for row in alone),
    )


def overlays(found: Compared) -> list[Chart]:
    """Both distributions of each measurement that the two runs share, one over the other."""
    drawn = []
    legend = ((key(0, marked=True), found.then), (key(1, marked=True), found.now))
    for change in found.changes[:MOST_CHARTS]:
        title = f"{change.now.label}, {change.now.workload}"
        samples = {"then": change.then.latency_ms, "now": change.now.latency_ms}
        drawn.append(Chart(title, charts.distribution(samples), legend))
    return drawn


def _match(earlier: Sequence[Row], row: Row) -> Row | None:
    found = matching([each.measurement for each in earlier], row.measurement)
    return next((each for each in earlier if each.measurement is found), None) if found else None


def _change(then: Row, now: Row, figures: Comparison) -> Change:
    good = False if figures.regression else True if figures.outcome == "faster" else None
    small = figures.outcome == "slower" and not figures.regression
    word = f"{figures.outcome}{', within the gate' if small else ''}"
    return Change(then, now, figures, f"{word}, because {figures.because}" if figures.because else word, good)


def _differences(base: BenchReport, new: BenchReport, changes: Sequence[Change]) -> tuple[str, ...]:
    """What must be the same for a difference to mean anything, and is not."""
    pairs = [(name, base.machine.get(name), new.machine.get(name)) for name in SAME_MACHINE]
    for change in changes:
        before, after = change.then.measurement.session, change.now.measurement.session
        pairs += [(f"{n} of {change.now.label}", before.get(n), after.get(n)) for n in SAME_SESSION]
    said = [f"{name}: {fact(old)}, then {fact(new)}" for name, old, new in pairs if old != new]
    return tuple(dict.fromkeys(said))
