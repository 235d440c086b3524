"""What the results of `make bench` say of our goals: a line for each, with the figures behind it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from benchmarks.contestants import CHANNELS_LAST, REFERENCE, Class
from benchmarks.generators import Subject
from benchmarks.results import Entry, Results
from benchmarks.tables import ratio, times_words
from dcgan_edge.runtime.bench.record import Measurement, Ratio

MARGIN = 1.03  # by which a peer may be faster in a cell
BEST = {1: (REFERENCE, 10.0), 8: (REFERENCE, 3.5), 64: (CHANNELS_LAST, 4.0)}  # the most of ours, over whom
FLOAT_BATCH, FLOAT_GAIN = 64, 1.15  # over the best peer in float
WITHIN: dict[Class, tuple[Class, ...]] = {  # a peer is beaten by ours that are as exact, or more
    "float": ("float",),
    "bf16": ("float",),
    "int8": ("float", "int8"),
}


def verdicts(subject: Subject, cells: Mapping[int, str], results: Results) -> Iterator[str]:
    """Yield what the `cells` of `subject`, named by their batch, say of each goal."""
    entries = results.entries(subject.name)
    able = {name for name, entry in entries.items() if not entry.missed}
    taken = {
        batch: {name: each for name, each in found.items() if name in able}
        for batch, cell in cells.items()
        if (found := results.measurements(cell))
    }
    ahead = [words for batch, found in taken.items() for words in _ahead(batch, found, entries)]
    yield _line(
        not ahead, f"no peer is more than {MARGIN - 1:.0%} faster than ours", "; ".join(ahead) or "none"
    )
    for batch, (name, goal) in BEST.items():
        if batch in taken and name in taken[batch]:
            best = fastest(taken[batch], entries, ("float", "int8"), ours=True)
            if best is not None:
                speed = ratio(best, taken[batch][name])
                promise = f"batch {batch}: at least {goal:g} times as fast as {name}"
                yield _line(speed.speed.value >= goal, promise, f"{_words(speed)} by {best.name}")
    if FLOAT_BATCH in taken:
        yield from _in_float(taken[FLOAT_BATCH], entries)


def _ahead(batch: int, found: Mapping[str, Measurement], entries: Mapping[str, Entry]) -> Iterator[str]:
    """Yield each peer that is more than MARGIN faster than the best of ours that is as exact."""
    for name, peer in found.items():
        entry = entries[name]
        best = None if entry.is_ours else fastest(found, entries, WITHIN[entry.kind], ours=True)
        if best is None:
            continue
        speed = ratio(peer, best)
        if speed.speed.value > MARGIN:
            yield f"batch {batch}: {name} {_words(speed)} over {best.name}"


def fastest(
    found: Mapping[str, Measurement], entries: Mapping[str, Entry], kinds: tuple[Class, ...], *, ours: bool
) -> Measurement | None:
    """Return the one with the smallest median of ours, or of the peers, in these classes."""
    some = [m for name, m in found.items() if entries[name].is_ours == ours and entries[name].kind in kinds]
    return min(some, key=lambda each: each.median_ms.value, default=None)


def _in_float(found: Mapping[str, Measurement], entries: Mapping[str, Entry]) -> Iterator[str]:
    best = fastest(found, entries, ("float",), ours=True)
    peer = fastest(found, entries, ("float",), ours=False)
    if best is None or peer is None:
        return
    speed = ratio(best, peer)
    promise = f"batch {FLOAT_BATCH}, float: at least {FLOAT_GAIN:g} times the best peer"
    yield _line(speed.speed.value >= FLOAT_GAIN, promise, f"{_words(speed)}, {best.name} over {peer.name}")
    for each in (best, peer):
        bound = each.roofline
        if "compute_ms" in bound:
            rate = bound["flops"] / bound["compute_ms"] / 1e6
            share = bound["compute_ms"] / each.median_ms.value
            yield f"       {each.name} takes {share:.0%} of the rate of matrix products, {rate:.0f} GFLOP/s"


def _words(found: Ratio) -> str:
    value, space, ends = times_words(found.speed).partition(" ")
    return f"{value}x{space}{ends}{' (UNSTABLE)' if found.unstable_because else ''}"


def _line(holds: bool, promise: str, found: str) -> str:
    return f"{'holds ' if holds else 'MISSED'} {promise}: {found}"
