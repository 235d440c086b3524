"""Power rails of a Jetson module, from the INA3221 and INA238 monitors' hwmon files.

Rails are found by label, because hwmon numbers move between boots. Sources: Linux Documentation/hwmon,
ina3221.rst and ina238.rst (units, in7 is a sum); NVIDIA Jetson Linux Developer Guide, "Power Consumption".
"""

from __future__ import annotations

from pathlib import Path

from ..reader import (
    Gauge,
    GaugeReader,
    Unreadable,
    folders,
    open_gauges,
    read_or,
)

CHANNELS = (1, 2, 3)  # of an INA3221; 4 to 7 are shunt voltages and their sum
MILLI_MILLI = 1e-6  # mV * mA to W
MICRO = 1e-6
NOT_CONNECTED = "NC"


def open_rails(root: Path) -> GaugeReader | Unreadable:
    """Readings `power/LABEL` in watts, one for each rail that is connected and enabled."""
    gauges: dict[str, Gauge] = {}
    facts: dict[str, str] = {}
    for chip, folder in _monitors(root):
        found = _ina3221(folder) if chip == "ina3221" else _ina238(folder)
        for gauge in found:
            gauges.setdefault(gauge.name, gauge)
            facts[gauge.name] = _averaging(chip, folder)
    if not gauges:
        return Unreadable("power rails", "there is no INA3221 or INA238 power monitor")
    return open_gauges("power rails", list(gauges.values()), facts)


def _monitors(root: Path) -> list[tuple[str, Path]]:
    """(chip, its hwmon folder): by driver, and by name where the drivers are not listed."""
    chips = ("ina3221", "ina238")
    by_driver = [f"sys/bus/i2c/drivers/{chip}/*/hwmon/hwmon*" for chip in chips]
    found = []
    for folder in folders(root, *by_driver, "sys/class/hwmon/hwmon*"):
        name = read_or(folder / "name")
        chip = name if name in chips else next((chip for chip in chips if chip in folder.parts), "")
        if chip:
            found.append((chip, folder))
    return found


def _ina3221(folder: Path) -> list[Gauge]:
    gauges = []
    for channel in CHANNELS:
        label = read_or(folder / f"in{channel}_label")
        disabled = read_or(folder / f"in{channel}_enable", "1") == "0"
        if label and label != NOT_CONNECTED and not disabled:
            files = (folder / f"in{channel}_input", folder / f"curr{channel}_input")
            gauges.append(Gauge(f"power/{label}", files, MILLI_MILLI))
    return gauges


def _ina238(folder: Path) -> list[Gauge]:
    """The board's input on Thor; NVIDIA's tree gives it no label."""
    name = f"power/{read_or(folder / 'in1_label') or 'VIN'}"
    if (folder / "power1_input").exists():
        return [Gauge(name, (folder / "power1_input",), MICRO)]
    return [Gauge(name, (folder / "in1_input", folder / "curr1_input"), MILLI_MILLI)]


def _averaging(chip: str, folder: Path) -> str:
    """How the monitor averages, which bounds how short an event it can show."""
    samples, interval = read_or(folder / "samples"), read_or(folder / "update_interval")
    parts = [f"{samples} samples averaged"] if samples else []
    parts += [f"update interval {interval} ms"] if interval else []
    return ", ".join([chip, *parts])
