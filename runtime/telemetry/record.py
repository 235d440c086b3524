"""What was recorded beside a benchmark: series of readings, the stretches measured in, facts and own cost."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .reader import Unreadable

IDLE = "idle"  # label of the window in which nothing ran


@dataclass(frozen=True)
class Series:
    """One reading over time. `times_ns` is time.perf_counter_ns, rising; `values` are in `unit`."""

    name: str
    unit: str
    times_ns: tuple[int, ...]
    values: tuple[float, ...]


@dataclass(frozen=True)
class Window:
    """A stretch of time, on the clock of the series, in which what `label` names was running."""

    label: str
    start_ns: int
    stop_ns: int

    @property
    def seconds(self) -> float:
        """Return the length of the stretch in seconds."""
        return (self.stop_ns - self.start_ns) / 1e9


@dataclass(frozen=True)
class Cost:
    """What the sampling itself took. `cpu_share` is CPU seconds of the sampling thread per second, so 0.01
    is a hundredth of one core; a helper process (tegrastats, jtop) is not in it. `late` counts ticks that
    were left out because the one before took too long.
    """

    samples: int
    cpu_share: float
    mean_sample_s: float
    longest_sample_s: float
    late: int


@dataclass(frozen=True)
class Telemetry:
    """The whole record. `facts` is by source, `limits` by reading (highest clock, throttling temperature)."""

    rate_hz: float
    series: tuple[Series, ...]
    windows: tuple[Window, ...]
    facts: dict[str, dict[str, str]]
    limits: dict[str, float]
    unreadable: tuple[Unreadable, ...]
    cost: Cost

    def find(self, name: str) -> Series | None:
        """Return the series of reading `name`, None if it was not recorded."""
        return next((series for series in self.series if series.name == name), None)

    def labelled(self, label: str) -> tuple[Window, ...]:
        """The windows of `label`, in the order measured."""
        return tuple(window for window in self.windows if window.label == label)

    def during(self, name: str, label: str) -> tuple[float, ...]:
        """The values of reading `name` inside the windows of `label`."""
        series = self.find(name)
        return inside(series, self.labelled(label)) if series else ()

    def median(self, name: str, label: str) -> float | None:
        """Median of reading `name` inside the windows of `label`, None where there is none."""
        values = self.during(name, label)
        return statistics.median(values) if values else None

    def to_dict(self) -> dict[str, Any]:
        """For JSON. The reasons for what could not be read are sentences."""
        return {
            "rate_hz": self.rate_hz,
            "clock": "time.perf_counter_ns",
            "facts": self.facts,
            "limits": self.limits,
            "not_readable": [str(reason) for reason in self.unreadable],
            "cost": dataclasses.asdict(self.cost),
            "windows": [dataclasses.asdict(window) for window in self.windows],
            "series": [dataclasses.asdict(series) for series in self.series],
        }


def inside(series: Series, windows: Sequence[Window]) -> tuple[float, ...]:
    """The values of `series` taken inside one of `windows`."""
    return tuple(
        value
        for time, value in zip(series.times_ns, series.values, strict=True)
        if any(window.start_ns <= time <= window.stop_ns for window in windows)
    )
