"""Temperatures, and what the system does about them: cooling devices and over-current events.

Sources: Linux Documentation/driver-api/thermal/sysfs-api.rst (millidegrees, trip points, cooling states);
NVIDIA Jetson Linux Developer Guide, "Thermal Management" (throttle alerts) and "OC event counts".
"""

from __future__ import annotations

import re
from pathlib import Path

from ..reader import (
    Gauge,
    GaugeReader,
    Unreadable,
    folders,
    number_or_none,
    open_gauges,
    read_or,
)

MILLI = 1e-3
GATED = -256.0  # degC, what a sensor without power reports on Jetson
# A hot-surface alert only warns and a fan only cools: neither takes clocks away.
SLOWS_DOWN = re.compile(r".*-throttle-alert|(thermal-)?(cpufreq|devfreq)-.*|Processor")


def open_temperatures(root: Path) -> GaugeReader | Unreadable:
    """`temperature/ZONE` in degC; the limit of a zone is its highest passive trip, where clocks are cut."""
    gauges: dict[str, Gauge] = {}
    limits: dict[str, float] = {}
    zones = folders(root, "sys/class/thermal/thermal_zone*", "sys/devices/virtual/thermal/thermal_zone*")
    for zone in zones:
        place = read_or(zone / "type").removesuffix("-thermal").lower()
        name = f"temperature/{place}"
        while name in gauges:
            name += "+"  # x86 boards have several zones of one type
        if place:
            gauges[name] = Gauge(name, (zone / "temp",), MILLI, lowest=GATED)
            trips = _passive_trips(zone)
            limits |= {name: max(trips)} if trips else {}
    if not gauges:
        return Unreadable("temperatures", "there is no thermal zone")
    return open_gauges("temperatures", list(gauges.values()), limits=limits)


def _passive_trips(zone: Path) -> list[float]:
    trips = []
    for kind in zone.glob("trip_point_*_type"):
        if read_or(kind) == "passive":
            celsius = number_or_none(kind.with_name(kind.name.removesuffix("type") + "temp"), MILLI)
            trips += [celsius] if celsius is not None and celsius > 0 else []
    return trips


def open_throttling(root: Path) -> GaugeReader | Unreadable:
    """`throttle/DEVICE`, the state of each cooling device that slows something down (0: none), and
    `throttle_count/EVENT`, over-current and over-temperature events since boot.
    """
    states: dict[str, list[Path]] = {}
    for device in folders(
        root, "sys/class/thermal/cooling_device*", "sys/devices/virtual/thermal/cooling_device*"
    ):
        kind = read_or(device / "type")
        if SLOWS_DOWN.fullmatch(kind):
            states.setdefault(f"throttle/{kind}", []).append(device / "cur_state")
    gauges = [Gauge(name, paths, combine=max) for name, paths in states.items()]
    for folder in folders(root, "sys/class/hwmon/hwmon*"):
        if read_or(folder / "name") == "soctherm_oc":
            for path in sorted(folder.glob("oc*_event_cnt")):
                gauges.append(Gauge(f"throttle_count/{path.name.removesuffix('_event_cnt')}", (path,)))
    package = root / "sys/devices/system/cpu/cpu0/thermal_throttle/package_throttle_count"
    gauges += [Gauge("throttle_count/cpu_package", (package,))] if package.exists() else []
    if not gauges:
        return Unreadable("throttling", "there is no cooling device that slows a processor down")
    return open_gauges("throttling", gauges)
