from __future__ import annotations

import functools
import json
from collections.abc import Callable

import pytest
from doubles import ArithmeticSession

from dcgan_edge.errors import EdgeError, UsageError
from dcgan_edge.runtime.bench import BenchPlan, Measurement, WarmUp, bench, find, measure, warm_up

QUICK = BenchPlan(batches=(1, 3), duration_s=0.05, turns=2)


def clock_of(*durations_ms: float) -> Callable[[], int]:
    """A clock under which the n-th call takes the n-th duration and nothing else takes time."""
    now = 0
    ticks = [now]
    for duration in durations_ms:
        ticks += [now, now + int(duration * 1e6)]
        now = ticks[-1]
    iterator = iter(ticks)
    return lambda: next(iterator)


def test_measure_times_each_call_and_stops_when_the_time_is_up() -> None:
    session = ArithmeticSession()
    assert measure(session, 4, 0.030, clock=clock_of(10, 20, 90)) == (10.0, 20.0)
    assert session.batches == [4, 4]


def test_measure_calls_once_at_least() -> None:
    assert measure(ArithmeticSession(), 1, 0.001, clock=clock_of(50)) == (50.0,)


def test_warm_up_goes_on_until_two_windows_agree() -> None:
    now = [0]

    class Slowing(ArithmeticSession):
        """Each call is quicker than the one before, until 200 ms are reached."""

        def run(self, latents):  # type: ignore[no-untyped-def]
            now[0] += max(200, 300 - 20 * len(self.batches)) * 1_000_000
            return super().run(latents)

    session = Slowing()
    done = warm_up(session, 1, clock=lambda: now[0])
    assert done.settled
    assert done.calls == 7  # 300, 280, 260, 240, 220, 200, 200 ms: the last two agree


def test_warm_up_gives_up_and_says_so() -> None:
    now = [0]

    class Wavering(ArithmeticSession):
        def run(self, latents):  # type: ignore[no-untyped-def]
            now[0] += (200 + 100 * (len(self.batches) % 2)) * 1_000_000
            return super().run(latents)

    done = warm_up(Wavering(), 1, clock=lambda: now[0])
    assert not done.settled
    assert done.seconds >= 5


def measurement(*turns: tuple[float, ...], settled: bool = True) -> Measurement:
    return Measurement("x", "00", "fp32", 2, {}, WarmUp(1, 0.1, settled), turns)


def test_throughput_and_verdict_come_from_the_raw_samples() -> None:
    steady = measurement((10.0, 10.2), (10.0, 9.8))
    assert steady.images_per_second == pytest.approx(200.0)  # 2 images in 10 ms
    assert steady.unstable_because == ()
    assert steady.to_dict()["verdict"] == "STABLE"
    drifting = measurement((10.0, 10.0), (12.0, 12.0), settled=False)
    assert len(drifting.unstable_because) == 2
    assert drifting.to_dict()["verdict"] == "UNSTABLE"


def test_bench_runs_each_session_in_its_own_process() -> None:
    said: list[str] = []
    report = bench([("a", ArithmeticSession), ("b", ArithmeticSession)], QUICK, progress=said.append)
    assert [(m.name, m.batch) for m in report.measurements] == [("a", 1), ("b", 1), ("a", 3), ("b", 3)]
    assert said[2:6] == [f"{name}, batch 1: turn {turn} of 2" for turn in (1, 2) for name in "ab"]
    record = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert record["schema_version"] == 1
    assert record["measurements"][0]["session"]["backend"] == "arithmetic"
    for taken in record["measurements"]:
        raw = [sample for turn in taken["latency_ms"] for sample in turn]
        assert taken["latency"]["count"] == len(raw)
        assert taken["latency"]["max"] == max(raw)
    assert find(report, "b", 3).batch == 3
    with pytest.raises(EdgeError, match="not measured"):
        find(report, "b", 4)


def _refuse() -> ArithmeticSession:
    raise UsageError("no such thing")


def _die(code: int) -> ArithmeticSession:
    import os

    os._exit(code)


def test_an_error_of_the_opener_is_raised_here() -> None:
    with pytest.raises(UsageError, match="no such thing"):
        bench([("a", _refuse)], QUICK)


def test_a_process_that_dies_is_named() -> None:
    with pytest.raises(EdgeError, match="ran victim ended with exit code 3"):
        bench([("victim", functools.partial(_die, 3))], QUICK)


@pytest.mark.parametrize("plan", [{"batches": ()}, {"batches": (0,)}, {"duration_s": 0.0}, {"turns": 1}])
def test_a_plan_that_measures_nothing_is_refused(plan: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        BenchPlan(**plan)  # type: ignore[arg-type]  # one bad field at a time
