"""What else the machine does: other programs by the counters of /proc, heat and throttling by readings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import pytest

from dcgan_edge.runtime.bench.surroundings import BUSY, STOLEN, MachineSurroundings, others_at_work
from dcgan_edge.runtime.telemetry.sources.processes import CpuSeconds, cpu_seconds
from dcgan_edge.runtime.telemetry.verdict import slowed_down

TREE = {
    "proc/stat": "cpu  100 0 50 900 7 3 2 40 0 0\ncpu0 1 1 1",
    "proc/11/stat": "11 (a (b) c) S 1 11 11 0 -1 0 0 0 0 0 20 10 5 5 20 0 1 0",
    "proc/12/stat": "12 (x) R 1 12 12 0 -1 0 0 0 0 0 7 3 0 0 20 0 1 0",
}


def plant(root: Path, tree: dict[str, str]) -> None:
    for name, text in tree.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def test_cpu_seconds_are_of_all_and_of_the_processes_named(tmp_path: Path) -> None:
    plant(tmp_path, TREE)
    assert cpu_seconds(tmp_path, [11, 12, 13], ticks_per_second=100) == CpuSeconds(1.55, 0.5, 0.4)
    assert cpu_seconds(tmp_path, [], ticks_per_second=100) == CpuSeconds(1.55, 0.0, 0.4)


@pytest.mark.parametrize("text", ["", "cpu  1 2 3", "cpu  a b c d e f g h"])
def test_where_the_system_does_not_say_nothing_is_known(tmp_path: Path, text: str) -> None:
    assert cpu_seconds(tmp_path, [1]) is None
    plant(tmp_path, {"proc/stat": text})
    assert cpu_seconds(tmp_path, [1]) is None


@pytest.mark.parametrize(
    ("everything", "ours", "stolen", "seconds", "reason"),
    [
        (1.0, 1.0, 0.0, 1.0, ""),
        (1.12, 1.0, 0.0, 1.0, ""),  # a tenth of a core, and what the counters are exact to
        (1.14, 1.0, 0.0, 1.0, BUSY),
        (0.14, 0.1, 0.0, 0.1, ""),  # four ticks
        (0.15, 0.1, 0.0, 0.1, BUSY),
        (1.0, 1.1, 0.0, 1.0, ""),  # counters that disagree the other way
        (1.0, 1.0, 0.2, 1.0, STOLEN),
    ],
)
def test_others_count_from_a_tenth_of_a_core(
    everything: float, ours: float, stolen: float, seconds: float, reason: str
) -> None:
    before = CpuSeconds(5.0, 2.0, 1.0)
    after = CpuSeconds(5.0 + everything, 2.0 + ours, 1.0 + stolen)
    assert others_at_work(before, after, seconds) == reason


@pytest.mark.parametrize(
    ("before", "now", "device", "reason"),
    [
        ({}, {"temperature/tj": 98.0, "throttle/cpu": 0.0}, "cpu", ""),
        ({}, {"temperature/tj": 99.0}, "cpu", "tj was as hot as where clocks are cut"),
        ({}, {"throttle/cpu-throttle-alert": 1.0}, "cpu", "throttled by cpu-throttle-alert"),
        ({"throttle_count/oc1": 3.0}, {"throttle_count/oc1": 3.0}, "cpu", ""),
        ({"throttle_count/oc1": 3.0}, {"throttle_count/oc1": 4.0}, "cpu", "throttled by oc1"),
        ({"throttle_count/cpu_limit": 3.0}, {"throttle_count/cpu_limit": 4.0}, "cpu", ""),
    ],
)
def test_heat_and_throttling_are_seen(
    before: dict[str, float], now: dict[str, float], device: Literal["cpu", "gpu"], reason: str
) -> None:
    assert slowed_down(before, now, {"temperature/tj": 99.0}, device=device) == reason


def test_a_look_begins_where_the_last_one_ended(tmp_path: Path) -> None:
    class Readings:
        limits: Mapping[str, float] = MappingProxyType({})

        def latest(self) -> dict[str, float]:
            return {}

    plant(tmp_path, TREE)
    moments = iter([0, 10**9, 2 * 10**9])
    recorder: Any = Readings()
    machine = MachineSurroundings(tmp_path, [11], recorder, "cpu", clock=lambda: next(moments))
    plant(tmp_path, {"proc/stat": "cpu  10000 0 50 900 7 3 2 40 0 0"})
    assert machine.look() == BUSY
    assert machine.look() == ""
