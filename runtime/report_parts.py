"""What the report's template shows of training, artefacts and parity, and its headline; no HTML yet."""

from __future__ import annotations

import base64
import math
import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from dcgan_edge.artifact import Manifest
from dcgan_edge.errors import EdgeError
from dcgan_edge.runtime import charts
from dcgan_edge.runtime.charts import Chart, Points
from dcgan_edge.runtime.drawing import key
from dcgan_edge.runtime.parity import Parity
from dcgan_edge.runtime.record import BenchReport, Measurement
from dcgan_edge.runtime.report_bench import labels, load

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
class Figure:
    """One figure of the headline. `state` is "good", "bad" or "" when there is nothing to judge."""

    label: str
    value: str
    unit: str
    detail: str
    state: str = ""


@dataclass(frozen=True)
class Picture:
    """A PNG as a data URI, and the size in CSS pixels at which its pixels are squares of whole pixels."""

    uri: str
    width: int
    height: int


def headline(
    artifacts: Sequence[tuple[str, Manifest]], parity: Mapping[str, Parity], bench: BenchReport | None
) -> list[Figure]:
    """The few figures that matter. Latency is that of the smallest batch. An artefact that failed parity is
    not quoted for its speed, and an unstable figure only where there is no other.
    """
    figures = [_parity_figure(parity)] if parity else []
    if bench:
        names = labels(measurement.name for measurement in bench.measurements)
        failed = {PurePath(name).name for name, verdict in parity.items() if not verdict.passed}
        sound = [m for m in bench.measurements if PurePath(m.name).name not in failed]
        if sound:
            smallest = min(measurement.batch for measurement in sound)
            quick = [measurement for measurement in sound if measurement.batch == smallest]
            fast = min(_reliable(quick), key=lambda m: m.statistics.median)
            most = max(_reliable(sound), key=lambda m: m.images_per_second)
            median, most_said = milliseconds(fast.statistics.median), f"{most.images_per_second:,.0f}"
            figures.append(Figure("Fastest call, median", median, "ms", _where(fast, names)))
            figures.append(Figure("Highest throughput", most_said, "images/s", _where(most, names)))
    files = [(name, manifest) for name, manifest in artifacts if manifest.kind != "checkpoint"]
    if files:
        figures.append(_size_figure(files))
    return figures


def _parity_figure(parity: Mapping[str, Parity]) -> Figure:
    passed = sum(verdict.passed for verdict in parity.values())
    worst = min(verdict.worst_psnr_db for verdict in parity.values())
    levels = max(verdict.grey_levels for verdict in parity.values())
    detail = f"worst seed {worst:.1f} dB, {levels} grey level{'' if levels == 1 else 's'} at most"
    state = "good" if passed == len(parity) else "bad"
    return Figure("Same images as PyTorch", f"{passed} of {len(parity)}", "artefacts", detail, state)


def _size_figure(files: Sequence[tuple[str, Manifest]]) -> Figure:
    first, (name, smallest) = files[0], min(files, key=lambda file: file[1].size)
    value, unit = size(smallest.size).split()
    share = f", {smallest.size / first[1].size:.0%} of {first[0]}" if name != first[0] else ""
    return Figure("Smallest artefact", value, unit, f"{name}{share}")


def _reliable(measurements: Sequence[Measurement]) -> Sequence[Measurement]:
    return [m for m in measurements if not m.unstable_because] or measurements


def _where(measurement: Measurement, names: Mapping[str, str]) -> str:
    unstable = ", unstable" if measurement.unstable_because else ""
    return f"{names[measurement.name]}, {load(measurement)}{unstable}"


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


def size(count: int) -> str:
    """Bytes as people read them, in units of 1024."""
    if count < 1024:
        return f"{count} B"
    power = min((count.bit_length() - 1) // 10, 3)
    return f"{count / 1024**power:.1f} {('KiB', 'MiB', 'GiB')[power - 1]}"


def milliseconds(value: float) -> str:
    """Three decimals below 10 ms, fewer above."""
    return f"{value:.3f}" if value < 10 else f"{value:.2f}" if value < 100 else f"{value:.1f}"


def parity_words(manifest: Manifest) -> str:
    """What a manifest says about parity, in a few words."""
    facts = manifest.parity
    verdict = str(facts.get("verdict", "reference" if manifest.kind == "checkpoint" else "not measured"))
    verdict = verdict.replace("_", " ")
    return f"{verdict}: {facts['reason']}" if "reason" in facts else verdict


def pieces(name: str) -> list[str]:
    """`name` cut where a narrow column may break it: after dots, dashes, underscores and slashes."""
    return re.findall(r"[^._/\-]*[._/\-]|[^._/\-]+", name)


FILTERS = {"size": size, "ms": milliseconds, "parity_words": parity_words, "pieces": pieces}
