"""Charts over time, as wide as a page and lined up with each other: latency, and the readings beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dcgan_edge.report.charts import plot_stretches
from dcgan_edge.report.drawing import INK, MUTED, RULE, Canvas, Svg, draw, stroke
from dcgan_edge.report.scales import few_ticks, is_wide, logarithmic, short
from dcgan_edge.report.thinning import Numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Kind = Literal["workload", "round", "break", "warm-up"]
WIDTH = 720
TALL, LOW, AXIS = 190, 96, 38  # SVG units: of the latency, of a reading, of the time axis's labels
LEFT, RIGHT, TOP, ABOVE = 62, 10, 8, 24
BINS = 480  # over the whole width: one and a half SVG units each
FEWEST_BINS = 12  # of a stretch without a gap, however short
ROOM = 0.14  # of the height, above a latency
LETTER = 0.009  # of the axis is the width of a letter; a label that does not fit its stretch is left out


@dataclass(frozen=True)
class Line:
    """One series over time, (seconds, values) of each part; between parts nothing was measured. `steps` holds
    a value from one sample to the next."""

    index: int
    label: str
    parts: tuple[tuple[Numbers, Numbers], ...]
    steps: bool = False


@dataclass(frozen=True)
class Span:
    """A stretch of time. `text` stands above a workload and at the top of a round; it is ours, no user's
    name.
    """

    start: float
    stop: float
    kind: Kind
    text: str = ""


@dataclass(frozen=True)
class Panel:
    """What is drawn: its y axis with unit, its lines, and `until`, where the time axis ends (s)."""

    y: str
    lines: Sequence[Line]
    until: float
    spans: Sequence[Span] = ()
    tall: bool = False
    zero: bool = False


def panel(shown: Panel) -> Svg:
    """Draw one panel; panels of the same `until` have the same time axis at the same place.

    A part of many samples is drawn as the median and a band from smallest to largest of short stretches, so
    that every extreme is seen. The value axis is logarithmic when the values span a factor of `WIDE`.
    """
    values = np.concatenate([values for line in shown.lines for _, values in line.parts])
    above = ABOVE if shown.tall else TOP
    canvas = Canvas(WIDTH, (TALL if shown.tall else LOW) + AXIS, (LEFT, RIGHT, AXIS, above))

    def plot(axes: Axes) -> None:
        ends = [float(values.min()), float(values.max())]
        if shown.tall and is_wide(ends):
            logarithmic(axes, "y", ends, ticks=8)
        else:
            whole = bool(np.all(values == np.round(values)))
            axes.yaxis.set_major_locator(few_ticks(6 if shown.tall else 3, whole=whole))
            axes.yaxis.set_major_formatter(short)
        for line in shown.lines:
            for x, y in line.parts:
                _plot_part(axes, line, x, y, shown.until)
        axes.set_xlim(0, shown.until)
        _limit(axes, shown, ends)
        for span in shown.spans:
            _shade(axes, span, shown.until)
        axes.xaxis.set_major_locator(few_ticks(10))
        axes.set(xlabel="time (s)")
        axes.set_ylabel(shown.y, fontsize=11)
        axes.yaxis.set_label_coords(-46 / (WIDTH - LEFT - RIGHT), 0.5)

    words = [_words(line) for line in shown.lines]
    return draw(f"{shown.y} over time in seconds. {'; '.join(words)}.", plot, canvas)


def _plot_part(axes: Axes, line: Line, x: Numbers, y: Numbers, until: float) -> None:
    bins = max(FEWEST_BINS, round(BINS * (x[-1] - x[0]) / until)) if until > 0 else FEWEST_BINS
    if line.steps and len(x) <= bins:
        axes.plot(x, y, drawstyle="steps-pre", **stroke(line.index))
        return
    plot_stretches(axes, line.index, x, y, bins)


def _limit(axes: Axes, shown: Panel, ends: list[float]) -> None:
    """Readings start at 0, or span a tenth of their size, so that noise does not look like movement. Above
    a latency there is room for the numbers of the rounds."""
    if shown.tall:
        low, high = axes.get_ylim()
        is_log = axes.get_yscale() == "log"
        axes.set_ylim(low, high * (high / low) ** ROOM if is_log else high + ROOM * (high - low))
    elif shown.zero:
        axes.set_ylim(min(0.0, ends[0]), max(1.0, 1.08 * ends[1]))
    else:
        middle, half = sum(ends) / 2, max(0.56 * (ends[1] - ends[0]), 0.05 * max(map(abs, ends)), 0.5)
        axes.set_ylim(middle - half, middle + half)


def _shade(axes: Axes, span: Span, until: float) -> None:
    if span.kind == "round":
        axes.axvspan(span.start, span.stop, color=RULE, alpha=0.55, linewidth=0, zorder=0)
    elif span.kind == "warm-up":
        hatched: dict[str, Any] = {"facecolor": "none", "edgecolor": MUTED, "hatch": "//", "linewidth": 0}
        axes.axvspan(span.start, span.stop, zorder=0, **hatched)
    needed = LETTER * (len(span.text) + 1)
    if span.text and span.stop - span.start >= needed * until:
        above = span.kind == "workload"
        axes.text(
            (span.start + span.stop) / 2, 1.02 if above else 0.98, span.text, ha="center", fontsize=11,
            va="bottom" if above else "top", color=INK if above else MUTED, parse_math=False,
            transform=axes.get_xaxis_transform(),
        )  # fmt: skip


def _words(line: Line) -> str:
    values = np.concatenate([values for _, values in line.parts])
    return (
        f"{line.label}: between {values.min():.3g} and {values.max():.3g}, half below {np.median(values):.3g}"
    )
