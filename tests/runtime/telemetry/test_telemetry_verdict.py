from __future__ import annotations

import dataclasses
from typing import Literal

import pytest

from dcgan_edge.runtime.telemetry.record import Series, Telemetry
from dcgan_edge.runtime.telemetry.verdict import BELOW_LIMIT, CLOCK_DRIFT, LOADED, OTHER_LOAD, verdict
from tests.runtime.telemetry.test_telemetry_energy import record, series, window

RUN = (window("run", 10, 20), window("run", 30, 40))


def judged(
    *readings: Series, device: Literal["cpu", "gpu"] = "gpu", limits: dict[str, float] | None = None
) -> tuple[str, ...]:
    return verdict(told(*readings, limits=limits), "run", device=device)


def told(*readings: Series, limits: dict[str, float] | None = None, busiest: str = "") -> Telemetry:
    facts = {"other programs": {"busiest_other": busiest}} if busiest else {}
    return dataclasses.replace(record(*readings, windows=RUN), limits=limits or {}, facts=facts)


def steps(name: str, *values: float) -> Series:
    """One value every five seconds, from 0 s on."""
    return series(name, *((5.0 * index, value) for index, value in enumerate(values)))


def test_a_quiet_machine_gives_no_reason() -> None:
    assert (
        judged(
            steps("clock/gpu", *[1020] * 9),
            steps("utilization/gpu", *[99] * 9),
            steps("temperature/tj", *[60] * 9),
            steps("throttle/gpu-throttle-alert", *[0] * 9),
            steps("throttle_count/oc3", *[37] * 9),
            steps("cpu_time/all", *[5 * i for i in range(9)]),
            steps("cpu_time/ours", *[4.9 * i for i in range(9)]),
            steps("cpu_time/stolen", *[0] * 9),
            limits={"clock/gpu": 1020.0, "temperature/tj": 99.0},
        )
        == ()
    )
    assert judged() == ()


@pytest.mark.parametrize("device", ["cpu", "gpu"])
def test_a_clock_that_moves_while_measured_is_a_reason(device: Literal["cpu", "gpu"]) -> None:
    clock = f"clock/{device}"
    moved = steps(clock, 1000, 1000, 1000, 900, 1000, 1000, 1000, 1000, 1000)
    assert judged(moved, device=device) == (f"the {device} clock moved by 10%, between 900 and 1000 MHz",)
    slightly = 1000 * (1 - CLOCK_DRIFT * 0.9)
    assert judged(steps(clock, *[1000, 1000, slightly] * 3), device=device) == ()


def test_a_clock_that_moves_between_the_turns_is_none() -> None:
    assert judged(steps("clock/gpu", 306, 306, 1020, 1020, 1020, 306, 1020, 1020, 1020)) == ()


def test_the_clock_of_the_other_device_does_not_matter() -> None:
    assert judged(steps("clock/cpu", *[800, 3000] * 4), device="gpu") == ()
    assert judged(steps("clock/memory", *[204, 2133] * 4), device="gpu") != ()


def test_a_graphics_card_does_not_make_a_benchmark_of_the_cpu_unstable() -> None:
    memory = steps("clock/memory", *[405, 7001] * 4)
    assert judged(memory, device="cpu") == ()
    assert judged(
        memory, device="cpu", limits={"clock/memory": 2133.0}
    )  # one controller for both, as on a Jetson
    capped = steps("throttle/software_power_cap", *[1] * 9)
    assert judged(capped, device="cpu") == ()
    assert judged(capped, device="gpu")
    busy = (steps("utilization/gpu", *[LOADED] * 9), steps("clock/gpu", *[612.0] * 9))
    assert judged(*busy, limits={"clock/gpu": 1020.0}, device="cpu") == ()


def test_a_cpu_limit_that_held_the_benchmark_back_is_a_reason_of_its_own() -> None:
    (reason,) = judged(steps("throttle_count/cpu_limit", 0, 0, 4, 9, 9, 9, 9, 9, 9), device="cpu")
    assert "CPU limit" in reason
    assert judged(steps("throttle_count/cpu_limit", *[9] * 9), device="cpu") == ()


def test_a_busy_gpu_below_the_clock_it_is_allowed_is_held_back() -> None:
    load = steps("utilization/gpu", *[LOADED] * 9)
    clock = steps("clock/gpu", *[612.0] * 9)
    limits = {"clock/gpu": 1020.0}
    assert judged(clock, load, limits=limits) == ("the busy gpu ran at 612 MHz, of 1020 MHz allowed",)
    assert judged(clock, steps("utilization/gpu", *[LOADED - 1] * 9), limits=limits) == ()
    assert judged(steps("clock/gpu", *[1020 * BELOW_LIMIT] * 9), load, limits=limits) == ()
    assert judged(clock, load) == ()  # without a limit nothing can be said


def test_throttle_states_and_events_are_reasons_while_measured() -> None:
    # samples inside the windows are those at 10, 15, 20, 30, 35, 40 s
    alert = steps("throttle/gpu-throttle-alert", 1, 1, 0, 1, 0, 1, 0, 0, 0)
    assert judged(alert) == ("throttled by gpu-throttle-alert in 17% of the samples",)
    assert judged(steps("throttle_count/oc3", 5, 5, 5, 7, 7, 9, 9, 10, 10)) == (
        "throttled by oc3: 3 times while measuring",
    )
    assert judged(steps("throttle_count/oc3", 5, 7, 9, 9, 9, 11, 11, 11, 11)) == ()


def test_a_zone_at_its_trip_is_a_reason() -> None:
    hot = steps("temperature/tj", 60, 70, 80, 99, 98, 97, 96, 95, 94)
    assert judged(hot, limits={"temperature/tj": 99.0}) == (
        "tj reached 99.0 degC, and clocks are cut from 99 degC",
    )
    assert judged(hot, limits={"temperature/tj": 99.5}) == ()


def load(others: float, stolen: float = 0.0) -> tuple[Series, ...]:
    """Counters of a run of ours on one and a half cores beside `others` cores and `stolen` ones."""
    cores = {"all": 1.5 + others, "ours": 1.5, "stolen": stolen}
    return tuple(
        steps(f"cpu_time/{name}", *[100 + 5 * share * i for i in range(9)]) for name, share in cores.items()
    )


def test_other_load_is_a_reason_and_is_named() -> None:
    assert verdict(told(*load(0.4), busiest="browser (16.0 s)"), "run", device="gpu") == (
        "other programs took 40% of a core, most by browser (16.0 s)",
    )
    assert judged(*load(0.4)) == ("other programs took 40% of a core",)
    assert judged(*load(0.9 * OTHER_LOAD)) == ()
    assert judged(*load(0.0, stolen=0.25)) == ("the hypervisor took away 25% of a core",)


@pytest.mark.parametrize(
    ("busiest", "named"),  # 40 % of a core are 16 s of work in the 40 s that are recorded
    [
        ("browser (16.0 s)", True), ("browser (8.0 s)", True), ("browser (7.9 s)", False),
        ("kworker (0.0 s)", False), ("odd) name (5 s", False),
    ],
)  # fmt: skip
def test_nobody_is_named_who_worked_less_than_there_is_to_explain(busiest: str, named: bool) -> None:
    (reason,) = verdict(told(*load(0.4), busiest=busiest), "run", device="cpu")
    assert (busiest in reason) is named


def test_another_run_is_not_judged() -> None:
    assert verdict(told(*load(0.4)), "another", device="cpu") == ()
