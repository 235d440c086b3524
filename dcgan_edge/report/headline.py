"""The few figures that a report begins with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from dcgan_edge.artifact import Manifest
from dcgan_edge.report.comparison import Change, Compared
from dcgan_edge.report.fleet import Fleet
from dcgan_edge.report.rows import Row
from dcgan_edge.report.words import milliseconds
from dcgan_edge.runtime.parity import Parity
from dcgan_edge.words import count_words, size_words


@dataclass(frozen=True)
class Figure:
    """One figure of the headline. `state` is "good", "bad" or "" when there is nothing to judge."""

    label: str
    value: str
    unit: str
    detail: str
    state: str = ""


def headline(
    artifacts: Sequence[tuple[str, Manifest]],
    parity: Mapping[str, Parity],
    rows: Sequence[Row],
    found: Compared | Fleet | None = None,
) -> list[Figure]:
    """What a reader wants to know first: of one run its speed, of two the largest change, of a fleet the
    boards that stand out; and parity and size of the artifacts.
    """
    figures = [_parity_figure(parity)] if parity else []
    if isinstance(found, Compared):
        figures += [_change_figure(found)] if found.changes else []
    elif isinstance(found, Fleet):
        figures += _fleet_figures(found)
    else:
        figures += _speed_figures(rows, parity)
    files = [(name, manifest) for name, manifest in artifacts if manifest.kind != "checkpoint"]
    return [*figures, *([_size_figure(files)] if files else [])]


def _speed_figures(rows: Sequence[Row], parity: Mapping[str, Parity]) -> list[Figure]:
    """Latency is that of the smallest batch. An artifact that failed parity is not quoted for its speed, and
    an unstable figure only where there is no other.
    """
    failed = {PurePath(name).name for name, verdict in parity.items() if not verdict.passed}
    sound = [row for row in rows if PurePath(row.measurement.name).name not in failed]
    if not sound:
        return []
    smallest = min(row.measurement.batch for row in sound)
    quick = [row for row in sound if row.measurement.batch == smallest]
    fast = min(_reliable(quick), key=lambda row: row.statistics.median)
    most = max(_reliable(sound), key=lambda row: row.images_per_second)
    median, throughput = milliseconds(fast.statistics.median), f"{most.images_per_second:,.0f}"
    return [
        *_ratio_figures(sound),
        Figure("Fastest call, median", median, "ms", _where(fast)),
        Figure("Highest throughput", throughput, "images/s", _where(most)),
    ]


def _ratio_figures(rows: Sequence[Row]) -> list[Figure]:
    """The largest proven ratio to the first artifact; a stable one where there is any."""
    proven = [(row, row.ratio) for row in rows if row.ratio and row.ratio.outcome == "faster"]
    stable = [(row, ratio) for row, ratio in proven if not ratio.unstable_because]
    if not proven:
        return []
    row, ratio = max(stable or proven, key=lambda each: each[1].speed.value)
    value, _, rest = str(ratio).partition("x ")
    unstable = "" if stable else ", unstable"
    detail = f"{rest} than {PurePath(ratio.of).name}: {row.label}, {row.workload}{unstable}"
    return [Figure("Against the first artifact", value, "\N{MULTIPLICATION SIGN}", detail)]


def _change_figure(found: Compared) -> Figure:
    """The largest regression, else the largest improvement, else the largest change of all."""

    def weight(change: Change) -> tuple[int, float]:
        return {False: 2, True: 1, None: 0}[change.good], abs(change.figures.change)

    largest = max(found.changes, key=weight)
    figures = largest.figures
    unstable = ", unstable" if largest.then.unstable or largest.now.unstable else ""
    detail = (
        f"{largest.word}: {found.confidence:.0%} interval {figures.low:+.1%} to {figures.high:+.1%}, "
        f"{largest.now.label}, {largest.now.workload}{unstable}"
    )
    state = {False: "bad", True: "good", None: ""}[largest.good]
    count = len(found.changes)
    label = f"Largest of {count} changes of {figures.metric}" if count > 1 else f"Change of {figures.metric}"
    return Figure(label, f"{100 * figures.change:+.1f}", "%", detail, state)


def _fleet_figures(found: Fleet) -> list[Figure]:
    names = [device.name for device in found.devices if device.outliers]
    models = list(dict.fromkeys(device.model for device in found.devices))
    boards = Figure("Boards", str(len(found.devices)), "", "; ".join(models))
    state = "bad" if names else "good"
    unit = "board" if len(names) == 1 else "boards"
    return [boards, Figure("Stand out", str(len(names)), unit, ", ".join(names) or "none", state)]


def _parity_figure(parity: Mapping[str, Parity]) -> Figure:
    passed = sum(verdict.passed for verdict in parity.values())
    worst = min(verdict.worst_psnr_db for verdict in parity.values())
    levels = max(verdict.grey_levels for verdict in parity.values())
    detail = f"worst seed {worst:.1f} dB, {count_words(levels, 'grey level')} at most"
    state = "good" if passed == len(parity) else "bad"
    return Figure(
        "Same images as PyTorch",
        f"{passed} of {len(parity)}",
        "artifacts",
        detail,
        state,
    )


def _size_figure(files: Sequence[tuple[str, Manifest]]) -> Figure:
    first, (name, smallest) = files[0], min(files, key=lambda file: file[1].size)
    value, unit = size_words(smallest.size).split()
    share = f", {smallest.size / first[1].size:.0%} of {first[0]}" if name != first[0] else ""
    return Figure("Smallest artifact", value, unit, f"{name}{share}")


def _reliable(rows: Sequence[Row]) -> Sequence[Row]:
    return [row for row in rows if not row.unstable] or rows


def _where(row: Row) -> str:
    return f"{row.label}, {row.workload}{', unstable' if row.unstable else ''}"
