"""Readings from jetson-stats (jtop), if the user has installed it and its service runs.

The last resort on a Jetson: the service polls at its own rate and changes with every JetPack, so whatever it
does not have or does differently is left out. Source: jetson-stats 7.2.2, documentation of class `jtop`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..reader import Unreadable
from .thermal import GATED

MILLI, KHZ = 1e-3, 1e-3  # mW to W; kHz to MHz


class JtopReader:
    """Rails, temperatures, GPU clock and load as the jtop service last published them."""

    name = "jtop"
    interval_s = 0.0
    limits: Mapping[str, float] = {}

    def __init__(self, jtop: Any) -> None:
        self._jtop = jtop
        self.facts: Mapping[str, str] = {"source": "jtop service", **_optional(self._mode)}

    def read(self) -> dict[str, float]:
        """Return what the jtop service published last, by reading."""
        return {**_optional(self._power), **_optional(self._temperatures), **_optional(self._gpu)}

    def close(self) -> None:
        """Close the connection to the jtop service."""
        self._jtop.close()

    def _mode(self) -> dict[str, str]:
        return {"power_mode": str(self._jtop.nvpmodel)}

    def _power(self) -> dict[str, float]:
        rails = self._jtop.power["rail"]
        return {
            f"power/{name}": rail["power"] * MILLI
            for name, rail in rails.items()
            if rail.get("online", True) and "power" in rail
        }

    def _temperatures(self) -> dict[str, float]:
        zones = self._jtop.temperature.items()
        return {
            f"temperature/{name.lower()}": float(zone["temp"])
            for name, zone in zones
            if zone.get("online", True) and zone["temp"] > GATED
        }

    def _gpu(self) -> dict[str, float]:
        for gpu in self._jtop.gpu.values():
            clock = gpu["freq"]["cur"] * KHZ
            return {
                "utilization/gpu": float(gpu["status"]["load"]),
                **({"clock/gpu": clock} if clock else {}),
            }
        return {}


def open_jtop(root: Path, *, interval_s: float = 0.2) -> JtopReader | Unreadable:
    """Connect to the jtop service, which looks at this machine: a `root` other than / is refused."""
    if root != Path("/"):
        return Unreadable("jtop", f"it cannot look at {root}")
    try:
        jtop = importlib.import_module("jtop").jtop(interval_s)
        jtop.start()
        if jtop.ok():  # waits for the first reading
            return JtopReader(jtop)
        jtop.close()
    except ImportError:
        return Unreadable("jtop", "jetson-stats is not installed")
    except Exception as error:  # JtopException and whatever its client raises when the service differs
        return Unreadable("jtop", f"its service does not answer ({error})".replace("\n", " "))
    return Unreadable("jtop", "its service sends nothing")


def _optional(part: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What `part` gives, nothing when jtop has other fields on this board."""
    try:
        return part()
    except (AttributeError, KeyError, TypeError, ValueError):
        return {}
