"""What a source of readings is: the contract, the reason when it cannot be read, and the common case, files.

A reading is named `quantity/place` (`power/VDD_IN`, `clock/gpu`); the quantity fixes the unit. Every source
fails on its own and says why: a missing permission costs that source, never the benchmark.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

UNITS = {
    "power": "W",
    "energy": "J",  # counts up
    "clock": "MHz",
    "utilization": "%",
    "temperature": "degC",
    "throttle": "state",  # 0 is not throttled
    "throttle_count": "events",  # counts up
    "cpu_time": "s",  # counts up, over all cores
    "memory": "MB",
}
LARGEST_FILE = 4096  # bytes; a sysfs attribute is one page


@dataclass(frozen=True)
class Unreadable:
    """Something that cannot be read or computed here, and why."""

    source: str
    reason: str

    def __str__(self) -> str:
        return f"{self.source}: not readable, because {self.reason}"


def unit_of(name: str) -> str:
    """The unit of the reading `name`, by its quantity. Raises KeyError for a quantity that has none."""
    return UNITS[name.partition("/")[0]]


class Reader(Protocol):
    """An open source. `limits` are the values that a place does not exceed unless something is wrong: the
    highest clock allowed, the temperature at which clocks are pulled back.
    """

    name: str
    facts: Mapping[str, str]
    limits: Mapping[str, float]
    interval_s: float  # shortest useful time between two reads; 0 is every tick of the sampler

    def read(self) -> dict[str, float]:
        """The values that can be read now, by name. Never raises; what is missing is left out."""
        ...

    def close(self) -> None:
        """Give back what is held open between two reads."""
        ...


Opener = Callable[[Path], Reader | Unreadable]  # is given the root of the file system


@dataclass(frozen=True)
class Gauge:
    """One value made of small text files: `combine` of their numbers, times `scale`.

    Values of `lowest` or less are not values: a gated sensor reports -256 degC, a gated clock 0.
    """

    name: str
    paths: Sequence[Path]
    scale: float = 1.0
    combine: Callable[[Iterable[float]], float] = math.prod
    lowest: float = -math.inf

    def read(self) -> float | None:
        """Raises OSError or ValueError when a file cannot be read or holds no number."""
        value = self.combine([float(read_text(path)) for path in self.paths]) * self.scale
        return value if value > self.lowest else None


class GaugeReader:
    """A Reader over gauges; one that fails is missing from that reading only."""

    interval_s = 0.0

    def __init__(
        self, name: str, gauges: Sequence[Gauge], facts: Mapping[str, str], limits: Mapping[str, float]
    ) -> None:
        self.name, self.facts, self.limits = name, facts, limits
        self._gauges = gauges

    def read(self) -> dict[str, float]:
        """Return the value of each gauge that can be read now, by name."""
        values = {}
        for gauge in self._gauges:
            try:
                value = gauge.read()
            except (OSError, ValueError):  # gated sensors fail with EAGAIN, cores go offline
                continue
            if value is not None:
                values[gauge.name] = value
        return values

    def close(self) -> None:
        """Nothing is held open between two reads."""


def open_gauges(
    name: str,
    gauges: Sequence[Gauge],
    facts: Mapping[str, str] | None = None,
    limits: Mapping[str, float] | None = None,
) -> GaugeReader | Unreadable:
    """A reader of the gauges that are allowed to be read; Unreadable when there is none.

    A gauge that fails for another reason than permission is kept: a gated sensor wakes up under load.
    """
    kept, refused = [], {}
    for gauge in gauges:
        try:
            gauge.read()
        except (PermissionError, FileNotFoundError) as error:
            refused[gauge.name] = why(error)
            continue
        except (OSError, ValueError):
            pass
        kept.append(gauge)
    if not kept:
        return Unreadable(name, next(iter(refused.values()), "there is no such device"))
    notes = {gauge: f"not readable, because {reason}" for gauge, reason in refused.items()}
    return GaugeReader(name, kept, {**(facts or {}), **notes}, limits or {})


def read_text(path: Path) -> str:
    """Content of a small system file, stripped of blanks and NULs. Raises OSError.

    Not `Path.read_text`: a gated sensor answers EAGAIN, which Python's buffered files turn into a TypeError.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return os.read(descriptor, LARGEST_FILE).decode(errors="replace").strip("\0\n ")
    finally:
        os.close(descriptor)


def read_or(path: Path, default: str = "") -> str:
    """`read_text`, or `default` when the file cannot be read."""
    try:
        return read_text(path)
    except OSError:
        return default


def number_or_none(path: Path, scale: float = 1.0) -> float | None:
    """The number in a file times `scale`, None when there is none."""
    try:
        return float(read_text(path)) * scale
    except (OSError, ValueError):
        return None


def why(error: OSError) -> str:
    """The system's reason with the file it is about, in lower case."""
    reason = (error.strerror or str(error)).lower()
    return f"{reason} ({error.filename})" if error.filename else reason


def folders(root: Path, *patterns: str) -> list[Path]:
    """The folders under `root` that match, each device once however many links lead to it."""
    found: dict[Path, Path] = {}
    for pattern in patterns:
        for path in sorted(root.glob(pattern)):
            found.setdefault(path.resolve(), path)
    return list(found.values())
