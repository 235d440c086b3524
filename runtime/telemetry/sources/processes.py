"""How much of the processors other programs took while ours measured, from /proc.

Everything busy on the machine minus this process and all that descend from it. Source: proc(5), /proc/stat
and /proc/pid/stat. Kernel threads that work for us count as others: they are a percent or two.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..reader import Unreadable, read_or, read_text, why

BUSY = (0, 1, 2, 5, 6)  # user, nice, system, irq, softirq; guest time is inside user time
STOLEN = 7
SCAN_INTERVAL_S = 1.0  # a look at every process costs milliseconds


@dataclass(frozen=True)
class CpuSeconds:
    """CPU seconds since the system started, over all cores: of everything that ran, of some processes with
    their children that have ended, and what a hypervisor took away.
    """

    everything: float
    ours: float
    stolen: float


def cpu_seconds(root: Path, pids: Iterable[int], *, ticks_per_second: int | None = None) -> CpuSeconds | None:
    """Return what has been used so far, `ours` by `pids`; None where the system does not say.

    It is read in well under a millisecond, and exact to a tick, which is mostly 10 ms.
    """
    totals = _totals(root / "proc")
    if totals is None:
        return None
    stats = (_stat(read_or(root / "proc" / str(pid) / "stat")) for pid in pids)
    ours = sum(process.ticks for process in stats if process)
    tick = 1 / (ticks_per_second or os.sysconf("SC_CLK_TCK"))
    return CpuSeconds(totals[0] * tick, ours * tick, totals[1] * tick)


@dataclass(frozen=True)
class _Process:
    name: str
    parent: int
    own: int  # ticks
    ticks: int  # its own and those of its children that have ended


class ProcessReader:
    """`cpu_time/all`, `cpu_time/ours` and `cpu_time/stolen` (by the hypervisor), seconds over all cores."""

    name = "other programs"
    interval_s = SCAN_INTERVAL_S
    limits: Mapping[str, float] = {}

    def __init__(self, proc: Path, pid: int, ticks_per_second: int) -> None:
        self._proc, self._pid, self._tick = proc, pid, 1 / ticks_per_second
        self._first = self._processes()
        self.facts: Mapping[str, str] = {"load_average": read_or(proc / "loadavg")}

    def read(self) -> dict[str, float]:
        """Return CPU seconds so far: of all programs, of ours, and taken by the hypervisor."""
        totals = _totals(self._proc)
        if totals is None:
            return {}
        processes = self._processes()
        ours = _descendants(processes, self._pid)
        self._note_busiest(processes, ours)
        own = sum(processes[pid].ticks for pid in ours)
        ticks = {"all": totals[0], "ours": own, "stolen": totals[1]}
        return {f"cpu_time/{name}": count * self._tick for name, count in ticks.items()}

    def close(self) -> None:
        """Nothing is held open between two reads."""

    def _processes(self) -> dict[int, _Process]:
        found = {}
        with os.scandir(self._proc) as entries:
            numbers = [entry.name for entry in entries if entry.name.isdigit()]
        for number in numbers:
            process = _stat(read_or(self._proc / number / "stat"))
            if process:  # it may have ended meanwhile
                found[int(number)] = process
        return found

    def _note_busiest(self, processes: dict[int, _Process], ours: set[int]) -> None:
        """Remember which of the others has worked most since the start, to name it to the user. Children that
        have ended are not its own work: init inherits those of everybody.
        """
        worked = {
            pid: process.own - (self._first[pid].own if pid in self._first else 0)
            for pid, process in processes.items()
            if pid not in ours
        }
        busiest = max(worked, key=worked.__getitem__, default=None)
        if busiest is not None and worked[busiest] > 0:
            seconds = worked[busiest] * self._tick
            named = f"{processes[busiest].name} ({seconds:.1f} s)"
            self.facts = {**self.facts, "busiest_other": named}


def _totals(proc: Path) -> tuple[int, int] | None:
    """Ticks that all cores were busy, and that a hypervisor took away."""
    try:
        fields = [int(field) for field in read_text(proc / "stat").split("\n")[0].split()[1:]]
        return sum(fields[index] for index in BUSY), fields[STOLEN]
    except (OSError, ValueError, IndexError):
        return None


def _stat(line: str) -> _Process | None:
    """A process from its /proc/pid/stat, None where that is no such line."""
    name, _, rest = line.partition("(")[2].rpartition(")")
    fields = rest.split()
    return _Process(name, int(fields[1]), *_ticks(fields)) if len(fields) >= 15 else None


def _ticks(fields: list[str]) -> tuple[int, int]:
    """utime + stime, and with cutime + cstime, of the fields after the name."""
    own, ended = (sum(map(int, fields[place : place + 2])) for place in (11, 13))
    return own, own + ended


def _descendants(processes: dict[int, _Process], root: int) -> set[int]:
    """`root` and everything below it."""
    children: dict[int, list[int]] = {}
    for pid, process in processes.items():
        children.setdefault(process.parent, []).append(pid)
    found: set[int] = set()
    waiting = [root] if root in processes else []
    while waiting:
        pid = waiting.pop()
        found.add(pid)
        waiting += [child for child in children.get(pid, []) if child not in found]
    return found


def open_processes(root: Path, *, pid: int | None = None) -> ProcessReader | Unreadable:
    """The load beside process `pid` (None: this one) and its descendants."""
    try:
        read_text(root / "proc/stat")
    except OSError as error:
        return Unreadable("other programs", why(error))
    return ProcessReader(root / "proc", os.getpid() if pid is None else pid, os.sysconf("SC_CLK_TCK"))
