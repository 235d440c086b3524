"""What a search for the best way to run a generator found: the choice, its rivals and the Pareto front.

A candidate is on the Pareto front if no other is as good in every respect and better in one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dcgan_edge.report.charts import Chart
from dcgan_edge.report.drawing import INK, Svg, draw, marker
from dcgan_edge.report.keys import key
from dcgan_edge.report.scales import few_ticks, is_wide, logarithmic, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes

RING = 13.0  # points across, around the choice
MIB = 2**20


@dataclass(frozen=True)
class ParetoPoint:
    """A candidate: its `name`, the `group` that it is drawn with, its workload and figures.

    `speed` is in words, against the base; `psnr_db` and `kid` are None where they are not known.
    """

    name: str
    group: str
    workload: str
    ms_per_image: float
    images_per_second: float
    speed: str
    size: int
    psnr_db: float | None
    kid: float | None
    on_front: bool
    chosen: bool


@dataclass(frozen=True)
class ParetoSection:
    """What the page says of a search: the objective, the base, the choice in words, and the points.

    `refused` are (candidate, why) of those that make other images.
    """

    objective: str
    base: str
    chosen: str
    points: Sequence[ParetoPoint]
    refused: Sequence[tuple[str, str]] = ()


def pareto_charts(section: ParetoSection) -> list[Chart]:
    """Draw time against size, and against PSNR where that is known."""
    groups = list(dict.fromkeys(point.group for point in section.points))
    legend = tuple((key(index, marked=True), group) for index, group in enumerate(groups))
    sizes = _scatter(section.points, groups, lambda point: point.size / MIB, "size of the file (MiB)")
    charts = [Chart("Time and size", sizes, legend)]
    known = [point for point in section.points if point.psnr_db is not None]
    if known:
        images = _scatter(known, groups, lambda point: point.psnr_db or 0.0, "PSNR of the worst seed (dB)")
        charts.append(Chart("Time and likeness to the original", images, legend))
    return charts


def _scatter(
    points: Sequence[ParetoPoint],
    groups: Sequence[str],
    height: Callable[[ParetoPoint], float],
    label: str,
) -> Svg:
    """Draw `height` over time, filled on the front and hollow off it; a ring is around the choice."""
    times = [point.ms_per_image for point in points]

    def plot(axes: Axes) -> None:
        for point in points:
            look = marker(groups.index(point.group), hollow=not point.on_front)
            axes.plot([point.ms_per_image], [height(point)], **look)
            if point.chosen:
                axes.plot(
                    [point.ms_per_image], [height(point)], marker="o", markersize=RING, linestyle="none",
                    markerfacecolor="none", markeredgecolor=INK, zorder=4,
                )  # fmt: skip
        if is_wide(times):
            logarithmic(axes, "x", times)
        else:
            axes.set_xlim(0, 1.08 * max(times))
            axes.xaxis.set_major_locator(few_ticks())
        axes.set_ylim(0, 1.1 * max(map(height, points)))
        axes.yaxis.set_major_formatter(short)
        axes.set(xlabel="time for an image (ms)", ylabel=label)

    front = [
        f"{point.name}: {point.ms_per_image:.3g} ms, {height(point):.3g}"
        for point in points
        if point.on_front
    ]
    return draw(f"{label} over the time for an image. On the front: {'; '.join(front)}.", plot)
