"""The chart of a fleet: one row for each device, its percentiles over every raw sample behind them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dcgan_edge.report.drawing import COLOURS, MUTED, PAPER, Canvas, Svg, draw
from dcgan_edge.report.scales import few_ticks, is_wide, logarithmic
from dcgan_edge.report.thinning import Numbers, picked_ranks

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROW, AXIS, TOP, LEFT, RIGHT = 36, 44, 8, 116, 12  # SVG units
LONGEST_NAME = 14  # letters that fit beside the chart
BOX, OUT = COLOURS[0], COLOURS[1]
MARKS = ((90.0, "^"), (99.0, "D"))


@dataclass(frozen=True)
class Board:
    """A device's rising latencies in milliseconds, `number` in the table of devices; `stands_out` as `fleet`
    has found."""

    number: int
    name: str
    ordered: Numbers
    percentiles: dict[float, float]  # of 25, 50, 75, 90 and 99
    stands_out: bool = False


def boxes(boards: Sequence[Board], *, levels: int = 256) -> Svg:
    """Draw a box from the 25th to the 75th percentile of each board, a line at its median, a triangle at its
    90th percentile, a diamond at its 99th, and below them a dash for each sample; those between the ends are
    thinned to `levels` by rank.
    The time axis is logarithmic when the samples span a factor of `WIDE`.
    """
    canvas = Canvas(height=TOP + AXIS + ROW * len(boards), margins=(LEFT, RIGHT, AXIS, TOP))

    def plot(axes: Axes) -> None:
        ends = [float(end) for board in boards for end in (board.ordered[0], board.ordered[-1])]
        if is_wide(ends):
            logarithmic(axes, "x", ends, ticks=9)
        else:
            axes.xaxis.set_major_locator(few_ticks(5))
        for row, board in enumerate(boards):
            _row(axes, row, board, levels)
        axes.set_ylim(len(boards) - 0.4, -0.5)
        axes.set_yticks(range(len(boards)), [""] * len(boards))
        for row, board in enumerate(boards):
            axes.text(-0.02, row, _short(board), parse_math=False, ha="right", va="center", fontsize=11,
                      color=MUTED, transform=axes.get_yaxis_transform())  # fmt: skip
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
        axes.set(xlabel="latency of a call (ms)")

    return draw(_words(boards), plot, canvas)


def _row(axes: Axes, row: int, board: Board, levels: int) -> None:
    """The box, and below it a dash for each sample."""
    colour, middle = OUT if board.stands_out else BOX, row - 0.16
    shown = board.ordered[picked_ranks(len(board.ordered), levels, min(16, levels))]
    x = np.stack([shown, shown, np.full(len(shown), np.nan)], axis=1).ravel()
    axes.plot(x, np.tile([row + 0.16, row + 0.4, np.nan], len(shown)), color=colour, linewidth=0.8, alpha=0.6)
    axes.plot([board.ordered[0], board.ordered[-1]], [middle, middle], color=colour, linewidth=1)
    quarter, half, most = (board.percentiles[percent] for percent in (25.0, 50.0, 75.0))
    box: dict[str, Any] = {
        "left": quarter,
        "height": 0.42,
        "facecolor": PAPER,
        "edgecolor": colour,
        "linewidth": 1.6,
    }
    axes.barh(middle, most - quarter, zorder=2.5, **box)
    axes.plot([half, half], [middle - 0.21, middle + 0.21], color=colour, linewidth=3, zorder=3)
    for percent, shape in MARKS:
        look: dict[str, Any] = {
            "color": colour,
            "markersize": 6.5,
            "markeredgecolor": PAPER,
            "markeredgewidth": 0.8,
        }
        axes.plot([board.percentiles[percent]], [middle], marker=shape, linestyle="none", zorder=4, **look)


def _short(board: Board) -> str:
    """What stands beside a row: its number in the table of devices, and as much of the name as fits."""
    name = board.name
    if len(name) > LONGEST_NAME:
        name = name[: LONGEST_NAME - 1] + "\N{HORIZONTAL ELLIPSIS}"
    return f"{'! ' if board.stands_out else ''}{board.number} {name}"


def _words(boards: Sequence[Board]) -> str:
    words = []
    for board in boards:
        figures = ", ".join(
            f"p{percent:g} {board.percentiles[percent]:.3g}" for percent in (50.0, 90.0, 99.0)
        )
        words.append(f"{board.name}: {figures}{', stands out' if board.stands_out else ''}")
    return f"Latency in milliseconds. {'; '.join(words)}."
