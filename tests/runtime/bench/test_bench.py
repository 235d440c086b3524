from __future__ import annotations

import functools
import json
import os
from collections import Counter

import numpy as np
import pytest

from dcgan_edge.errors import EdgeError, UsageError
from dcgan_edge.latents import FloatArray
from dcgan_edge.runtime.bench.measure import _overload, in_fair_order, measure
from dcgan_edge.runtime.bench.plan import BenchPlan
from dcgan_edge.runtime.bench.process import run_round, warm_up
from dcgan_edge.runtime.bench.workload import Samples, poisson_arrivals
from tests.doubles import ArithmeticSession

QUICK = BenchPlan(batches=(1, 3), duration_s=0.05, rounds=2, warm_up_s=0.0, idle_s=0.05)


class Slowing(ArithmeticSession):
    """Calls take the given milliseconds on a clock of its own, the last ones again and again."""

    def __init__(self, first: list[int], then: list[int]) -> None:
        super().__init__()
        self.now, self.first, self.then = 0, first, then

    def run(self, latents: FloatArray) -> FloatArray:
        number = len(self.batches)
        rest = number - len(self.first)
        taken = self.first[number] if rest < 0 else self.then[rest % len(self.then)]
        self.now += taken * 1_000_000
        return super().run(latents)

    def clock(self) -> int:
        return self.now


def test_warm_up_goes_on_until_two_windows_agree() -> None:
    session = Slowing([300, 280, 260, 240, 220], [200])
    done = warm_up(session, 1, clock=session.clock)
    assert done.settled
    assert done.calls == 7  # 300, 280, 260, 240, 220, 200, 200 ms: the last two agree


def test_warm_up_lasts_as_long_as_asked() -> None:
    session = Slowing([], [200])
    assert warm_up(session, 1, 1, 3.0, clock=session.clock).seconds == 3.0


def test_warm_up_gives_up_and_says_so() -> None:
    session = Slowing([], [200, 300])
    done = warm_up(session, 1, clock=session.clock)
    assert not done.settled
    assert done.seconds >= 5


def test_bench_runs_each_session_in_its_own_process() -> None:
    said: list[str] = []
    report = measure([("a", ArithmeticSession), ("b", ArithmeticSession)], QUICK, progress=said.append)
    assert [(m.name, m.batch) for m in report.measurements] == [("a", 1), ("b", 1), ("a", 3), ("b", 3)]
    assert said[1:4] == ["batch 1: warming up", "batch 1: round 1 of 2", "batch 1: round 2 of 2"]
    record = json.loads(report.to_json())
    assert record["measurements"][0]["session"]["backend"] == "arithmetic"
    for taken in report.measurements:
        assert len(taken.rounds) == 2
        assert taken.statistics.count >= QUICK.iterations
        assert taken.timer_ns > 0


@pytest.mark.parametrize(
    ("plan", "workloads"),
    [
        (BenchPlan((1, 4), streams=(1, 2)), [(1, 1), (1, 2), (4, 1), (4, 2)]),
        (BenchPlan(scenario="single-stream"), [(1, 1)]),
        (BenchPlan(scenario="multi-stream"), [(8, 1)]),
        (BenchPlan((100,), scenario="offline"), [(100, 1)]),
        (BenchPlan(scenario="server", rate=100.0), [(1, 1)]),
    ],
)
def test_scenarios_fix_the_batch(plan: BenchPlan, workloads: list[tuple[int, int]]) -> None:
    assert plan.workloads() == workloads
    session = ArithmeticSession()
    batch, streams = workloads[-1]
    samples = run_round(session, plan, batch, streams, 0)
    assert len(samples) >= 1
    assert sum(session.batches) == batch * len(samples)


def test_the_server_scenario_is_an_open_loop() -> None:
    plan = BenchPlan(scenario="server", rate=200.0, duration_s=0.4, rounds=2, warm_up_s=0.0, idle_s=0.05)
    (taken,) = measure([("a", ArithmeticSession)], plan).measurements
    assert taken.loop == "open"
    # Poisson with a mean of 80 in two rounds of seeds 0 and 1: a fixed number, whatever the machine does.
    assert taken.statistics.count == sum(len(samples) for samples in taken.rounds)
    assert 40 < taken.statistics.count < 120


def test_a_rate_that_is_too_high_is_said() -> None:
    plan = BenchPlan(scenario="server", rate=100.0, duration_s=1.0, rounds=2)
    arrived = [poisson_arrivals(100.0, 0.5, number) for number in range(2)]
    taken = [Samples(np.arange(len(each)), np.ones(len(each), np.int64)) for each in arrived]
    assert _overload(plan, taken, range(2)) == ()
    (reason,) = _overload(plan, [taken[0], Samples(np.arange(3), np.ones(3, np.int64))], range(2))
    assert f"{len(arrived[0]) + 3} of {len(arrived[0]) + len(arrived[1])}" in reason
    assert _overload(BenchPlan(), taken, range(2)) == ()


def _refuse() -> ArithmeticSession:
    raise UsageError("no such thing")


def _die(code: int) -> ArithmeticSession:
    os._exit(code)


def test_an_error_of_the_opener_is_raised_here() -> None:
    with pytest.raises(UsageError, match="no such thing"):
        measure([("a", _refuse)], QUICK)


def test_a_process_that_dies_is_named() -> None:
    with pytest.raises(EdgeError, match="ran victim ended with exit code 3"):
        measure([("victim", functools.partial(_die, 3))], QUICK)


@pytest.mark.parametrize("count", [1, 2, 3, 6])
def test_over_the_rounds_nobody_is_favoured_by_its_place(count: int) -> None:
    orders = [in_fair_order(list(range(count)), number) for number in range(2 * count)]
    assert all(sorted(order) == list(range(count)) for order in orders)
    for place in range(count):
        assert Counter(order[place] for order in orders) == dict.fromkeys(range(count), 2)
