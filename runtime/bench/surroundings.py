"""What else the machine does while rounds are taken, seen between them at no cost: other programs by the
counters of CPU time, heat and throttling by the last readings of the telemetry."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from ..telemetry import Recorder, slowed_down
from ..telemetry.sources.processes import CpuSeconds, cpu_seconds
from ..telemetry.verdict import OTHER_LOAD
from .workload import Clock

TICKS_S = (
    0.03  # three ticks: counters of the system and of processes differ by as much when nothing else runs
)
BUSY = "other programs were busy"
STOLEN = "the hypervisor took processors away"


class MachineSurroundings:
    """What the machine below `root` does beside processes `pids`; a look begins where the last one ended."""

    def __init__(
        self,
        root: Path,
        pids: Iterable[int],
        recorder: Recorder,
        device: Literal["cpu", "gpu"],
        *,
        clock: Clock = time.perf_counter_ns,
    ) -> None:
        self._root, self._pids, self._recorder = root, tuple(pids), recorder
        self._device: Literal["cpu", "gpu"] = device
        self._clock = clock
        self._time_ns, self._used, self._readings = self._now()

    def look(self) -> str:
        """Return what speaks against figures that were taken since the last look, or ""."""
        before, used, readings = self._time_ns, self._used, self._readings
        self._time_ns, self._used, self._readings = self._now()
        seconds = (self._time_ns - before) / 1e9
        if used and self._used:
            reason = others_at_work(used, self._used, seconds)
            if reason:
                return reason
        return slowed_down(readings, self._readings, self._recorder.limits, device=self._device)

    def _now(self) -> tuple[int, CpuSeconds | None, dict[str, float]]:
        return self._clock(), cpu_seconds(self._root, self._pids), self._recorder.latest()


def others_at_work(before: CpuSeconds, after: CpuSeconds, seconds: float) -> str:
    """Return who took more than a tenth of a core, and more than the counters are exact to, or ""."""
    allowed = OTHER_LOAD * seconds + TICKS_S
    if after.stolen - before.stolen > allowed:
        return STOLEN
    others = (after.everything - before.everything) - (after.ours - before.ours)
    return BUSY if others > allowed else ""
