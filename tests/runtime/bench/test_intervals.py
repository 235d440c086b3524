from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from dcgan_edge.runtime.bench.intervals import Estimate, estimate, geometric, student_half_width, units
from dcgan_edge.runtime.bench.statistics import CONFIDENCE

VALUES = st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=60)


@given(VALUES, st.integers(1, 7), st.floats(1e-3, 1e3), st.randoms(use_true_random=False))
def test_an_estimate_lies_in_its_interval_and_scales_with_its_values(
    values: list[float], processes: int, factor: float, random: object
) -> None:
    of = [number % processes for number in range(len(values))]
    found = estimate(values, of)
    assert 0 <= found.low <= found.value * (1 + 1e-9) <= found.high * (1 + 1e-9)  # logarithms are rounded
    scaled = estimate([factor * value for value in values], of)
    assert scaled.value == pytest.approx(factor * found.value)
    assert scaled.bounded == found.bounded
    if found.bounded:
        assert (scaled.low, scaled.high) == pytest.approx((factor * found.low, factor * found.high))


@given(VALUES, st.permutations(range(60)))
def test_the_order_of_rounds_does_not_matter(values: list[float], order: list[int]) -> None:
    shuffled = [values[place] for place in order if place < len(values)]
    assert estimate(shuffled) == estimate(values)


@given(VALUES)
def test_the_inverse_of_a_ratio_is_the_ratio_of_the_other_way_round(values: list[float]) -> None:
    found, back = estimate(values), estimate([1 / value for value in values]).inverse()
    # the median of an even number is the mean of two, and a mean of inverses is no inverse of the mean
    assert min(values) * (1 - 1e-9) <= back.value <= max(values) * (1 + 1e-9)
    if found.bounded:
        assert (back.low, back.high) == pytest.approx((found.low, found.high))


@pytest.mark.parametrize(("count", "bounded"), [(1, False), (7, False), (8, True), (30, True)])
def test_eight_rounds_bound_a_median(count: int, bounded: bool) -> None:
    # 2 * 2**-8 = 0.8 %: the first number of rounds of which all lie on one side with less than 1 %
    assert estimate([1.0 + 0.01 * number for number in range(count)]).bounded is bounded


@pytest.mark.parametrize(("processes", "bounded"), [(2, False), (4, False), (5, True)])
def test_five_processes_bound_what_processes_differ_by(processes: int, bounded: bool) -> None:
    values = [1.0 + 0.01 * (number % processes) for number in range(40)]
    assert estimate(values, [number % processes for number in range(40)]).bounded is bounded


def test_of_several_processes_their_medians_are_the_units() -> None:
    assert units([1.0, 2.0, 3.0, 10.0, 20.0], [0, 0, 0, 1, 1]) == [2.0, 15.0]
    assert units([1.0, 2.0], []) == units([1.0, 2.0], [3, 3]) == [1.0, 2.0]


@pytest.mark.parametrize("count", [5, 8, 32])
def test_the_interval_of_student_agrees_with_scipy(count: int) -> None:
    values = np.random.default_rng(count).normal(0, 1, count)
    low, high = scipy.stats.t.interval(CONFIDENCE, count - 1, values.mean(), scipy.stats.sem(values))
    assert student_half_width(values.tolist()) == pytest.approx((high - low) / 2, rel=0.02)  # as t_quantile


@pytest.mark.parametrize("rounds", [8, 30, 100])
def test_the_interval_holds_the_truth_as_often_as_it_says(rounds: int) -> None:
    generator = np.random.default_rng(rounds)
    runs = 400
    held = sum(
        found.low <= 1.0 <= found.high
        for found in (estimate(generator.lognormal(0, 0.3, rounds).tolist()) for _ in range(runs))
    )
    assert held >= 0.975 * runs  # three standard deviations below 99 % of 400


def test_an_interval_that_no_number_holds_has_no_end() -> None:
    assert geometric(0.0, 1e4) == Estimate(1.0, 0.0, math.inf)


def test_what_is_unbounded_has_no_width() -> None:
    assert Estimate(1.0, 0.0, 2.0).width == Estimate(1.0, 0.5, math.inf).width == math.inf
    assert Estimate(2.0, 1.0, 4.0).width == 1.5
    assert Estimate(2.0, 0.0, math.inf).inverse() == Estimate(0.5, 0.0, math.inf)
