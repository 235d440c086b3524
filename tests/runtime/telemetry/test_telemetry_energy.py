from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcgan_edge.runtime.telemetry.energy import Energy, energy, series_joules, total_rule
from dcgan_edge.runtime.telemetry.reader import Unreadable, unit_of
from dcgan_edge.runtime.telemetry.record import IDLE, Cost, Series, Telemetry, Window
from dcgan_edge.runtime.telemetry.sampler import Recorder
from dcgan_edge.runtime.telemetry.sources.rails import open_rails
from tests.jetson_trees import (
    AGX_ORIN,
    ORIN_NANO,
    ORIN_NX,
    THOR,
    THOR_WITH_VIN,
    ManualClock,
    Replay,
    Tree,
    plant,
    rails,
)

COST = Cost(samples=0, cpu_share=0.0, mean_sample_s=0.0, longest_sample_s=0.0, late=0)
SECOND = 10**9


def series(name: str, *points: tuple[float, float]) -> Series:
    """(seconds, value) points of one reading."""
    times, values = zip(*points, strict=True)
    return Series(name, unit_of(name), tuple(round(time * SECOND) for time in times), values)


def window(label: str, start: float, stop: float) -> Window:
    return Window(label, round(start * SECOND), round(stop * SECOND))


def record(*readings: Series, windows: tuple[Window, ...], rate_hz: float = 1.0) -> Telemetry:
    return Telemetry(rate_hz, readings, windows, {}, {}, (), COST)


def found(telemetry: Telemetry, label: str, images: int) -> Energy:
    result = energy(telemetry, label, images)
    assert isinstance(result, Energy), str(result)
    return result


def test_a_replayed_orin_nano_takes_the_joules_computed_by_hand(tmp_path: Path) -> None:
    """VDD_IN at 0, 1, 2, ... s: 4 4 4 8 10 8 4 W. Idle is 0-2 s at 4 W, the run 2-6 s.

    Trapezoids of the run: (4+8)/2 + (8+10)/2 + (10+8)/2 + (8+4)/2 = 30 J; less 4 W for 4 s = 14 J.
    """
    plant(tmp_path, ORIN_NANO)
    frames = [
        rails(1, "1-0040", ("VDD_IN", 1000 * watts), ("VDD_SOC", 900)) for watts in (4, 4, 4, 8, 10, 8, 4)
    ]
    rail_reader = open_rails(tmp_path)
    assert not isinstance(rail_reader, Unreadable)
    clock = ManualClock()
    recorder = Recorder([Replay(tmp_path, frames), rail_reader], [], 1.0, clock)
    recorder.tick()

    def tick_through(seconds: float) -> None:
        for _ in range(round(seconds)):
            clock.sleep(1.0)
            recorder.tick()

    recorder.idle(2.0, sleep=tick_through)
    with recorder.window("batch 1"):
        tick_through(4.0)
    result = found(recorder.telemetry(), "batch 1", images=28)
    assert result.joules == pytest.approx(14.0)
    assert result.joules_per_image == pytest.approx(0.5)
    assert result.images_per_joule == pytest.approx(2.0)
    assert result.watts == pytest.approx(7.5)
    assert (result.idle_watts, result.idle_seconds, result.seconds) == pytest.approx((4.0, 2.0, 4.0))
    assert (result.parts, result.sampling_hz, result.samples) == (("power/VDD_IN",), 1.0, 5)
    assert "whole module" in result.rule
    assert result.notes == ("a stretch of 4.0 s is short: power monitors average, measure 10 s at once",)


def test_the_ends_of_a_window_are_interpolated() -> None:
    """4 W at 0 s to 8 W at 2 s is 5 W at 0.5 s and 7 W at 1.5 s: 6 J in that second."""
    assert series_joules(series("power/VDD_IN", (0, 4), (2, 8)), window("x", 0.5, 1.5)) == pytest.approx(6.0)


def test_rails_are_summed_by_the_rule_of_the_board() -> None:
    readings = [
        series(f"power/{label}", (0, idle), (10, idle), (10.1, run), (30, run))
        for label, idle, run in (
            ("VDD_GPU_SOC", 2, 10), ("VDD_CPU_CV", 1, 2), ("VIN_SYS_5V0", 4, 6), ("VDDQ_VDD2_1V8AO", 1, 50),
        )
    ]  # fmt: skip
    result = found(record(*readings, windows=(window(IDLE, 0, 10), window("run", 10.1, 30))), "run", 1)
    assert result.joules == pytest.approx((18 - 7) * 19.9)
    assert result.scope == "Jetson AGX Orin module"
    assert [note for note in result.notes if "short" in note] == []


def test_turns_of_a_run_add_up() -> None:
    """2 W idle, 6 W in the windows of a (9.9 s each), 3 W in that of b."""
    steps = ((0, 2), (10, 2), (10.1, 6), (20, 6), (20.1, 3), (30, 3), (30.1, 6), (40, 6))
    ends = ((IDLE, 0, 10), ("a", 10.1, 20), ("b", 20.1, 30), ("a", 30.1, 40))
    telemetry = record(series("power/VDD_IN", *steps), windows=tuple(window(*end) for end in ends))
    assert found(telemetry, "a", 100).joules == pytest.approx(4 * 19.8)
    assert found(telemetry, "b", 100).joules == pytest.approx(1 * 9.9)


def test_counters_are_differenced() -> None:
    package = series("energy/package-0", (0, 100), (10, 150), (20, 350))
    memory = series("energy/package-0-dram", (0, 0), (10, 10), (20, 40))
    result = found(record(package, memory, windows=(window(IDLE, 0, 10), window("run", 10, 20))), "run", 10)
    assert result.joules == pytest.approx(200 + 30 - 50 - 10)
    assert result.scope == "CPU packages"


