from __future__ import annotations

import functools
import json
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest

from dcgan_edge.errors import UsageError
from dcgan_edge.runtime.telemetry import sampler
from dcgan_edge.runtime.telemetry.reader import GaugeReader, Unreadable
from dcgan_edge.runtime.telemetry.record import IDLE
from dcgan_edge.runtime.telemetry.sampler import Recorder, open_sources, sample_telemetry
from dcgan_edge.runtime.telemetry.sources.clocks import open_gpu
from dcgan_edge.runtime.telemetry.sources.rails import open_rails
from tests.jetson_trees import ORIN_NANO, THOR, ManualClock, Replay, gpu, plant, rails


class Counting:
    """A Reader whose n-th reading is n; reading takes `takes_s` of the clock it is given."""

    facts: Mapping[str, str] = {"made": "of numbers"}
    limits: Mapping[str, float] = {"power/x": 3.0}

    def __init__(
        self,
        name: str = "counting",
        *,
        interval_s: float = 0.0,
        clock: ManualClock | None = None,
        takes_s: float = 0.0,
    ) -> None:
        self.name, self.interval_s, self._clock, self._takes_s = name, interval_s, clock, takes_s
        self.reads, self.closed = 0, False

    def read(self) -> dict[str, float]:
        if self._clock:
            self._clock.sleep(self._takes_s)
        self.reads += 1
        return {"power/x": float(self.reads)}

    def close(self) -> None:
        self.closed = True


class Failing(Counting):
    def read(self) -> dict[str, float]:
        raise ZeroDivisionError("a bug in a reader")


class CountedStop(threading.Event):
    """An event that is set after so many waits, and whose waits move the clock and take no time."""

    def __init__(self, clock: ManualClock, waits: int) -> None:
        super().__init__()
        self._clock, self._waits = clock, waits

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        assert timeout >= 0
        self._clock.sleep(timeout)
        self._waits -= 1
        return self._waits < 0


def run(clock: ManualClock, *readers: Counting, rate_hz: float, ticks: int) -> Recorder:
    recorder = Recorder(readers, [], rate_hz, clock)
    recorder.run(CountedStop(clock, ticks), threading.Event())
    return recorder


def test_a_board_replays_frame_by_frame(tmp_path: Path) -> None:
    plant(tmp_path, ORIN_NANO)
    frames = [
        rails(1, "1-0040", ("VDD_IN", watts * 1000)) | gpu("17000000.gpu", now=clock, highest=1020)
        for watts, clock in ((4, 306), (12, 1020), (11, 918))
    ]
    readers = [Replay(tmp_path, frames), open_rails(tmp_path), open_gpu(tmp_path)]
    clock = ManualClock()
    recorder = Recorder([r for r in readers if not isinstance(r, Unreadable)], [], 1.0, clock)
    start = clock.now_ns
    for _ in range(4):
        recorder.tick()
        clock.sleep(1.0)
    telemetry = recorder.telemetry()
    power, gpu_clock = telemetry.find("power/VDD_IN"), telemetry.find("clock/gpu")
    assert power is not None
    assert gpu_clock is not None
    assert power.values == pytest.approx((4.0, 12.0, 11.0, 11.0))
    assert gpu_clock.values == (306.0, 1020.0, 918.0, 918.0)
    assert [time - start for time in power.times_ns] == [0, 10**9, 2 * 10**9, 3 * 10**9]
    assert (power.unit, gpu_clock.unit) == ("W", "MHz")
    assert telemetry.limits["clock/gpu"] == 1020.0


def test_ticks_keep_the_rate_and_end_with_one_more() -> None:
    clock = ManualClock()
    series = run(clock, Counting(), rate_hz=5, ticks=3).telemetry().series[0]
    assert [time - series.times_ns[0] for time in series.times_ns] == [
        0,
        200_000_000,
        400_000_000,
        600_000_000,
        800_000_000,
    ]


def test_overdue_ticks_are_left_out_and_counted() -> None:
    """A read takes 0.5 s and is due every 0.2 s: reads start at 0, 0.5, 1.0, 1.5, 2.0 and, the last, 2.5 s.
    Of 0.2, 0.4, ... 2.4 s the newest one overdue is what is read for, and the 7 others are late.
    """
    clock = ManualClock()
    telemetry = run(clock, Counting(clock=clock, takes_s=0.5), rate_hz=5, ticks=4).telemetry()
    times = telemetry.series[0].times_ns
    assert [round((time - times[0]) / 1e9, 3) for time in times] == [0.0, 0.5, 1.0, 1.5, 2.0, 2.5]
    assert telemetry.cost.late == 7
    assert telemetry.cost.longest_sample_s == pytest.approx(0.5)
    assert telemetry.cost.mean_sample_s == pytest.approx(0.5)


def test_a_reading_is_dated_to_the_middle_of_its_read() -> None:
    clock = ManualClock()
    start = clock.now_ns
    recorder = Recorder([Counting(clock=clock, takes_s=0.2)], [], 1.0, clock)
    recorder.tick()
    assert recorder.telemetry().series[0].times_ns == (start + 100_000_000,)


def test_the_last_reading_may_be_asked_for_while_the_first_of_a_kind_is_kept() -> None:
    recorder = Recorder([Counting()], [], 1.0, ManualClock())
    recorder.tick()
    recorder._series["power/later"] = ([], [])  # as the thread that samples leaves it for a moment
    assert recorder.latest() == {"power/x": 1.0}


