"""File trees of Jetson boards, built from lines and lists that others have published (tegrastats output and
sysfs listings in forum threads, issues and documentation). They were not recorded by us on hardware: names,
units and figures are as published, voltages are chosen so that voltage x current gives the published power.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from dcgan_edge.runtime.telemetry.sources.tegrastats import TegrastatsReader

Tree = Mapping[str, str]  # path below the root -> content
VOLTS = 5.0


def rails(chip: int, address: str, *channels: tuple[str, float]) -> dict[str, str]:
    """An INA3221 with (label, milliwatts) channels at `address`; channel 7 is the sum of the shunts."""
    folder = f"sys/bus/i2c/drivers/ina3221/{address}/hwmon/hwmon{chip}"
    files = {
        f"{folder}/name": "ina3221",
        f"{folder}/in7_label": "sum of shunt voltages",
        f"{folder}/in7_input": "1",
        f"{folder}/curr7_input": "1",
    }
    for number, (label, milliwatts) in enumerate(channels, start=1):
        files |= {
            f"{folder}/in{number}_label": label,
            f"{folder}/in{number}_input": f"{VOLTS * 1000:.0f}",
            f"{folder}/curr{number}_input": f"{milliwatts / VOLTS:.0f}",
        }
    return files


def zones(**celsius: float) -> dict[str, str]:
    """Thermal zones in the order given, `gpu=48.0` being gpu-thermal, with NVIDIA's two passive trips."""
    files: dict[str, str] = {}
    for number, (name, degrees) in enumerate(celsius.items()):
        folder = f"sys/devices/virtual/thermal/thermal_zone{number}"
        files |= {f"{folder}/type": f"{name}-thermal", f"{folder}/temp": f"{degrees * 1000:.0f}"}
        trips = (("active", 46000), ("passive", 70000), ("passive", 99000), ("critical", 104500))
        for index, (kind, millidegrees) in enumerate(trips):
            files |= {
                f"{folder}/trip_point_{index}_type": kind,
                f"{folder}/trip_point_{index}_temp": str(millidegrees),
            }
    return files


def gpu(device: str, *, now: int, highest: int, lowest: int = 306, load: int | None = None) -> dict[str, str]:
    """A devfreq GPU, clocks in MHz, load in per mille."""
    folder = f"sys/class/devfreq/{device}"
    files = {
        f"{folder}/cur_freq": str(now * 1_000_000),
        f"{folder}/min_freq": str(lowest * 1_000_000),
        f"{folder}/max_freq": str(highest * 1_000_000),
        f"{folder}/governor": "nvhost_podgov",
    }
    return files if load is None else {**files, f"{folder}/device/load": str(load)}


def emc(megahertz: int) -> dict[str, str]:
    folder = "sys/kernel/debug/bpmp/debug/clk/emc"
    return {f"{folder}/rate": str(megahertz * 1_000_000), f"{folder}/max_rate": "2133000000"}


def cooling(**states: int) -> dict[str, str]:
    """Cooling devices, `gpu_throttle_alert=1` being gpu-throttle-alert in state 1."""
    files: dict[str, str] = {}
    for number, (name, state) in enumerate(states.items()):
        folder = f"sys/class/thermal/cooling_device{number}"
        files |= {f"{folder}/type": name.replace("_", "-"), f"{folder}/cur_state": str(state)}
    return files


def over_current(*counts: int) -> dict[str, str]:
    files = {"sys/class/hwmon/hwmon9/name": "soctherm_oc"}
    return files | {
        f"sys/class/hwmon/hwmon9/oc{n}_event_cnt": str(count) for n, count in enumerate(counts, start=1)
    }


def board(*compatible: str) -> dict[str, str]:
    return {
        "proc/device-tree/compatible": "\0".join(compatible) + "\0",
        "etc/nv_tegra_release": "# R36 (release)",
    }


