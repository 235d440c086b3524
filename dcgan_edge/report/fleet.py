"""A fleet: the same benchmark on several boards, and the boards that do not behave like the others.

A board is set against the boards of its own model alone. It stands out when a figure is more than 3.5 robust
standard deviations (1.4826 times the median absolute deviation, of the logarithms) and more than 5 % away
from their median. Source: Iglewicz and Hoaglin, "How to Detect and Handle Outliers", 1993.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dcgan_edge.report.charts import Chart
from dcgan_edge.report.charts_fleet import Board, boxes
from dcgan_edge.report.content import FLEET
from dcgan_edge.report.cost import energy_of
from dcgan_edge.report.rows import Row, grouped
from dcgan_edge.runtime.bench.record import BenchReport
from dcgan_edge.runtime.bench.statistics import percentile

SCORE = 3.5
NORMAL = 1.4826  # median absolute deviation to standard deviation, of a normal distribution
LEAST_CHANGE = 0.05  # boards of one model differ by some percent; less is no reason to look at one
RULE = (
    f"A board stands out when a figure is more than {SCORE:g} robust standard deviations (from the median "
    f"absolute deviation, on a logarithmic scale) and more than {100 * LEAST_CHANGE:g} % away from the "
    f"median of the boards of its model, of which there must be {FLEET} or more."
)
MARKS = 12_000  # dashes in all charts together: a few hundred kilobytes


@dataclass(frozen=True)
class Outlier:
    """A figure of a board that is `ratio` times the median of its model, `score` robust deviations away."""

    row: Row
    metric: str
    value: float
    median: float
    ratio: float
    score: float

    @property
    def where(self) -> str:
        """The artifact and workload that the figure is of."""
        return f"{self.row.label}, {self.row.workload}"


@dataclass(frozen=True)
class Device:
    """A board of the fleet with the figures it stands out by."""

    name: str
    model: str
    report: BenchReport
    outliers: tuple[Outlier, ...]
    unstable: int


@dataclass(frozen=True)
class Fleet:
    """All boards, and their measurements by artifact and workload."""

    devices: tuple[Device, ...]
    groups: tuple[tuple[str, tuple[Row, ...]], ...]
    outliers: tuple[Outlier, ...]

    def stands_out(self, row: Row) -> tuple[Outlier, ...]:
        """Return the figures by which the board of `row` stands out under its workload."""
        return tuple(outlier for outlier in self.outliers if outlier.row is row)


def fleet(runs: Mapping[str, BenchReport], rows: Sequence[Row]) -> Fleet:
    """Put the runs beside each other and find the boards that stand out."""
    models = {run: model(report) for run, report in runs.items()}
    groups = [
        (f"{label}, {workload}", tuple(measured))
        for label, members in grouped(rows, "label").items()
        for workload, measured in grouped(members, "workload").items()
    ]
    found = tuple(outlier for _, members in groups for outlier in _outliers(members, models))
    devices = tuple(
        Device(
            run,
            models[run],
            report,
            tuple(outlier for outlier in found if outlier.row.run == run),
            sum(bool(row.unstable) for row in rows if row.run == run),
        )
        for run, report in runs.items()
    )
    return Fleet(devices, tuple(groups), found)


def model(report: BenchReport) -> str:
    """What kind of board a run was made on."""
    machine = report.machine
    plain = f"{machine.get('cpu', 'unknown')}, {machine.get('cpus', '?')} processors"
    return machine.get("jetson_model") or plain


def scores(figures: Mapping[str, float]) -> dict[str, float]:
    """Robust standard deviations of each positive figure from their median, on a logarithmic scale."""
    logs = {name: math.log(figure) for name, figure in figures.items()}
    middle = statistics.median(logs.values())
    spread = NORMAL * statistics.median(abs(value - middle) for value in logs.values())
    away = {name: value - middle for name, value in logs.items()}
    return {
        name: change / spread if spread else math.copysign(math.inf, change) if change else 0.0
        for name, change in away.items()
    }


def fleet_charts(found: Fleet) -> list[Chart]:
    """A row of boxes for each artifact and workload."""
    numbers = {device.name: number for number, device in enumerate(found.devices, start=1)}
    levels = max(24, min(256, MARKS // max(1, sum(len(members) for _, members in found.groups))))
    drawn = []
    for title, members in found.groups:
        boards = [_board(numbers[row.run], row, bool(found.stands_out(row))) for row in members]
        drawn.append(Chart(title, boxes(boards, levels=levels)))
    return drawn


def _outliers(rows: Sequence[Row], models: Mapping[str, str]) -> list[Outlier]:
    found = []
    for kind in dict.fromkeys(models[row.run] for row in rows):
        alike = [row for row in rows if models[row.run] == kind]
        for metric in ("median latency", "p99 latency", "joules per image"):
            figures = {row.run: _figure(row, metric) for row in alike}
            if len(figures) < FLEET or not all(value > 0 for value in figures.values()):
                continue
            middle = statistics.median(figures.values())
            for row in alike:
                value, score = figures[row.run], scores(figures)[row.run]
                if abs(score) > SCORE and abs(value / middle - 1) > LEAST_CHANGE:
                    found.append(Outlier(row, metric, value, middle, value / middle, score))
    return found


def _figure(row: Row, metric: str) -> float:
    """0 where it was not measured."""
    if metric == "joules per image":
        measured = energy_of(row)
        return measured.joules_per_image if measured else 0.0
    return row.statistics.p99 if metric.startswith("p99") else row.statistics.median


def _board(number: int, row: Row, stands_out: bool) -> Board:
    ordered = np.sort(row.latency_ms)
    rising = ordered.tolist()
    percentiles = {p: percentile(rising, p) for p in (25.0, 75.0, 90.0, 99.0)}
    return Board(number, row.run, ordered, percentiles | {50.0: row.statistics.median}, stands_out)
