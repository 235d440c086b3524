"""What the page shows of a training run: its curves, its pictures."""

from __future__ import annotations

import base64
import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dcgan_edge.errors import EdgeError
from dcgan_edge.runtime.report import charts
from dcgan_edge.runtime.report.charts import Chart, Points
from dcgan_edge.runtime.report.keys import key

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
MOST_GRIDS = 8
CURVES = (  # name of the chart, title, y axis, series by their names in metrics.jsonl
    ("loss", "Loss", "loss", {"loss_d": "discriminator", "loss_g": "generator"}),
    (
        "score", "How real the discriminator finds them", "mean score, 0 to 1",
        {"real_score": "real images", "fake_score": "generated images"},
    ),
    ("speed", "Training speed", "images per second", {"images_per_second": "speed"}),
)  # fmt: skip


@dataclass(frozen=True)
class Picture:
    """A PNG as a data URI, and the size in CSS pixels at which its pixels are squares of whole pixels."""

    uri: str
    width: int
    height: int


def training_charts(metrics: Sequence[Mapping[str, Any]]) -> list[Chart]:
    """One chart for each of `CURVES`, of the lines that have its figures as finite numbers."""
    position = "images" if all(_is_number(line.get("images")) for line in metrics) else "step"
    axis = {"images": "images seen", "step": "step"}[position]
    drawn = []
    for name, title, label, lines in CURVES:
        series = {said: _series(metrics, position, y) for y, said in lines.items()}
        series = {said: points for said, points in series.items() if points.x}
        if series:
            svg = charts.curves(name, title, series, x=axis, y=label, zero=name != "loss")
            legend = tuple((key(index, marked=False), said) for index, said in enumerate(series))
            drawn.append(Chart(title, svg, legend if len(lines) > 1 else ()))
    return drawn


def _series(metrics: Sequence[Mapping[str, Any]], x: str, y: str) -> Points:
    pairs = [(line[x], line[y]) for line in metrics if _is_number(line.get(x)) and _is_number(line.get(y))]
    return Points(tuple(float(pair[0]) for pair in pairs), tuple(float(pair[1]) for pair in pairs))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def picture(png: bytes, width: int) -> Picture:
    """Show `png` about `width` CSS pixels wide. Raises EdgeError when it is not a PNG file."""
    if not png.startswith(PNG_SIGNATURE) or len(png) < 24:
        raise EdgeError("An image given for the report is not a PNG file.")
    columns, rows = struct.unpack(">II", png[16:24])  # the header chunk comes first in every PNG
    scale = max(1, round(width / max(columns, 1)))
    uri = "data:image/png;base64," + base64.b64encode(png).decode()
    return Picture(uri, columns * scale, rows * scale)


def thinned(grids: Sequence[tuple[str, bytes]], budget: int) -> list[tuple[str, bytes]]:
    """At most `MOST_GRIDS` of `grids`, evenly spaced, first and last among them, of up to `budget` bytes in
    all; the last alone if even two are too many.
    """
    last = len(grids) - 1
    for count in range(min(MOST_GRIDS, len(grids)), 1, -1):
        picked = [grids[round(index * last / (count - 1))] for index in range(count)]
        if sum(len(png) for _, png in picked) <= budget:
            return picked
    return list(grids[-1:])