def test_a_slow_source_is_read_less_often_but_first_and_last() -> None:
    clock, slow = ManualClock(), Counting(interval_s=1.0)
    telemetry = run(clock, slow, rate_hz=10, ticks=25).telemetry()
    times = telemetry.series[0].times_ns
    assert [round((time - times[0]) / 1e9, 3) for time in times] == [0.0, 1.0, 2.0, 2.6]


def test_of_two_sources_with_one_reading_the_first_keeps_it() -> None:
    clock = ManualClock()
    first, second = Counting("first"), Counting("second")
    second.reads = 100
    telemetry = run(clock, first, second, rate_hz=1, ticks=2).telemetry()
    assert telemetry.series[0].values == (1.0, 2.0, 3.0, 4.0)


def test_a_block_is_covered_by_samples_from_end_to_end() -> None:
    reader = Counting()
    with sample_telemetry(rate_hz=50, sources=[lambda root: reader]) as recorder:
        recorder.idle(0.02)
        with recorder.window("run"):
            pass
        with recorder.window("run"):
            pass
    telemetry = recorder.telemetry()
    times = telemetry.series[0].times_ns
    assert [window.label for window in telemetry.windows] == [IDLE, "run", "run"]
    assert times[0] <= telemetry.windows[0].start_ns
    assert telemetry.windows[-1].stop_ns <= times[-1]
    assert telemetry.windows[0].seconds >= 0.02
    assert reader.closed
    assert not [thread for thread in threading.enumerate() if thread.name == "telemetry"]


def test_the_cost_of_sampling_is_stated() -> None:
    with sample_telemetry(rate_hz=100, sources=[lambda root: Counting()]) as recorder:
        recorder.idle(0.05)
    cost = recorder.telemetry().cost
    assert cost.samples >= 2
    assert 0 < cost.mean_sample_s <= cost.longest_sample_s
    assert 0 < cost.cpu_share < 1  # more than nothing, and one thread is one core at most


def test_the_record_is_json() -> None:
    with sample_telemetry(
        rate_hz=50, sources=[lambda root: Counting(), open_rails], root=Path("/nowhere")
    ) as recorder:
        recorder.idle(0.01)
    record = json.loads(json.dumps(recorder.telemetry().to_dict(), allow_nan=False))
    assert record["not_readable"] == [
        "power rails: not readable, because there is no INA3221 or INA238 power monitor"
    ]
    assert record["facts"] == {"counting": {"made": "of numbers"}}
    assert record["limits"] == {"power/x": 3.0}
    assert record["series"][0]["unit"] == "W"
    assert record["rate_hz"] == 50


def test_everything_there_is_opens_on_this_machine_or_says_why() -> None:
    with sample_telemetry() as recorder:
        pass
    telemetry = recorder.telemetry()
    assert len(telemetry.facts) + len(telemetry.unreadable) > 0
    assert all(reason.reason for reason in telemetry.unreadable)


def test_a_bug_in_a_reader_is_not_swallowed() -> None:
    failing = Failing()
    with pytest.raises(ZeroDivisionError), sample_telemetry(rate_hz=50, sources=[lambda root: failing]):
        pass
    assert failing.closed


def test_an_error_in_the_block_ends_the_sampling() -> None:
    reader = Counting()
    with pytest.raises(UsageError), sample_telemetry(rate_hz=50, sources=[lambda root: reader]):
        raise UsageError("no such artifact")
    assert reader.closed


@pytest.mark.parametrize("rate_hz", [0.0, -5.0, float("nan")])
def test_a_rate_is_above_zero(rate_hz: float) -> None:
    with pytest.raises(UsageError), sample_telemetry(rate_hz=rate_hz):
        pass


@pytest.mark.parametrize(("works", "names"), [("tegrastats", ["tegrastats"]), ("jtop", ["jtop"]), ("", [])])
def test_where_a_jetsons_rails_cannot_be_read_another_source_stands_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, works: str, names: list[str]
) -> None:
    def fallback(root: Path, *, name: str) -> Counting | Unreadable:
        return Counting(name) if name == works else Unreadable(name, "it is not here")

    openers = [functools.partial(fallback, name=name) for name in ("tegrastats", "jtop")]
    monkeypatch.setattr(sampler, "FALLBACKS", openers)
    plant(tmp_path, {"proc/device-tree/compatible": "nvidia,p3768\0nvidia,tegra234\0"})
    readers, unreadable = open_sources(tmp_path, [open_rails])
    assert [reader.name for reader in readers] == names
    assert unreadable[0].source == "power rails"


def test_no_other_source_is_asked_where_rails_are_read_or_none_are_expected(tmp_path: Path) -> None:
    readers, unreadable = open_sources(plant(tmp_path / "thor", THOR), [open_rails])
    assert [type(reader) for reader in readers] == [GaugeReader]
    assert not unreadable
    readers, unreadable = open_sources(tmp_path / "computer", [open_rails])
    assert [reason.source for reason in unreadable] == ["power rails"]
    assert not readers


@pytest.mark.parametrize("package", ["telemetry", "bench.roofline"])
def test_importing_it_loads_no_framework_and_no_vendor_library(package: str) -> None:
    heavy = {"torch", "onnx", "onnxruntime", "tensorrt", "pynvml", "jtop", "matplotlib"}
    code = f"import sys, dcgan_edge.runtime.{package}; print(*sorted({heavy!r} & set(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.split() == []
