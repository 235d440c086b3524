from __future__ import annotations

import dataclasses
import math

import pytest

from dcgan_edge.runtime.bench.comparison import compare, compare_rounds, parse_gate
from dcgan_edge.runtime.bench.intervals import Estimate
from dcgan_edge.runtime.bench.measurement import Course, Measurement
from dcgan_edge.runtime.bench.outcome import Comparison, Outcome, judge
from dcgan_edge.runtime.bench.ratios import ratios
from tests.report_pieces import bench_report, samples, steady


@pytest.mark.parametrize(
    ("low", "high", "doubt", "outcome"),
    [
        (0.99, 1.02, "", "same"),
        (1.005, 1.029, "", "same"),  # real, and too small to matter
        (1.02, 1.06, "", "slower"),
        (0.90, 0.98, "", "faster"),
        (0.98, 1.06, "", "ambiguous"),
        (1.002, 1.06, "", "ambiguous"),  # two processes of one artifact may differ by as much
        (0.0, 1.0, "", "ambiguous"),
        (1.0, math.inf, "", "ambiguous"),
        (0.99, 1.02, "a hog", "ambiguous"),
        (1.02, 1.06, "a hog", "ambiguous"),
        (1.04, 1.06, "a hog", "slower"),
        (0.90, 0.96, "a hog", "faster"),
    ],
)
def test_an_interval_says_faster_slower_same_or_why_it_does_not(
    low: float, high: float, doubt: str, outcome: Outcome
) -> None:
    found, because = judge(Estimate(1.0, low, high), 0.03, resolution=0.01, doubt=doubt)
    assert found == outcome
    assert bool(because) == (outcome == "ambiguous")
    assert not doubt or because in ("", doubt)


@pytest.mark.parametrize(
    ("low", "high", "outcome"),
    [
        (1.04, 1.9, "ambiguous"),  # a program on the same core of one may have made it
        (2.1, 3.0, "slower"),
        (0.55, 0.96, "ambiguous"),
        (0.3, 0.4, "faster"),
    ],
)
def test_where_most_rounds_were_disturbed_only_what_no_neighbour_makes_counts(
    low: float, high: float, outcome: Outcome
) -> None:
    found = judge(Estimate(low, low, high), 0.03, resolution=0.01, doubt="a hog", mostly=True)
    assert found == (outcome, "a hog" if outcome == "ambiguous" else "")


@pytest.mark.parametrize(("disturbed", "outcome"), [(14, "slower"), (15, "ambiguous")])
def test_most_rounds_are_half_of_them(disturbed: int, outcome: Outcome) -> None:
    course = Course(disturbed=disturbed, disturbances=("other programs were busy",))
    first, second = many("a", 1.0, course=course), many("b", 1.5, course=course)
    assert ratios([first, second])[0].outcome == outcome
    report = bench_report(first, second)
    (found,) = compare_rounds(report, {"b": "a"}, [parse_gate("p50>+5%")])
    assert (found.outcome, found.regression) == (outcome, outcome == "slower")
    quiet = dataclasses.replace(second, course=Course())
    (apart,) = compare(
        bench_report(dataclasses.replace(first, name="b")), bench_report(quiet), [parse_gate("p50>+5%")]
    )
    assert (apart.outcome, apart.regression) == (outcome, outcome == "slower")


def test_several_processes_have_no_need_of_the_resolution() -> None:
    assert judge(Estimate(1.03, 1.002, 1.06), 0.03, resolution=0.0)[0] == "slower"


OLD = {
    "name": "x", "batch": 1, "streams": 1, "metric": "p50", "then": 1.0, "now": 1.2, "change": 0.2,
    "low": 0.1, "high": 0.3, "outcome": "regression", "confidence": 0.99,
}  # fmt: skip


@pytest.mark.parametrize(
    ("facts", "outcome", "regression"),
    [
        ({}, "slower", True),
        ({"outcome": "improvement", "change": -0.2}, "faster", False),
        ({"outcome": "noise"}, "ambiguous", False),
        ({"outcome": "within the gate"}, "slower", False),
        ({"outcome": "within the gate", "metric": "throughput"}, "faster", False),
    ],
)
def test_comparisons_of_schema_2_are_read_in_the_words_of_today(
    facts: dict[str, object], outcome: Outcome, regression: bool
) -> None:
    found = Comparison.from_dict(OLD | facts)
    assert (found.outcome, found.regression) == (outcome, regression)


def many(name: str, ms: float, **facts: object) -> Measurement:
    """30 rounds of 40 calls around `ms`."""
    rounds = tuple(
        samples([ms * (1 + 0.001 * (round_ % 5) + 0.01 * (call % 5)) for call in range(40)], start_s=round_)
        for round_ in range(30)
    )
    return dataclasses.replace(steady(name), rounds=rounds, **facts)  # type: ignore[arg-type]


def test_ratios_are_to_the_first_of_the_same_workload() -> None:
    found = ratios(
        [many("a", 3.0), many("b", 1.0), many("c", 6.0), many("a", 9.0, batch=8), many("b", 4.5, batch=8)]
    )
    assert [(each.name, each.of, each.batch, str(each)) for each in found] == [
        ("b", "a", 1, "3.00x [3.00, 3.00] faster"),
        ("c", "a", 1, "2.00x [2.00, 2.00] slower"),
        ("b", "a", 8, "2.00x [2.00, 2.00] faster"),
    ]
    assert all(each.verdict == "STABLE" for each in found)
    assert found[0].to_dict()["speed"]["value"] == pytest.approx(3.0, rel=1e-5)  # whole nanoseconds


def test_a_ratio_of_few_rounds_has_no_interval_and_is_not_quoted() -> None:
    (found,) = ratios([steady("a"), steady("b", 0.5)])
    assert (found.outcome, found.verdict) == ("ambiguous", "UNSTABLE")
    assert found.to_dict()["speed"] == {"value": 2.0, "low": None, "high": None, "confidence": 0.99}
    assert str(found) == "2.00x [no interval] ambiguous"


def test_a_ratio_may_be_stable_where_the_times_are_not() -> None:
    def unsteady(name: str, ms: float) -> Measurement:
        rounds = [samples([ms * (1 + 0.02 * round_)] * 9, start_s=round_) for round_ in range(30)]
        return dataclasses.replace(steady(name), rounds=tuple(rounds))

    first, second = unsteady("a", 2.0), unsteady("b", 1.0)
    (found,) = ratios([first, second])
    assert (first.verdict, second.verdict) == ("UNSTABLE", "UNSTABLE")
    assert (found.verdict, found.outcome) == ("STABLE", "faster")


def test_disturbed_rounds_are_the_reason_of_what_they_leave_open() -> None:
    course = Course(disturbed=20, disturbances=("other programs were busy",))
    (found,) = ratios([many("a", 1.0, course=course), many("b", 1.0, course=course)])
    assert (found.outcome, found.verdict) == ("ambiguous", "UNSTABLE")
    assert found.because == "other programs were busy (in 20 of 30 rounds)"
    few = dataclasses.replace(course, disturbed=3)  # a tenth: a median does not feel it
    (found,) = ratios([many("a", 1.0, course=few), many("b", 1.0, course=few)])
    assert (found.outcome, found.verdict) == ("same", "STABLE")
