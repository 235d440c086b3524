"""How often the CPU limit of a container or service held its processes back, from its control groups.

A group that has used up its share of a period waits for the next one: latencies jump though nothing else
runs. Source: Linux, "Control Group v2", cpu.stat; "CFS Bandwidth Control" (version 1).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from ..reader import Unreadable, read_or

HELD_BACK = "throttle_count/cpu_limit"


class CpuLimitReader:
    """`throttle_count/cpu_limit`: periods in which a limit held this process's groups back, counting up."""

    name = "cpu limit"
    interval_s = 0.0
    limits: Mapping[str, float] = {}

    def __init__(self, files: list[Path]) -> None:
        self._files = files
        self.facts: Mapping[str, str] = {}

    def read(self) -> dict[str, float]:
        """Return the sum over the group and its parents: a limit may stand at any of them."""
        counts = [count for file in self._files if (count := _held_back(file)) is not None]
        return {HELD_BACK: float(sum(counts))} if counts else {}

    def close(self) -> None:
        """Nothing is held open between two reads."""


def open_cpu_limit(root: Path) -> CpuLimitReader | Unreadable:
    """Open the counters of the control groups that this process is in, of both versions."""
    files = [file for file in dict.fromkeys(_files(root)) if _held_back(file) is not None]
    if not files:
        return Unreadable("cpu limit", "no control group of this process counts it")
    return CpuLimitReader(files)


def _files(root: Path) -> Iterator[Path]:
    """cpu.stat of each group that this process is in and of those above it, whether it exists or not."""
    mounts = root / "sys/fs/cgroup"
    for line in read_or(root / "proc/self/cgroup").splitlines() or ["0::/", "1:cpu:/"]:
        number, controllers, place = [*line.split(":", 2), "", ""][:3]
        if number == "0" and not controllers:
            tops = [mounts, mounts / "unified"]
        elif "cpu" in controllers.split(","):
            tops = [mounts / controllers, mounts / "cpu"]
        else:
            continue
        for top in tops:
            group = top / place.strip("/")
            for folder in (group, *group.parents):
                yield folder / "cpu.stat"
                if folder == top:
                    break


def _held_back(file: Path) -> int | None:
    for line in read_or(file).splitlines():
        name, _, count = line.partition(" ")
        if name == "nr_throttled" and count.isascii() and count.isdigit():
            return int(count)
    return None
