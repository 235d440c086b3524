from __future__ import annotations

import re

import numpy as np
import pytest

from dcgan_edge.report.charts_time import BINS, Line, Panel, panel
from dcgan_edge.report.rows import rows
from dcgan_edge.report.timeline import OTHER_CLOCK, Timeline, _samples, _spans, timeline
from dcgan_edge.runtime.bench.workload import Samples
from tests.report_pieces import bench_report, measurement, samples, telemetry

READINGS = {
    "power/VDD_IN": [4.0, 5.0, 9.0],
    "clock/gpu": [306.0, 306.0, 1020.0],
    "throttle/gpu": [0.0, 0.0, 0.0],
}


@pytest.fixture(scope="module")
def drawn() -> Timeline:
    """Two rounds, of the second 10 and 10.5 of a clock that began long before, readings around them."""
    rounds = (samples([1.0, 2.0, 3.0], start_s=10), samples([1.0, 30.0], start_s=10.5))
    measured = rows({"a run": bench_report(measurement("g.onnx", rounds=rounds))})
    beside = telemetry(
        READINGS, start_s=9.9, limits={"clock/gpu": 1020.0}, not_readable=["nvml: not readable"]
    )
    return timeline("a run", beside, measured)


def test_latency_comes_first_and_then_what_was_read(drawn: Timeline) -> None:
    assert [chart.title for chart in drawn.charts] == [
        "Latency of each call, at the time it was due", "Power", "Clocks",
    ]  # fmt: skip
    assert [label for _, label in drawn.charts[2].legend] == ["gpu, limit 1020"]


def test_all_of_them_have_the_same_time_axis_at_the_same_place(drawn: Timeline) -> None:
    labels = [re.findall(r">(\d\.\d)</text>", chart.svg.text) for chart in drawn.charts]
    assert labels[1] == labels[2]
    assert labels[0][: len(labels[1])] == labels[1]
    assert all('viewBox="0 0 720 ' in chart.svg.text for chart in drawn.charts)
    # Grid lines that stand upright are at the same x in every panel.
    upright = [set(re.findall(r'd="M ([\d.]+) [\d.]+ \nL \1 ', chart.svg.text)) for chart in drawn.charts]
    assert upright[0] == upright[1] == upright[2] != set()
    assert all(">time (s)<" in chart.svg.text for chart in drawn.charts)


def test_rounds_and_warm_up_are_shown(drawn: Timeline) -> None:
    svg = drawn.charts[0].svg.text
    assert {">1<", ">2<", ">batch 1<"} <= set(re.findall(r">[^<>]+<", svg))
    assert "<pattern" in svg  # the hatch of the warm-up
    assert [label for _, label in drawn.charts[0].legend] == [
        "g.onnx", "every other round", "warm-up, samples not kept",
    ]  # fmt: skip


def test_what_the_charts_do_not_show_is_said(drawn: Timeline) -> None:
    assert drawn.notes == ("Throttling stayed at 0: gpu.", "Reading this took 0.4% of one processor.")
    assert drawn.not_readable == ("nvml: not readable",)


def test_the_warm_up_lies_before_the_first_round_and_is_as_long_as_recorded() -> None:
    measured = rows({"": bench_report(*(measurement(name, calls=10) for name in "ab"))})
    (warm_up,) = [span for span in _spans(measured) if span[2] == "warm-up"]
    assert warm_up[1] - warm_up[0] == pytest.approx(0.8e9)  # 0.4 s of each session, one after the other
    assert warm_up[1] == min(int(row.measurement.rounds[0].due_ns.min()) for row in measured)


def test_queries_are_drawn_in_the_order_in_which_they_were_due() -> None:
    due, latency = np.array([3, 1, 2]) * 1_000_000_000, np.array([1, 6, 4]) * 1_000_000
    measured = rows({"": bench_report(measurement("g", rounds=(Samples(due, latency),)))})
    ((seconds, milliseconds),) = _samples(measured[0], 1_000_000_000)
    assert (seconds.tolist(), milliseconds.tolist()) == ([0, 1, 2], [6, 4, 1])


def test_readings_of_another_clock_are_left_out_and_that_is_said() -> None:
    measured = rows({"": bench_report(measurement("g", calls=5))})
    found = timeline("", telemetry({"power/x": [1.0, 2.0]}, start_s=1e6), measured)
    assert len(found.charts) == 1
    assert found.notes == (OTHER_CLOCK,)


def test_a_long_series_is_drawn_short_and_keeps_its_extremes() -> None:
    y = np.ones(100_000)
    y[77_777] = 950.0
    x = np.linspace(0, 10, len(y))
    svg = panel(Panel("latency (ms)", [Line(0, "g", ((x, y),))], 10.0, tall=True))
    assert len(svg.text) < 60_000
    assert "between 1 and 950, half below 1" in svg.description
    heights = [float(height) for height in re.findall(r"[ML] [\d.]+ ([\d.]+)", svg.text)]
    bottom, top = max(heights), min(heights)
    assert top < 0.3 * bottom  # the one sample of 950 reaches up where the axis does
    assert len(heights) < 8 * BINS


def test_a_single_query_can_be_seen() -> None:
    one = Line(0, "g", ((np.array([3.0]), np.array([5.0])),))
    svg = panel(Panel("latency (ms)", [one], 10.0, tall=True))
    assert "<use " in svg.text
