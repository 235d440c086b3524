"""The roofline chart: what each measurement attains, below what the device could at best.

Source: Williams, Waterman and Patterson, "Roofline: an insightful visual performance model", CACM 52(4).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dcgan_edge.report.drawing import DASHES, INK, Svg, draw, marker
from dcgan_edge.report.scales import logarithmic, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARGIN = 3.0  # factor left and right of the points


@dataclass(frozen=True)
class Roof:
    """Peak arithmetic (FLOP/s) and bandwidth (bytes/s) of a device in one precision."""

    label: str
    flops: float
    bandwidth: float


@dataclass(frozen=True)
class Attained:
    """A measurement: FLOP per byte of least traffic, and FLOP per second attained."""

    index: int
    label: str
    intensity: float
    flops: float
    hollow: bool


def roofline(roofs: Sequence[Roof], points: Sequence[Attained]) -> Svg:
    """Draw roofs and points over arithmetic intensity, both axes logarithmic; hollow is unstable."""
    ridges = [roof.flops / roof.bandwidth for roof in roofs]
    x = [*(point.intensity for point in points), *ridges]
    low, high = min(x) / MARGIN, max(x) * MARGIN

    def plot(axes: Axes) -> None:
        for number, (roof, ridge) in enumerate(zip(roofs, ridges, strict=True)):
            dash = (0, DASHES[number % len(DASHES)] or None)
            axes.plot(
                [low, ridge, high],
                [roof.bandwidth * low, roof.flops, roof.flops],
                color=INK, linestyle=dash, linewidth=1.6,
            )  # fmt: skip
        for point in points:
            axes.plot([point.intensity], [point.flops], **marker(point.index, hollow=point.hollow))
        y = [*(point.flops for point in points), *(roof.flops for roof in roofs)]
        logarithmic(axes, "x", [low, high], ticks=7)
        logarithmic(axes, "y", [min(y) / MARGIN, max(y) * MARGIN], ticks=9)
        axes.set_xlim(low, high)
        axes.set_ylim(min(y) / MARGIN, max(y) * MARGIN)
        axes.set_xlabel("arithmetic intensity (FLOP per byte)")
        axes.set_ylabel("attained (FLOP per second)")
        axes.yaxis.set_major_formatter(short)

    words = [f"{roof.label}: {short(roof.flops)}FLOP/s, {short(roof.bandwidth)}B/s" for roof in roofs]
    words += [f"{point.label}: {point.flops:.3g} FLOP/s at {point.intensity:.3g} FLOP/B" for point in points]
    return draw(f"Roofline. {'; '.join(words)}.", plot)
