from __future__ import annotations

import math

import pytest

from dcgan_edge.errors import UsageError
from dcgan_edge.runtime.bench.plan import SCENARIOS, BenchPlan, Scenario


@pytest.mark.parametrize(
    "plan",
    [
        {"batches": (0,)}, {"batches": (10**18,)}, {"streams": ()}, {"streams": (0,)}, {"streams": (10**6,)},
        {"iterations": 0}, {"iterations": 10**18}, {"rounds": 1}, {"scenario": "burst"},
        {"duration_s": 0.0}, {"duration_s": -1.0}, {"duration_s": math.inf}, {"duration_s": math.nan},
        {"warm_up_s": math.nan}, {"idle_s": -1.0}, {"percentiles": ()}, {"percentiles": (100.0,)},
        {"percentiles": (math.nan,)}, {"rate": 5.0}, {"precision_goal": 0.0},
        {"precision_goal": math.nan}, {"max_time_s": 0.0}, {"max_time_s": math.inf}, {"processes": 4},
        {"processes": 1000}, {"scenario": "server"},
        {"scenario": "server", "rate": -1.0}, {"scenario": "server", "rate": math.nan},
        {"scenario": "server", "rate": 1e300}, {"scenario": "server", "rate": 1e-300},
    ],
)  # fmt: skip
def test_a_plan_that_cannot_be_measured_is_refused(plan: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        BenchPlan(**plan)  # type: ignore[arg-type]  # one bad field at a time


@pytest.mark.parametrize(
    ("scenario", "batches"),  # images of one query, by the rules of MLPerf Inference
    [
        ("latency", (1, 16)),
        ("single-stream", (1,)),
        ("multi-stream", (8,)),
        ("offline", (24576,)),
        ("server", (1,)),
    ],
)
def test_a_scenario_has_its_batches_unless_others_are_asked_for(
    scenario: Scenario, batches: tuple[int, ...]
) -> None:
    rate = 100.0 if scenario == "server" else None
    assert BenchPlan(scenario=scenario, rate=rate).batches == batches
    assert BenchPlan((3,), scenario=scenario, rate=rate).workloads() == [(3, 1)]


def test_every_batch_is_measured_with_every_number_of_streams() -> None:
    assert BenchPlan((1, 4), streams=(1, 2)).workloads() == [(1, 1), (1, 2), (4, 1), (4, 2)]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_rounds_that_are_compared_are_many(scenario: Scenario) -> None:
    rate = 1000.0 if scenario == "server" else None
    assert BenchPlan(scenario=scenario, rate=rate, duration_s=0.1).in_pairs().rounds >= 9
    long = BenchPlan(scenario=scenario, rate=rate, duration_s=10.0).in_pairs()
    assert long.rounds == (9 if scenario == "offline" else 100)


def test_rounds_of_queries_that_arrive_are_as_long_as_it_takes() -> None:
    assert BenchPlan(scenario="server", rate=20.0, duration_s=10.0).in_pairs().rounds == 20
    assert BenchPlan(scenario="server", rate=1.0, duration_s=10.0).in_pairs().rounds == 9
    with pytest.raises(UsageError):
        BenchPlan(scenario="server", rate=0.5, duration_s=10.0).in_pairs()
