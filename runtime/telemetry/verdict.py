"""Whether the machine stood still while it was measured, and if not, what moved."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from .record import Series, Telemetry, Window
from .sources.cpu_limit import HELD_BACK
from .sources.nvml import REASONS

GPU_REASONS = tuple(f"throttle/{name}" for name in REASONS)  # of a graphics card

# A compute-bound latency goes with the clock, and rounds whose medians differ by a tenth are called unstable:
# a clock that moved by half of that is as likely to be the reason of a difference as the artifact.
CLOCK_DRIFT = 0.05
# Of one core. An idle system with a desktop takes 2 to 5 % of a core; a tenth, if it lands on the core that
# measures, delays it by as much as two unstable rounds differ.
OTHER_LOAD = 0.10
MOST = 0.5  # of the load that is to be explained; a program that worked less does not explain it
ROUNDED = 0.05  # seconds that may be missing in "browser (16.0 s)"
LOADED = 90.0  # % of the GPU's time; from here its governor has reason to go to the highest clock
BELOW_LIMIT = 0.95  # of the highest clock allowed; governors step in less than 5 % near the top
LASTING = 0.5  # share of the loaded samples below the limit; a ramp at the beginning is shorter


def verdict(telemetry: Telemetry, label: str, *, device: Literal["cpu", "gpu"]) -> tuple[str, ...]:
    """Why figures measured on `device` in the windows of `label` should not be quoted; empty when nothing
    that could be read speaks against them.
    """
    gpu = device == "gpu"
    # The memory clock of a graphics card is no concern of the CPU; that of a controller which both share has
    # a limit, which no source reads of a card.
    memory = ("clock/memory",) if gpu or "clock/memory" in telemetry.limits else ()
    return (
        *_clocks(telemetry, label, (f"clock/{device}", *memory)),
        *(_held_back(telemetry, label) if gpu else ()),
        *_throttling(telemetry, label, ignored=() if gpu else GPU_REASONS),
        *_hot(telemetry, label),
        *_other_load(telemetry, label),
    )


def slowed_down(
    before: Mapping[str, float],
    now: Mapping[str, float],
    limits: Mapping[str, float],
    *,
    device: Literal["cpu", "gpu"],
) -> str:
    """Return what holds the machine back by readings of `now`, and of `before` for what counts up, or "".

    The CPU limit of a container is not looked at: waiting does not lift it.
    """
    ignored = (HELD_BACK, *(GPU_REASONS if device == "cpu" else ()))
    for name, value in now.items():
        if name in ignored:
            continue
        if name.startswith("temperature/") and value >= limits.get(name, np.inf):
            return f"{_place(name)} was as hot as where clocks are cut"
        counted = name.startswith("throttle_count/") and value > before.get(name, value)
        if counted or (name.startswith("throttle/") and value > 0):
            return f"throttled by {_place(name)}"
    return ""


def _clocks(telemetry: Telemetry, label: str, names: Sequence[str]) -> list[str]:
    reasons = []
    for name in names:
        clocks = telemetry.during(name, label)
        if clocks and max(clocks) - min(clocks) > CLOCK_DRIFT * max(clocks):
            share = (max(clocks) - min(clocks)) / max(clocks)
            low, high, place = min(clocks), max(clocks), _place(name)
            reasons.append(f"the {place} clock moved by {share:.0%}, between {low:.0f} and {high:.0f} MHz")
    return reasons


def _held_back(telemetry: Telemetry, label: str) -> list[str]:
    """The GPU is busy and yet not at the clock that its power mode allows."""
    clock, load = telemetry.find("clock/gpu"), telemetry.find("utilization/gpu")
    limit = telemetry.limits.get("clock/gpu")
    windows = telemetry.labelled(label)
    if clock is None or load is None or limit is None:
        return []
    loads = dict(zip(load.times_ns, load.values, strict=True))
    busy = [
        value
        for time, value in zip(clock.times_ns, clock.values, strict=True)
        if loads.get(time, 0.0) >= LOADED and any(w.start_ns <= time <= w.stop_ns for w in windows)
    ]
    slow = [value for value in busy if value < BELOW_LIMIT * limit]
    if not busy or len(slow) < LASTING * len(busy):
        return []
    return [f"the busy gpu ran at {min(slow):.0f} MHz, of {limit:.0f} MHz allowed"]


def _throttling(telemetry: Telemetry, label: str, *, ignored: Sequence[str]) -> list[str]:
    reasons = []
    for series in telemetry.series:
        if series.name in ignored:
            continue
        if series.name == HELD_BACK:
            periods = _increase(series, telemetry.labelled(label))
            if periods > 0:
                reasons.append(f"the CPU limit of its control group held it back {_times(periods)}")
        elif series.name.startswith("throttle/"):
            states = telemetry.during(series.name, label)
            share = sum(state > 0 for state in states) / len(states) if states else 0.0
            if share:
                reasons.append(f"throttled by {_place(series.name)} in {share:.0%} of the samples")
        elif series.name.startswith("throttle_count/"):
            events = _increase(series, telemetry.labelled(label))
            if events > 0:
                reasons.append(f"throttled by {_place(series.name)}: {_times(events)} while measuring")
    return reasons


def _hot(telemetry: Telemetry, label: str) -> list[str]:
    reasons = []
    for name, limit in telemetry.limits.items():
        values = telemetry.during(name, label) if name.startswith("temperature/") else ()
        if values and max(values) >= limit:
            hottest = f"{max(values):.1f} degC"
            reasons.append(f"{_place(name)} reached {hottest}, and clocks are cut from {limit:g} degC")
    return reasons


def _other_load(telemetry: Telemetry, label: str) -> list[str]:
    spent = {name: telemetry.find(f"cpu_time/{name}") for name in ("all", "ours", "stolen")}
    windows = telemetry.labelled(label)
    seconds = sum(window.seconds for window in windows)
    everything, ours, stolen = spent["all"], spent["ours"], spent["stolen"]
    if everything is None or ours is None or stolen is None or not seconds:
        return []
    others = (_increase(everything, windows) - _increase(ours, windows)) / seconds
    taken = _increase(stolen, windows) / seconds
    reasons = []
    if others > OTHER_LOAD:
        busiest = telemetry.facts.get("other programs", {}).get("busiest_other", "")
        total = _risen(everything) - _risen(ours)  # while the busiest was looked for: all the time
        most = f", most by {busiest}" if _seconds_of(busiest) + ROUNDED >= MOST * total else ""
        reasons.append(f"other programs took {others:.0%} of a core{most}")
    if taken > OTHER_LOAD:
        reasons.append(f"the hypervisor took away {taken:.0%} of a core")
    return reasons


def _seconds_of(busiest: str) -> float:
    """Return the CPU seconds in "browser (16.0 s)"; 0 where nobody is named."""
    match = re.search(r"\((\d+(?:\.\d+)?) s\)$", busiest)
    return float(match[1]) if match else 0.0


def _risen(counter: Series) -> float:
    """Return how much a counter rose over the whole recording."""
    return counter.values[-1] - counter.values[0]


def _increase(series: Series, windows: Sequence[Window]) -> float:
    """How much a counter rose in `windows`, interpolated between its samples."""
    origin = series.times_ns[0]
    times = [time - origin for time in series.times_ns]
    return sum(
        float(np.diff(np.interp([w.start_ns - origin, w.stop_ns - origin], times, series.values))[0])
        for w in windows
    )


def _place(name: str) -> str:
    return name.partition("/")[2]


def _times(count: float) -> str:
    """Interpolation between two samples may leave a fraction of an event."""
    return "once" if count <= 1 else f"{count:.0f} times"
