"""Clocks of GPU, memory and CPU from devfreq, the BPMP's debug files and cpufreq.

Sources: Linux Documentation/ABI/testing/sysfs-class-devfreq (Hz) and Documentation/admin-guide/pm/cpufreq.rst
(kHz); NVIDIA Jetson Linux Developer Guide, "Power and Performance" (EMC rate, for root only).
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

GPU_DEVICE = re.compile(r"gpu-gpc-0|(.*\.)?(gpu|ga10b|gv11b|gp10b)")  # Thor; Orin, Xavier, TX2
EMC = (
    ("sys/class/devfreq/bwmgr", "cur_freq", "max_freq"),  # Thor
    ("sys/kernel/debug/bpmp/debug/clk/emc", "rate", "max_rate"),  # Orin and Xavier
)
MOST_POLICIES = 16  # read so many cpufreq policies; reading hundreds would cost more than it tells
HZ, KHZ, PER_MILLE = 1e-6, 1e-3, 0.1  # to MHz, MHz, %


def open_gpu(root: Path) -> GaugeReader | Unreadable:
    """`clock/gpu` in MHz (left out while the GPU is gated), `utilization/gpu` in %, of a Jetson's own GPU."""
    for folder in folders(root, "sys/class/devfreq/*"):
        if GPU_DEVICE.fullmatch(folder.name):
            gauges = [Gauge("clock/gpu", (folder / "cur_freq",), HZ, lowest=0)]
            loads = [path for path in (folder / "device/load", folder / "load") if path.exists()]
            gauges += [Gauge("utilization/gpu", (path,), PER_MILLE) for path in loads[:1]]
            return open_gauges(
                "gpu clock", gauges, _gpu_facts(folder), _limit("clock/gpu", folder / "max_freq")
            )
    return Unreadable("gpu clock", "there is no GPU in sys/class/devfreq")


def _gpu_facts(folder: Path) -> dict[str, str]:
    lowest = number_or_none(folder / "min_freq", HZ)
    highest = number_or_none(folder / "max_freq", HZ)
    facts = {"device": folder.name, "governor": read_or(folder / "governor", "unknown")}
    if lowest is not None and highest is not None:
        facts |= {"range_mhz": f"{lowest:g}-{highest:g}", "locked": "yes" if lowest == highest else "no"}
    return facts


def open_emc(root: Path) -> GaugeReader | Unreadable:
    """`clock/memory` in MHz: of the memory controller (EMC), which the bandwidth follows."""
    for folder, current, highest in EMC:
        gauge = Gauge("clock/memory", (root / folder / current,), HZ, lowest=0)
        limits = _limit("clock/memory", root / folder / highest)
        reader = open_gauges("memory clock", [gauge], {"device": folder}, limits)
        if isinstance(reader, GaugeReader):
            break
    return reader


def open_cpu(root: Path) -> GaugeReader | Unreadable:
    """`clock/cpu` in MHz: the fastest core's, because the others may be idle."""
    policies = folders(root, "sys/devices/system/cpu/cpufreq/policy*")
    if not policies:
        return Unreadable("cpu clock", "there is no cpufreq driver, as is usual in virtual machines")
    step = -(-len(policies) // MOST_POLICIES)
    read = policies[::step]
    gauge = Gauge("clock/cpu", [policy / "scaling_cur_freq" for policy in read], KHZ, combine=max)
    limits = [number_or_none(policy / "cpuinfo_max_freq", KHZ) for policy in read]
    known = [limit for limit in limits if limit is not None]
    facts = {
        "governor": ", ".join(sorted({read_or(policy / "scaling_governor", "unknown") for policy in read})),
        "policies": f"{len(read)} of {len(policies)} read",
    }
    return open_gauges("cpu clock", [gauge], facts, {"clock/cpu": max(known)} if known else {})


def _limit(name: str, path: Path) -> dict[str, float]:
    limit = number_or_none(path, HZ)
    return {} if limit is None else {name: limit}
