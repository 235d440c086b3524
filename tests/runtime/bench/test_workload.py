from __future__ import annotations

import itertools
import threading
from collections.abc import Iterable, Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcgan_edge.latents import FloatArray
from dcgan_edge.runtime.bench.workload import (
    closed_loop,
    one_query,
    open_loop,
    poisson_arrivals,
    timer_overhead_ns,
)
from tests.doubles import ArithmeticSession

MS = 1_000_000


class Timed(ArithmeticSession):
    """A session whose calls take the given milliseconds on a clock of its own, the last one for good."""

    def __init__(self, *durations_ms: float) -> None:
        super().__init__()
        self.now = 0
        self.durations = list(durations_ms)

    def run(self, latents: FloatArray) -> FloatArray:
        self.now += int(self.durations[0] * MS)
        if len(self.durations) > 1:
            self.durations.pop(0)
        return super().run(latents)

    def clock(self) -> int:
        return self.now

    def ticking(self) -> int:
        """The same clock, for code that reads it until it has moved on: a reading takes 1 us."""
        self.now += 1000
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += int(seconds * 1e9)


def test_closed_loop_times_each_query_and_stops_when_the_time_is_up() -> None:
    session = Timed(10, 20, 90)
    samples = closed_loop(session, 4, 0.030, clock=session.clock)
    assert samples.latency_ms.tolist() == [10.0, 20.0]
    assert samples.due_ns.tolist() == [0, 10 * MS]
    assert samples.span_s == 0.03
    assert session.batches == [4, 4]


def test_closed_loop_sends_the_least_number_of_queries() -> None:
    session = Timed(50)
    assert len(closed_loop(session, 1, 0.001, clock=session.clock)) == 1
    assert len(closed_loop(session, 1, 0.001, least=7, clock=session.clock)) == 7


def test_streams_share_the_session_and_all_samples_count() -> None:
    session = ArithmeticSession()
    samples = closed_loop(session, 2, 0.001, least=5, streams=3)
    assert len(samples) >= 15
    assert len(samples) == len(session.batches)
    ends = samples.due_ns + samples.latency_ns
    assert (np.diff(ends) >= 0).all(), "in order of completion"


def test_a_session_with_streams_of_its_own_is_fed_through_them() -> None:
    class TwoEngineStreams(ArithmeticSession):
        """Takes two batches before it gives the first back."""

        def run_batches(self, batches: Iterable[FloatArray]) -> Iterator[FloatArray]:
            waiting: list[FloatArray] = []
            for batch in batches:
                waiting.append(batch)
                if len(waiting) == 2:
                    yield self.run(waiting.pop(0))
            yield from map(self.run, waiting)

    now = itertools.count()  # a reading takes 1 ns
    session = TwoEngineStreams()
    samples = closed_loop(session, 3, 0.0, least=4, streams=2, clock=lambda: next(now))
    assert len(samples) == 8
    assert session.batches == [3] * 8
    assert (np.diff(samples.due_ns) > 0).all()
    assert (samples.due_ns[1:] < (samples.due_ns + samples.latency_ns)[:-1]).all(), "two are in flight"


def test_an_error_in_a_stream_reaches_the_caller_and_no_thread_is_left() -> None:
    class Failing(ArithmeticSession):
        def run(self, latents: FloatArray) -> FloatArray:
            raise OSError("the device is gone")

    before = threading.active_count()
    with pytest.raises(OSError, match="the device is gone"):
        closed_loop(Failing(), 1, 0.01, streams=3)
    assert threading.active_count() == before


def test_open_loop_charges_a_stall_to_everyone_it_kept_waiting() -> None:
    # A query each 10 ms; each takes 1 ms, but the third stalls for 200 ms.
    session = Timed(1, 1, 200, 1)
    arrivals = np.arange(30, dtype=np.float64) * 0.010
    samples = open_loop(session, 1, arrivals, clock=session.ticking, sleep=session.sleep)
    waited = samples.latency_ms
    assert len(waited) == 30
    assert waited[:2] == pytest.approx([1, 1], abs=0.1)  # a few readings of the clock, 1 us each
    assert waited[2] == pytest.approx(200, abs=0.1)
    # While the third ran, 20 more fell due; they are served 1 ms apart, so that waits shrink by 9 ms.
    assert waited[3:23] == pytest.approx([191 - 9 * k for k in range(20)], abs=0.1)
    closed = Timed(1, 1, 200, 1)
    same = closed_loop(closed, 1, 0, least=30, clock=closed.clock).latency_ms
    assert np.percentile(same, 90) == pytest.approx(1), "a closed loop would have hidden it"


def test_an_open_loop_ends_when_the_session_cannot_keep_up() -> None:
    session = Timed(3000)  # each query takes 3 s, and one is due every second
    arrivals = np.arange(1000, dtype=np.float64)
    samples = open_loop(session, 1, arrivals, clock=session.ticking, sleep=session.sleep)
    # the sixth begins at 15 s and was due at 5 s; the seventh would begin 12 s late
    assert len(samples) in (5, 6)  # the clock ticks while it is read
    assert max(samples.latency_ms) > 10_000


@given(rate=st.floats(1, 1000), seconds=st.floats(0.1, 20), seed=st.integers(0, 2**32))
def test_poisson_arrivals_rise_within_the_time(rate: float, seconds: float, seed: int) -> None:
    arrivals = poisson_arrivals(rate, seconds, seed)
    assert len(arrivals) >= 1
    assert (np.diff(arrivals) > 0).all()
    assert len(arrivals) == 1 or arrivals[-1] < seconds
    # The number of arrivals is Poisson: within six standard deviations of its mean, for every seed tried.
    assert abs(len(arrivals) - rate * seconds) <= 6 * np.sqrt(rate * seconds) + 6


def test_gaps_are_exponential() -> None:
    gaps = np.diff(poisson_arrivals(1000, 20, 7))
    # Mean and standard deviation are equal for an exponential; 20,000 samples know both to about 1 %.
    assert gaps.mean() == pytest.approx(1e-3, rel=0.05)
    assert gaps.std() == pytest.approx(1e-3, rel=0.05)


def test_offline_is_one_query() -> None:
    session = Timed(500)
    samples = one_query(session, 100, clock=session.clock)
    assert samples.latency_ms.tolist() == [500.0]
    assert session.batches == [64, 36], "split as the profile allows"


def test_timer_overhead_is_the_median_gap() -> None:
    ticks = iter(range(0, 10_000, 20))
    assert timer_overhead_ns(lambda: next(ticks), 101) == 20.0