ORIN_NANO = {  # 8GB developer kit, JetPack 7.2
    **board("nvidia,p3768-0000+p3767-0005", "nvidia,p3767-0005", "nvidia,tegra234"),
    **rails(1, "1-0040", ("VDD_IN", 4090), ("VDD_CPU_GPU_CV", 800), ("VDD_SOC", 1245)),
    **gpu("17000000.gpu", now=306, highest=1020, load=120),
    **emc(665),
    **zones(cpu=47.562, soc2=46.75, soc0=45.843, gpu=48, tj=48.125, soc1=46.937),
    **cooling(pwm_fan=2, hot_surface_alert=0, cpu_throttle_alert=0, gpu_throttle_alert=0),
    **over_current(0, 0, 0),
}
AGX_ORIN = {  # 64GB, JetPack 6.2.1
    **board("nvidia,p3737-0000+p3701-0005", "nvidia,p3701-0005", "nvidia,tegra234"),
    **rails(3, "1-0040", ("VDD_GPU_SOC", 2410), ("VDD_CPU_CV", 1605), ("VIN_SYS_5V0", 4705)),
    **rails(4, "1-0041", ("NC", 0), ("VDDQ_VDD2_1V8AO", 300), ("NC", 0)),
    **gpu("17000000.ga10b", now=0, highest=1300, load=0),
    **emc(2133),
    **zones(cpu=52.562, soc2=48.437, soc0=49.093, tj=52.562, soc1=49.656, gpu=-256, cv0=-256),
    **over_current(0, 15, 37),
}
THOR = {  # JetPack 7.1
    **board("nvidia,p3971-0080+p3834-0008", "nvidia,p3834-0008", "nvidia,tegra264"),
    **rails(2, "2-0040", ("VDD_GPU", 0), ("VDD_CPU_SOC_MSS", 4165), ("VIN_SYS_5V0", 4125)),
    **gpu("gpu-gpc-0", now=1575, highest=1575, lowest=315),
    **gpu("gpu-nvd-0", now=900, highest=1692, lowest=315),
    "sys/class/devfreq/bwmgr/cur_freq": "665000000",
    "sys/class/devfreq/bwmgr/max_freq": "4266000000",
    **zones(cpu=34.468, tj=34.5, soc012=33.781, soc345=34.5),
}
THOR_WITH_VIN = {
    **THOR,
    "sys/bus/i2c/drivers/ina238/2-0044/hwmon/hwmon7/power1_input": "23100000",
    "sys/bus/i2c/drivers/ina238/2-0044/hwmon/hwmon7/in1_input": "19800",
    "sys/bus/i2c/drivers/ina238/2-0044/hwmon/hwmon7/curr1_input": "1166",
}
ORIN_NX = {  # 16GB, JetPack 6.2, a user who is not root
    **board("nvidia,p3768-0000+p3767-0000", "nvidia,p3767-0000", "nvidia,tegra234"),
    **rails(1, "1-0040", ("VDD_IN", 4305), ("VDD_CPU_GPU_CV", 575), ("VDD_SOC", 1220)),
    **gpu("17000000.gpu", now=306, highest=918, load=0),
    **emc(2133),
    **zones(cv0=41.156, cpu=45.843, soc2=39.593, soc0=42.562, gpu=43.406, tj=45.843),
}


def plant(root: Path, tree: Tree) -> Path:
    """Write `tree` below `root`, over what is there."""
    for name, content in tree.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content + "\n")
    return root


def replant(root: Path, tree: Tree) -> None:
    """`plant` while others read: each file has its old or its new content, never a part of one."""
    for name, content in tree.items():
        path = root / name
        fresh = path.with_name(f".{path.name}")
        fresh.write_text(content + "\n")
        fresh.replace(path)


def refuse_reading(monkeypatch: pytest.MonkeyPatch, *endings: str) -> None:
    """Let opening a file whose name ends so fail as it does for a user who is not root, also for root."""
    really_open = os.open

    def refusing(path: str | os.PathLike[str], flags: int, *rest: int) -> int:
        if endings and str(path).endswith(endings):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return really_open(path, flags, *rest)

    monkeypatch.setattr(os, "open", refusing)


class Replay:
    """A Reader without readings that, each time it is read, puts the next frame into the tree. Put first, it
    makes power, clocks and temperatures change from sample to sample, the same way every time. The last
    frame stays.
    """

    name = "replay"
    interval_s = 0.0
    facts: Mapping[str, str] = {}
    limits: Mapping[str, float] = {}

    def __init__(self, root: Path, frames: Iterable[Tree]) -> None:
        self._root, self._frames = root, iter(frames)

    def read(self) -> dict[str, float]:
        plant(self._root, next(self._frames, {}))
        return {}

    def close(self) -> None:
        """Nothing is held open."""


class TegrastatsReplay(TegrastatsReader):
    """tegrastats at the other end of a pipe; it prints `line` each time before it is read."""

    def __init__(self, line: str) -> None:
        ours, self._theirs = os.pipe()
        super().__init__(os.fdopen(ours, "rb"))
        self.line = line

    def read(self) -> dict[str, float]:
        os.write(self._theirs, f"{self.line}\n".encode())
        return super().read()

    def close(self) -> None:
        os.close(self._theirs)
        super().close()


class ManualClock:
    """A clock that stands still unless told to go."""

    def __init__(self) -> None:
        self.now_ns = 1_000_000_000_000_000_000  # large, as perf_counter_ns is after weeks without a boot

    def __call__(self) -> int:
        return self.now_ns

    def sleep(self, seconds: float) -> None:
        self.now_ns += round(seconds * 1e9)
