"""Energy of the processor packages and their memory, from the RAPL counters of x86 processors.

Source: Linux Documentation/power/powercap/powercap.rst (energy_uj counts up and wraps around at
max_energy_range_uj). Since Linux 5.10 the counters are for root only (CVE-2020-8694).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..reader import Unreadable, folders, read_or, read_text, why

MICRO = 1e-6


@dataclass
class _Counter:
    """A counter that wraps, unwrapped; right as long as it is read more than once each time round."""

    path: Path
    span: int
    last: int
    total: int = 0

    def advance(self) -> float:
        """Joules since the counter was opened. Raises OSError or ValueError."""
        now = int(read_text(self.path))
        step = now - self.last
        if step < 0:
            # Range and modulus differ by one at most, far below the counter's own resolution.
            step += self.span
        self.total, self.last = self.total + step, now
        return self.total * MICRO


@dataclass
class RaplReader:
    """`energy/ZONE` in joules since the reader was opened."""

    counters: dict[str, _Counter]
    name: str = "cpu energy"
    interval_s: float = 0.0
    facts: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, float] = field(default_factory=dict)

    def read(self) -> dict[str, float]:
        """Return the joules counted so far by each package, by reading."""
        values = {}
        for name, counter in self.counters.items():
            try:
                values[name] = counter.advance()
            except (OSError, ValueError):
                continue
        return values

    def close(self) -> None:
        """Nothing is held open between two reads."""


def open_rapl(root: Path) -> RaplReader | Unreadable:
    """The packages (`energy/package-0`) and, beside them, their memory (`energy/package-0-dram`).

    The parts of a package (core, uncore) are inside it, and psys is calibrated by few boards: left out.
    """
    counters: dict[str, _Counter] = {}
    reason = "there is no RAPL in sys/class/powercap"
    for zone in folders(root, "sys/class/powercap/intel-rapl:*"):  # lists the zones inside zones as well
        label = read_or(zone / "name")
        if label == "dram":
            package = zone.name.rpartition(":")[0]
            label = f"{read_or(zone.with_name(package) / 'name', package)}-dram"
        elif not label.startswith("package"):
            continue
        try:
            path = zone / "energy_uj"
            now, span = int(read_text(path)), int(read_text(zone / "max_energy_range_uj"))
            counters[f"energy/{label}"] = _Counter(path, span, now)
        except OSError as error:
            reason = why(error)
        except ValueError:
            reason = f"{zone.name} holds no number"
    return RaplReader(counters) if counters else Unreadable("cpu energy", reason)
