"""The report's charts of a training run and of a benchmark's samples. `drawing` knows how to draw.

Legends are the page's, so that no name that a user chose is laid out in a drawing. Series keep their order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from dcgan_edge.report.drawing import COLOURS, INK, MUTED, RULE, Svg, draw, marker, stroke
from dcgan_edge.report.scales import WIDE, few_ticks, is_wide, logarithmic, short
from dcgan_edge.report.thinning import Numbers, cumulative, stretches

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BINS = 200  # of a training curve
FEW = 8  # samples


@dataclass(frozen=True)
class Points:
    """One series. `hollow` marks the points that should not be relied on."""

    x: tuple[float, ...]
    y: tuple[float, ...]
    hollow: tuple[bool, ...] = ()


@dataclass(frozen=True)
class Chart:
    """A drawing with its heading and legend, (sample of the series, name) each."""

    title: str
    svg: Svg
    legend: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Mark:
    """A stretch of the x axis, to its end where `stop` is None. `text` above it is a few letters of ours."""

    start: float
    stop: float | None
    text: str


def curves(
    series: Mapping[str, Points],
    *,
    x: str,
    y: str,
    zero: bool = False,
    log: bool = False,
    marks: Sequence[Mark] = (),
) -> Svg:
    """Draw training curves; `x` and `y` are the axes' labels, `zero` starts y at 0, `log` makes it
    logarithmic where the values span a factor of `WIDE`. `marks` are shaded.

    A long curve is drawn as the median of each of `BINS` stretches and a band from smallest to largest.
    """

    def plot(axes: Axes) -> None:
        for index, points in enumerate(series.values()):
            plot_stretches(axes, index, np.asarray(points.x), np.asarray(points.y), BINS)
        figures = [figure for points in series.values() for figure in points.y]
        if zero:
            axes.set_ylim(bottom=0)
        axes.xaxis.set_major_formatter(short)
        axes.yaxis.set_major_formatter(short)
        if log and is_wide(figures):
            logarithmic(axes, "y", figures, ticks=8)
        last = max(points.x[-1] for points in series.values())
        for mark in marks:
            _shade(axes, mark, last)
        axes.xaxis.set_major_locator(few_ticks())
        axes.set(xlabel=x, ylabel=y)

    words = [f"{label} goes from {points.y[0]:.3g} to {points.y[-1]:.3g}" for label, points in series.items()]
    for mark in marks:
        until = "the end" if mark.stop is None else f"{mark.stop:,.0f}"
        words.append(f"marked {mark.text}: from {mark.start:,.0f} to {until}")
    return draw(f"{y} over {x}: {'; '.join(words)}.", plot)


def _shade(axes: Axes, mark: Mark, last: float) -> None:
    """A shaded stretch with a line where it begins and its text above the axes."""
    stop = max(last, mark.start) if mark.stop is None else mark.stop
    axes.axvspan(mark.start, stop, color=RULE, alpha=0.55, linewidth=0, zorder=0)
    axes.axvline(mark.start, color=MUTED, linewidth=1.2, linestyle=(0, (2, 2)), zorder=1)
    axes.text(
        mark.start, 1.01, mark.text, ha="center", va="bottom", fontsize=11, color=INK, parse_math=False,
        transform=axes.get_xaxis_transform(),
    )  # fmt: skip


def plot_stretches(axes: Axes, index: int, x: Numbers, y: Numbers, most: int) -> None:
    """Draw series `index` as medians of up to `most` stretches, in a band if that left samples out. A few
    samples have a marker each, so that a single one is seen.
    """
    thin = stretches(x, y, most)
    if len(thin.position) < len(x):
        colour = COLOURS[index % len(COLOURS)]
        axes.fill_between(thin.position, thin.low, thin.high, color=colour, alpha=0.3, linewidth=0.5)
    axes.plot(thin.position, thin.middle, **stroke(index))
    if len(x) <= FEW:
        axes.plot(x, y, **{**marker(index), "markersize": 4})


def distribution(latency_ms: Mapping[str, Sequence[float] | npt.NDArray[np.float64]]) -> Svg:
    """Draw the share of calls (%) that took at most x milliseconds: every sample, the longest included.

    A marker stands on the median; a series without samples is left out, but keeps its colour. The time axis
    is logarithmic when the samples span a factor of `WIDE`.
    """
    ordered = {label: np.sort(np.asarray(samples, np.float64)) for label, samples in latency_ms.items()}
    drawn = [(index, samples) for index, samples in enumerate(ordered.values()) if len(samples)]

    def plot(axes: Axes) -> None:
        ends = [float(end) for _, samples in drawn for end in (samples[0], samples[-1])]
        if is_wide(ends):
            logarithmic(axes, "x", ends)
        else:
            axes.xaxis.set_major_locator(few_ticks())
        for index, samples in drawn:
            axes.plot(*cumulative(samples), drawstyle="steps-post", **stroke(index))
            axes.plot([float(np.median(samples))], [50], **marker(index))
        axes.set_ylim(0, 102)
        axes.set_yticks([0, 25, 50, 75, 100])
        axes.set(xlabel="latency of a call (ms)", ylabel="share of calls (%)")

    words = []
    for label, samples in ordered.items():
        if not len(samples):
            continue
        median, longest = float(np.median(samples)), float(samples[-1])
        words.append(f"{label}: half of the calls within {median:.3g} ms, the longest {longest:.3g} ms")
    return draw(f"Cumulative distribution of the latency. {'; '.join(words)}.", plot)


def throughput(series: Mapping[str, Points]) -> Svg:
    """Draw images per second over the batch size. The batch axis is logarithmic, the other from 0 unless
    the figures span a factor of four times `WIDE`.
    """

    def plot(axes: Axes) -> None:
        batches = sorted({batch for points in series.values() for batch in points.x})
        figures = [figure for points in series.values() for figure in points.y]
        axes.set_xscale("log", base=2)
        axes.set_xticks(batches, [f"{batch:g}" for batch in batches])
        axes.minorticks_off()
        if is_wide(figures, 4 * WIDE):
            logarithmic(axes, "y", figures)
        for index, points in enumerate(series.values()):
            axes.plot(points.x, points.y, **stroke(index))
            for batch, figure, hollow in zip(points.x, points.y, points.hollow, strict=True):
                axes.plot([batch], [figure], **marker(index, hollow=hollow))
        if axes.get_yscale() == "linear":
            axes.set_ylim(0, 1.08 * max(figures))  # markers are not cut
        axes.yaxis.set_major_formatter(short)
        axes.set(xlabel="batch (images per call)", ylabel="images per second")

    words = []
    for label, points in series.items():
        figures = [f"{y:,.0f} at batch {x:g}" for x, y in zip(points.x, points.y, strict=True)]
        words += [f"{label}: {', '.join(figures)}"] if figures else []
    return draw(f"Images per second. {'; '.join(words)}.", plot)
