"""The report's charts: what is drawn of a training run and of a benchmark. `drawing` knows how.

Legends are the page's, so that no name that a user chose enters a drawing; series keep the order given.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from dcgan_edge.runtime.drawing import COLOURS, draw, marker, stroke

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.ticker import MaxNLocator

BINS = 200  # of a training curve
LEVELS = 512  # of a distribution: less than half a pixel of the chart's height
ENDS = 64  # samples at either end of a distribution, drawn one by one
WIDE = 8.0  # largest / smallest latency from which the axis is logarithmic
Numbers = npt.NDArray[np.float64]


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
    svg: str
    legend: tuple[tuple[str, str], ...] = ()


def curves(name: str, title: str, series: Mapping[str, Points], *, x: str, y: str, zero: bool = False) -> str:
    """Training curves as SVG; `x` and `y` are the axes' labels, `zero` starts y at 0.

    A long curve is drawn as the median of each of `BINS` stretches and a band from smallest to largest.
    """

    def plot(axes: Axes) -> None:
        for index, points in enumerate(series.values()):
            position, low, middle, high = _stretches(np.asarray(points.x), np.asarray(points.y))
            if len(position) < len(points.x):
                axes.fill_between(
                    position, low, high, color=COLOURS[index % len(COLOURS)], alpha=0.22, linewidth=0
                )
            axes.plot(position, middle, **stroke(index))
        if zero:
            axes.set_ylim(bottom=0)
        axes.xaxis.set_major_formatter(_short)
        axes.yaxis.set_major_formatter(_short)
        axes.xaxis.set_major_locator(_few_ticks())
        axes.set(xlabel=x, ylabel=y)

    words = [f"{label} goes from {points.y[0]:.3g} to {points.y[-1]:.3g}" for label, points in series.items()]
    return draw(name, title, f"{y} over {x}: {'; '.join(words)}.", plot)


def distribution(name: str, title: str, latency_ms: Mapping[str, Sequence[float]]) -> str:
    """The share of calls (%) that took at most x milliseconds, as SVG: every sample, the longest included.

    A marker stands on the median; a series without samples is left out, but keeps its colour. The time axis
    is logarithmic when the samples span a factor of `WIDE`.
    """
    ordered = {label: np.sort(np.asarray(samples, np.float64)) for label, samples in latency_ms.items()}
    drawn = [(index, samples) for index, samples in enumerate(ordered.values()) if len(samples)]

    def plot(axes: Axes) -> None:
        ends = [float(end) for _, samples in drawn for end in (samples[0], samples[-1])]
        if _is_wide(ends, WIDE):
            _logarithmic(axes, "x", ends)
        else:
            axes.xaxis.set_major_locator(_few_ticks())
        for index, samples in drawn:
            axes.plot(*_cumulative(samples), drawstyle="steps-post", **stroke(index))
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
    return draw(name, title, f"Cumulative distribution of the latency. {'; '.join(words)}.", plot)


def throughput(name: str, title: str, series: Mapping[str, Points]) -> str:
    """Images per second over the batch size as SVG. The batch axis is logarithmic, the other from 0 unless
    the figures span a factor of four times `WIDE`.
    """

    def plot(axes: Axes) -> None:
        batches = sorted({batch for points in series.values() for batch in points.x})
        figures = [figure for points in series.values() for figure in points.y]
        axes.set_xscale("log", base=2)
        axes.set_xticks(batches, [f"{batch:g}" for batch in batches])
        axes.minorticks_off()
        if _is_wide(figures, 4 * WIDE):
            _logarithmic(axes, "y", figures)
        for index, points in enumerate(series.values()):
            axes.plot(points.x, points.y, **stroke(index))
            for batch, figure, hollow in zip(points.x, points.y, points.hollow, strict=True):
                axes.plot([batch], [figure], **marker(index, hollow=hollow))
        if axes.get_yscale() == "linear":
            axes.set_ylim(bottom=0)
        axes.yaxis.set_major_formatter(_short)
        axes.set(xlabel="batch (images per call)", ylabel="images per second")

    words = []
    for label, points in series.items():
        figures = [f"{y:,.0f} at batch {x:g}" for x, y in zip(points.x, points.y, strict=True)]
        words += [f"{label}: {', '.join(figures)}"] if figures else []
    return draw(name, title, f"Images per second. {'; '.join(words)}.", plot)


def _stretches(x: Numbers, y: Numbers) -> tuple[Numbers, Numbers, Numbers, Numbers]:
    """Mean position, and smallest, median and largest y, of up to `BINS` stretches of equal length."""
    parts = np.array_split(np.arange(len(y)), min(BINS, len(y)))
    low, middle, high = np.array([(y[part].min(), np.median(y[part]), y[part].max()) for part in parts]).T
    return np.array([x[part].mean() for part in parts]), low, middle, high


def _cumulative(ordered: Numbers) -> tuple[Numbers, Numbers]:
    """Steps of the distribution, from 0 %: `LEVELS` of the rising samples and all of those at the ends."""
    count = len(ordered)
    levels = np.linspace(0, count - 1, LEVELS).astype(int)
    picked = np.unique(np.concatenate([levels, np.arange(count)[:ENDS], np.arange(count)[-ENDS:]]))
    percent = 100 * (picked + 1) / count
    return np.concatenate([ordered[:1], ordered[picked]]), np.concatenate([[0.0], percent])


def _is_wide(values: Sequence[float], ratio: float) -> bool:
    return min(values) > 0 and max(values) / min(values) >= ratio


def _logarithmic(axes: Axes, axis: str, values: Sequence[float]) -> None:
    """Make the x or y axis logarithmic, with 1, 2 and 5 as ticks, or powers of ten where those crowd."""
    from matplotlib.ticker import LogLocator, NullLocator

    decades = math.log10(max(values) / min(values))
    target = axes.xaxis if axis == "x" else axes.yaxis
    axes.set(**{f"{axis}scale": "log"})
    target.set_major_locator(LogLocator(subs=(1, 2, 5) if decades < 3.2 else (1,), numticks=12))
    target.set_minor_locator(NullLocator())
    target.set_major_formatter(_plain)


def _few_ticks() -> MaxNLocator:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(nbins=6)


def _short(value: float, _: object = None) -> str:
    """A count for an axis: 1500000 is 1.5M, 2500 is 2.5k, 500 and 0.25 stay."""
    for unit, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= unit:
            return f"{value / unit:g}{suffix}"
    return f"{value:g}"


def _plain(value: float, _: object = None) -> str:
    return f"{value:g}"
