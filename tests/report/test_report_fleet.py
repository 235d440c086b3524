from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcgan_edge.report.fleet import SCORE, Fleet, fleet, fleet_charts, scores
from dcgan_edge.report.rows import rows
from dcgan_edge.runtime.bench.record import BenchReport
from tests.report_pieces import ENERGY, MACHINE, NASTY, SVG_TEXT, bench_report, measurement, samples, steady

ALIKE = (1.0, 1.01, 0.985, 1.02)


def boards(*medians_ms: float, machine: Sequence[dict[str, str]] = ()) -> Fleet:
    machines = machine or [MACHINE] * len(medians_ms)
    runs: dict[str, BenchReport] = {
        f"board-{number}": bench_report(steady(ms=ms), machine=of)
        for number, (ms, of) in enumerate(zip(medians_ms, machines, strict=True), start=1)
    }
    return fleet(runs, rows(runs))


def names(found: Fleet) -> list[str]:
    return [device.name for device in found.devices if device.outliers]


def test_a_board_that_is_slower_than_its_kind_is_named_with_its_figures() -> None:
    found = boards(*ALIKE, 1.33)
    assert names(found) == ["board-5"]
    assert [(o.metric, round(o.ratio, 2)) for o in found.outliers] == [
        ("median latency", 1.32),
        ("p99 latency", 1.32),
    ]
    assert all(outlier.score > SCORE for outlier in found.outliers)


def test_a_board_that_is_faster_stands_out_too() -> None:
    assert names(boards(*ALIKE, 0.7)) == ["board-5"]


def test_boards_that_differ_by_little_do_not_stand_out() -> None:
    assert names(boards(*ALIKE)) == []
    assert names(boards(1.0, 1.0, 1.0, 1.0, 1.04)) == []  # infinitely many deviations, and only 4 %
    assert names(boards(1.0, 1.0, 1.0, 1.0, 1.06)) == ["board-5"]


def test_boards_are_set_against_their_own_model_and_three_are_needed() -> None:
    nano, thor = {"jetson_model": "Orin Nano"}, {"jetson_model": "Thor"}
    found = boards(1.0, 1.01, 1.0, 0.2, 0.3, machine=[nano, nano, nano, thor, thor])
    assert names(found) == []
    assert [device.model for device in found.devices] == ["Orin Nano"] * 3 + ["Thor"] * 2
    assert names(boards(1.0, 1.01, 2.0, 2.0, 1.0, machine=[nano, nano, nano, thor, thor])) == ["board-3"]


def test_energy_counts_where_all_have_measured_it() -> None:
    runs = {
        str(n): bench_report(steady(energy=ENERGY | {"joules_per_image": joules}))
        for n, joules in enumerate((5e-3, 5.1e-3, 4.9e-3, 8e-3))
    }
    assert [(o.row.run, o.metric) for o in fleet(runs, rows(runs)).outliers] == [("3", "joules per image")]
    runs["0"] = bench_report(steady())
    assert fleet(runs, rows(runs)).outliers == ()


@given(st.lists(st.floats(1e-3, 1e3), min_size=3, max_size=20), st.floats(0.01, 100))
def test_scores_do_not_depend_on_the_unit(figures: list[float], unit: float) -> None:
    plain = scores({str(n): figure for n, figure in enumerate(figures)})
    scaled = scores({str(n): figure * unit for n, figure in enumerate(figures)})
    # Logarithms of scaled figures round differently; a spread of nearly nothing makes any of that large.
    if all(abs(score) < 1e6 for score in plain.values()):
        assert scaled == pytest.approx(plain, rel=1e-5, abs=1e-5)


def test_the_score_is_of_robust_deviations() -> None:
    found = scores({name: 2.0**power for name, power in zip("abcde", (-2, -1, 0, 1, 10), strict=True)})
    # The median absolute deviation is one doubling; 1.4826 of it are one standard deviation.
    assert found["e"] == pytest.approx(10 / 1.4826)
    assert found["c"] == 0


def test_there_is_a_row_for_each_board_with_its_percentiles_and_all_its_ends() -> None:
    rounds = (samples([1.0 + 0.001 * call for call in range(500)]),)
    runs = {
        name: bench_report(measurement("g", rounds=rounds))
        for name in ("short", NASTY, "a-board-with-a-long-name")
    }
    (chart,) = fleet_charts(fleet(runs, rows(runs)))
    text = ["".join(each.itertext()) for each in ElementTree.fromstring(chart.svg.text).iter(SVG_TEXT)]
    assert "1 short" in text
    assert "3 a-board-with-\N{HORIZONTAL ELLIPSIS}" in text
    assert "latency of a call (ms)" in text
    assert "short: p50 1.25, p90 1.45, p99 1.49" in chart.svg.description


def test_a_large_fleet_is_drawn_with_fewer_dashes() -> None:
    rounds = (samples([1.0 + 0.001 * call for call in range(2000)]),)

    def dashes(count: int) -> float:
        runs = {str(n): bench_report(measurement("g", rounds=rounds)) for n in range(count)}
        (chart,) = fleet_charts(fleet(runs, rows(runs)))
        return len(re.findall("M ", chart.svg.text)) / count

    assert dashes(3) > 250 > 200 > dashes(80)


def test_a_board_is_drawn_by_its_number_in_the_table() -> None:
    other = bench_report(measurement("h", calls=5))
    runs = {"a": other, "b": bench_report(measurement("g", calls=5)), "c": other}
    first, second = fleet_charts(fleet(runs, rows(runs)))
    assert all(name in first.svg.text for name in (">1 a<", ">3 c<"))
    assert ">2 b<" in second.svg.text
