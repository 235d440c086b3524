"""The results of `make bench` as Markdown: who is how many times faster than PyTorch, and what each takes."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.contestants import REFERENCE
from benchmarks.generators import Subject
from benchmarks.results import Entry, Results
from dcgan_edge.runtime.bench.intervals import Estimate
from dcgan_edge.runtime.bench.ratios import ratios
from dcgan_edge.runtime.bench.record import Measurement, Ratio
from dcgan_edge.runtime.bench.statistics import CONFIDENCE

NOTHING = "-"


def markdown(subject: Subject, cells: Mapping[int, str], results: Results) -> str:
    """Return the tables of `subject`, whose `cells` are named by their batch: all ratios, then every cell."""
    entries = results.entries(subject.name)
    taken = {batch: results.measurements(cell) for batch, cell in cells.items()}
    taken = {batch: found for batch, found in taken.items() if found}
    lines = [f"### {subject.words}", ""]
    if not taken:
        return "\n".join([*lines, "Nothing has been measured yet.", ""])
    heads = [f"batch {batch}" for batch in taken]
    lines += [_row(f"times as fast as {REFERENCE}", "dB", *heads), _row("---", *["---:"] * (1 + len(heads)))]
    for name, entry in entries.items():
        speeds = [speed_words(found, name) for found in taken.values()]
        lines.append(_row(named(entry), decibels(entry), *speeds))
    lines += ["", f"In brackets the {CONFIDENCE:.0%} interval from paired rounds. dB: worst of 64 images."]
    notes = {name: entry.refused or entry.missed for name, entry in entries.items()}
    lines += [f"- {name}: {note}" for name, note in notes.items() if note]
    for batch, found in taken.items():
        lines += ["", *_details(batch, found, entries)]
    return "\n".join([*lines, ""])


def named(entry: Entry) -> str:
    """Return the name of a contestant for a table; ours stand out."""
    return f"**{entry.name}**" if entry.is_ours else entry.name


def decibels(entry: Entry) -> str:
    """Return how close the images of a contestant are, in a cell of a table."""
    return NOTHING if entry.decibels is None else f"{entry.decibels:.0f}"


def speed_words(found: Mapping[str, Measurement], name: str) -> str:
    """Return how many times faster than the reference `name` is, with its interval."""
    if name == REFERENCE and name in found:
        return "1"
    if name not in found or REFERENCE not in found:
        return NOTHING
    return times_words(ratio(found[name], found[REFERENCE]).speed)


def times_words(speed: Estimate) -> str:
    """Return how many times, with its interval, in three digits or so."""
    digits = 2 if speed.value < 9.995 else 1
    value = f"{speed.value:.{digits}f}"
    return f"{value} [{speed.low:.{digits}f}, {speed.high:.{digits}f}]" if speed.bounded else value


def ratio(now: Measurement, of: Measurement) -> Ratio:
    """Return how many times faster `now` is than `of`, from their paired rounds."""
    (found,) = ratios([of, now])
    return found


def _details(batch: int, found: Mapping[str, Measurement], entries: Mapping[str, Entry]) -> list[str]:
    heads = ("p50 ms", "images/s", "load s", "first call ms", "peak MiB", "outcome", "verdict")
    lines = [_row(f"batch {batch}", *heads), _row("---", *["---:"] * 5, "---", "---")]
    for name, each in found.items():
        outcome = "" if name == REFERENCE else ratio(each, found[REFERENCE]).outcome
        lines.append(
            _row(
                named(entries[name]) if name in entries else name,
                f"{each.median_ms.value:.3f}",
                f"{each.images_per_second:,.0f}",
                _number(each.load_s, 2),
                _number(each.first_call_ms, 1),
                _number(None if each.peak_memory_bytes is None else each.peak_memory_bytes / 2**20, 0),
                outcome,
                each.verdict,
            )
        )
    return lines


def _number(value: float | None, digits: int) -> str:
    return NOTHING if value is None else f"{value:.{digits}f}"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