def test_a_run_that_takes_no_more_than_rest_has_no_images_per_joule() -> None:
    reading = series("power/VDD_IN", (0, 5), (40, 5))
    result = found(record(reading, windows=(window(IDLE, 0, 10), window("run", 10, 40))), "run", 10)
    assert result.joules == pytest.approx(0.0, abs=1e-9)
    assert result.images_per_joule is None or result.joules > 0
    json.dumps(result.to_dict(), allow_nan=False)


def test_too_few_samples_are_a_note() -> None:
    reading = series("power/VDD_IN", (0, 5), (10, 5), (20, 9), (30, 9))
    result = found(record(reading, windows=(window(IDLE, 0, 9), window("run", 11, 29))), "run", 10)
    assert any("only 1 power samples fell into a stretch of 'run'" in note for note in result.notes)


@pytest.mark.parametrize(
    ("windows", "reason"),
    [
        ((window("run", 1, 2),), "idle power was not recorded"),
        ((window(IDLE, 1, 2),), "the run was not recorded"),
        ((window(IDLE, 1, 2), window("run", 2, 6)), "was not read all through 'run'"),
        ((window(IDLE, -1, 2), window("run", 2, 4)), "was not read all through 'idle'"),
    ],
)
def test_no_energy_is_a_sentence(windows: tuple[Window, ...], reason: str) -> None:
    refused = energy(record(series("power/VDD_IN", (0, 5), (5, 5)), windows=windows), "run", 1)
    assert isinstance(refused, Unreadable)
    assert reason in str(refused)


@pytest.mark.parametrize(
    ("tree", "labels", "scope"),
    [
        (ORIN_NANO, ["VDD_IN"], "Orin Nano"),
        (ORIN_NX, ["VDD_IN"], "Orin NX"),
        (AGX_ORIN, ["VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0"], "AGX Orin"),
        (THOR, ["VDD_GPU", "VDD_CPU_SOC_MSS", "VIN_SYS_5V0"], "Thor module"),
        (THOR_WITH_VIN, ["VIN"], "Thor board"),
    ],
    ids=["orin nano", "orin nx", "agx orin", "thor", "thor with vin"],
)
def test_which_rails_are_the_whole(tmp_path: Path, tree: Tree, labels: list[str], scope: str) -> None:
    reader = open_rails(plant(tmp_path, tree))
    assert not isinstance(reader, Unreadable)
    rule = total_rule(list(reader.read()))
    assert not isinstance(rule, Unreadable)
    assert rule.parts == tuple(f"power/{label}" for label in labels)
    assert scope in rule.scope


@pytest.mark.parametrize(
    ("names", "parts"),
    [
        (["power/gpu_board", "energy/gpu_board"], ("energy/gpu_board",)),
        (["power/gpu_board", "energy/package-0"], ("power/gpu_board", "energy/package-0")),
        (["energy/package-1", "energy/package-0"], ("energy/package-0", "energy/package-1")),
    ],
)
def test_a_computer_is_its_gpu_board_and_its_packages(names: list[str], parts: tuple[str, ...]) -> None:
    rule = total_rule(names)
    assert not isinstance(rule, Unreadable)
    assert rule.parts == parts
    assert "not measured" in rule.reason


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (["power/GPU", "power/CPU", "power/SYS5V"], "no rule says which of the rails CPU, GPU, SYS5V"),
        (["power/VDD_GPU_SOC", "power/VDD_CPU_CV"], "no rule says"),  # an AGX Orin with a rail missing
        (["clock/gpu"], "nothing here measures power"),
    ],
)
def test_rails_without_a_rule_have_no_total(names: list[str], reason: str) -> None:
    refused = total_rule(names)
    assert isinstance(refused, Unreadable)
    assert reason in refused.reason


moments = st.lists(st.integers(1, 10**10), min_size=2, max_size=20)


@given(moments, st.floats(0.1, 100), st.data())
def test_constant_power_is_power_times_time_however_it_is_sampled(
    steps: list[int], watts: float, data: st.DataObject
) -> None:
    times = [10**18 + sum(steps[:count]) for count in range(len(steps) + 1)]
    reading = Series("power/VDD_IN", "W", tuple(times), (watts,) * len(times))
    start, stop = sorted(data.draw(st.tuples(*[st.integers(times[0], times[-1])] * 2)))
    # 1e-9: the integral is a sum of at most 20 float64 products
    expected = watts * (stop - start) / 1e9
    assert series_joules(reading, Window("x", start, stop)) == pytest.approx(expected, rel=1e-9, abs=1e-12)


@given(moments, st.data())
def test_the_parts_of_a_window_have_the_energy_of_the_whole(steps: list[int], data: st.DataObject) -> None:
    times = [sum(steps[:count]) for count in range(len(steps) + 1)]
    values = data.draw(st.lists(st.floats(-1, 100), min_size=len(times), max_size=len(times)))
    reading = Series("power/VDD_IN", "W", tuple(times), tuple(values))
    start, middle, stop = sorted(data.draw(st.tuples(*[st.integers(0, times[-1])] * 3)))
    parts = sum(series_joules(reading, Window("x", *ends)) for ends in ((start, middle), (middle, stop)))
    # 1e-6 J: interpolation at `middle` and sums of up to 2e2 s x 1e2 W in float64, with much to spare
    assert parts == pytest.approx(series_joules(reading, Window("x", start, stop)), rel=1e-9, abs=1e-6)
