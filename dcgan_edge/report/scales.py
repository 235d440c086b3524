"""The axes of charts: when they are logarithmic, where their ticks are, how numbers are said."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.ticker import MaxNLocator

WIDE = 8.0  # largest / smallest latency from which the axis is logarithmic


def is_wide(values: Sequence[float], ratio: float = WIDE) -> bool:
    """Return whether positive `values` span a factor of `ratio` or more."""
    return min(values) > 0 and max(values) / min(values) >= ratio


def logarithmic(axes: Axes, axis: str, values: Sequence[float], *, ticks: int = 12) -> None:
    """Make the x or y axis logarithmic, with 1, 2 and 5 as ticks, or powers of ten where those crowd."""
    from matplotlib.ticker import LogLocator, NullLocator

    decades = math.log10(max(values) / min(values))
    target = axes.xaxis if axis == "x" else axes.yaxis
    axes.set(**{f"{axis}scale": "log"})
    target.set_major_locator(LogLocator(subs=(1, 2, 5) if 3 * decades < ticks - 2 else (1,), numticks=ticks))
    target.set_minor_locator(NullLocator())
    target.set_major_formatter(short)


def few_ticks(most: int = 6, *, whole: bool = False) -> MaxNLocator:
    """Return a locator of up to `most` ticks, at `whole` numbers if that is asked for."""
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(nbins=most, integer=whole)


def short(value: float, _: object = None) -> str:
    """A count for an axis: 1500000 is 1.5M, 2500 is 2.5k, 500 and 0.25 stay."""
    for unit, suffix in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= unit:
            return f"{value / unit:g}{suffix}"
    return f"{value:g}"
