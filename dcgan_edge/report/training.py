"""What the page shows of a training run: its curves, its pictures."""

from __future__ import annotations

import base64
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dcgan_edge.errors import EdgeError
from dcgan_edge.images import PNG_SIGNATURE
from dcgan_edge.report import charts
from dcgan_edge.report.charts import Chart, Mark, Points
from dcgan_edge.report.incidents import Incident, incidents, is_number
from dcgan_edge.report.keys import key, swatch

MOST_GRIDS = 8
MANY_MARKS = 12  # incidents; the charts show no more, the table all
CURVES = (  # its name here, title, y axis, series by their names in metrics.jsonl
    ("loss", "Loss", "loss", {"loss_d": "discriminator", "loss_g": "generator"}),
    (
        "score", "How real the discriminator finds them", "mean score, 0 to 1",
        {"real_score": "real images", "fake_score": "generated images"},
    ),
    (
        "accuracy", "How often the discriminator is right", "share of images, 0 to 1",
        {"real_accuracy": "real images", "fake_accuracy": "generated images"},
    ),
    (
        "gradients", "Gradient norms", "norm of all gradients",
        {"grad_norm_d": "discriminator", "grad_norm_g": "generator"},
    ),
    ("diversity", "Sample diversity", "times that of real images", {"diversity": "generated images"}),
    (
        "classes", "Class entropy", "bits",
        {"real_class_entropy": "real images", "class_entropy": "generated images"},
    ),
    ("fid", "FID of the averaged generator", "FID, lower is better", {"fid": "generated images"}),
    (
        "rate", "Learning rate", "learning rate of Adam",
        {"learning_rate_d": "discriminator", "learning_rate_g": "generator"},
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
    """One chart for each of `CURVES`, of the lines that have its figures as finite numbers, with the
    incidents in which something went wrong marked by their numbers.
    """
    position = "images" if all(is_number(line.get("images")) for line in metrics) else "step"
    axis = {"images": "images seen", "step": "step"}[position]
    marks = _marks(metrics, position, incidents(metrics))
    drawn = []
    for name, title, label, lines in CURVES:
        series = {said: _series(metrics, position, y) for y, said in lines.items()}
        series = {said: points for said, points in series.items() if points.x}
        if series:
            zero, log = name not in ("loss", "gradients"), name == "gradients"
            shown = [mark for mark in marks if name not in ("rate", "speed")]
            svg = charts.curves(series, x=axis, y=label, zero=zero, log=log, marks=shown)
            legend = [(key(index, marked=False), said) for index, said in enumerate(series)]
            legend = legend if len(lines) > 1 else []
            legend += [(swatch(False), "numbered: something went wrong, see the table")] if shown else []
            drawn.append(Chart(title, svg, tuple(legend)))
    return drawn


def _marks(metrics: Sequence[Mapping[str, Any]], position: str, found: Sequence[Incident]) -> list[Mark]:
    """The incidents on the axis that is drawn."""
    places = {line["step"]: line[position] for line in metrics if is_number(line.get("step"))}
    marks = []
    for incident in found[:MANY_MARKS]:
        begin, end = places.get(incident.begin), places.get(incident.end)
        if begin is not None:
            marks.append(Mark(float(begin), None if end is None else float(end), str(incident.number)))
    return marks


def _series(metrics: Sequence[Mapping[str, Any]], x: str, y: str) -> Points:
    pairs = [(line[x], line[y]) for line in metrics if is_number(line.get(x)) and is_number(line.get(y))]
    return Points(tuple(float(pair[0]) for pair in pairs), tuple(float(pair[1]) for pair in pairs))


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
