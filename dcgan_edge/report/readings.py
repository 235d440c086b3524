"""The telemetry of a record as series to be drawn: counters become rates, readings are grouped by unit."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dcgan_edge.errors import ArtifactError
from dcgan_edge.report.thinning import Numbers


@dataclass(frozen=True)
class Reading:
    """One series: `times_ns` rising, on the clock of the samples. `steps` where a value holds for all the
    time since the reading before: the rate of a counter, a state."""

    name: str
    times_ns: npt.NDArray[np.int64]
    values: Numbers
    steps: bool = False

    @property
    def place(self) -> str:
        """The name without its quantity: "gpu" of "clock/gpu"."""
        return self.name.partition("/")[2]

    @property
    def is_throttling(self) -> bool:
        """Whether it says when something was slowed down."""
        return self.name.startswith("throttle")


@dataclass(frozen=True)
class Recorded:
    """What a report shows of a record's telemetry. `limits` are by reading, `facts` by source and name;
    `cpu_share` is what the reading itself took of one processor, `not_readable` is in sentences."""

    series: tuple[Reading, ...]
    limits: Mapping[str, float]
    facts: Mapping[str, str]
    cpu_share: float
    not_readable: tuple[str, ...]


@dataclass(frozen=True)
class Group:
    """What is drawn on one pair of axes, by the quantities that it shows."""

    title: str
    y: str
    quantities: tuple[str, ...]
    zero: bool


GROUPS = (
    Group("Power", "power (W)", ("power", "energy"), True),
    Group("Clocks", "clock (MHz)", ("clock",), False),
    Group("Temperatures", "temp. (\N{DEGREE SIGN}C)", ("temperature",), False),
    Group("Utilization", "utilization (%)", ("utilization",), True),
    Group("CPU time of programs", "% of a core", ("cpu_time",), True),
    Group("Throttling", "state, events", ("throttle", "throttle_count"), True),
    Group("Memory", "memory (MB)", ("memory",), True),
)
RATES = {"energy": 1.0, "cpu_time": 100.0}  # counter: its rate per second times this is drawn


def recorded(telemetry: Mapping[str, Any]) -> Recorded:
    """Read the telemetry of a record. Raises ArtifactError when it is damaged."""
    try:
        raw = [
            Reading(
                str(series["name"]),
                np.array(series["times_ns"], np.int64),
                np.array(series["values"], np.float64),
            )
            for series in telemetry.get("series", ())
        ]
        if any(each.times_ns.shape != each.values.shape or each.values.ndim != 1 for each in raw):
            raise ValueError("times and values do not match")
        raw = [each for each in raw if len(each.values)]
        return Recorded(
            tuple(filter(None, (_shown(each, raw) for each in raw))),
            {str(name): float(limit) for name, limit in telemetry.get("limits", {}).items()},
            {
                f"{source}: {name}": str(value)
                for source, facts in telemetry.get("facts", {}).items()
                for name, value in facts.items()
            },
            float(telemetry.get("cost", {}).get("cpu_share", 0.0)),
            tuple(map(str, telemetry.get("not_readable", ()))),
        )
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
        raise ArtifactError(f"The telemetry of a record is damaged ({error}).") from error


def grouped_readings(all_readings: Iterable[Reading]) -> list[tuple[Group, list[Reading]]]:
    """Each group with its readings, groups without any left out."""
    known = list(all_readings)
    found = [(group, [r for r in known if r.name.partition("/")[0] in group.quantities]) for group in GROUPS]
    return [(group, members) for group, members in found if members]


def _shown(reading: Reading, raw: list[Reading]) -> Reading | None:
    """The series as it is drawn; None for what only counts together with another one."""
    quantity = reading.name.partition("/")[0]
    if quantity == "throttle_count":
        events = np.diff(reading.values, prepend=reading.values[0])
        return Reading(f"{reading.name} (events)", reading.times_ns, events, steps=True)
    if quantity not in RATES:
        return dataclasses.replace(reading, steps=quantity == "throttle")
    if reading.name == "cpu_time/ours" or len(reading.values) < 2:
        return None
    values, name = reading.values, reading.name
    if reading.name == "cpu_time/all":
        ours = next((each for each in raw if each.name == "cpu_time/ours"), None)
        if ours is None:
            return None
        values, name = values - np.interp(reading.times_ns, ours.times_ns, ours.values), "cpu_time/others"
    rate = RATES[quantity] * np.diff(values) / np.maximum(np.diff(reading.times_ns) / 1e9, 1e-9)
    return Reading(name, reading.times_ns, np.concatenate([rate[:1], rate]), steps=True)
