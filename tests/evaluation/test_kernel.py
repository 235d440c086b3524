"""KID against the double sum it stands for, its unbiasedness, and its interval."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
import pytest

from dcgan_edge.errors import UsageError
from dcgan_edge.evaluation.frechet import fid
from dcgan_edge.evaluation.kernel import Kid, kid

Doubles = npt.NDArray[np.float64]


def slow_kid(one: Doubles, other: Doubles) -> float:
    """Gretton et al. 2012, equation 3, term by term."""

    def k(x: Doubles, y: Doubles) -> float:
        return float((x @ y / len(x) + 1.0) ** 3)

    def within(points: Doubles) -> float:
        return float(np.mean([k(x, y) for x, y in itertools.permutations(points, 2)]))

    return within(one) + within(other) - 2 * float(np.mean([k(x, y) for x in one for y in other]))


def test_it_is_the_double_sum() -> None:
    random = np.random.default_rng(0)
    one, other = random.normal(size=(12, 5)), random.normal(size=(17, 5)) + 0.5
    assert kid(one, other).value == pytest.approx(slow_kid(one, other), rel=1e-10)  # sums in another order


def test_subsets_use_every_image_and_average() -> None:
    """40 against 20 in subsets of 20: both halves against all, whichever halves chance makes."""
    one = np.repeat([[1.0], [3.0]], [20, 20], axis=0)
    other = np.full((20, 1), 2.0)
    found = [kid(one, other, subset=size).value for size in (20, 40)]
    assert found[0] == pytest.approx(found[1], rel=0.2)  # pairs across the halves are left out
    # a subset of one kind would give another value; all 40 are used, so the mean of both halves is seen
    assert kid(other, other, subset=20).value == pytest.approx(0.0, abs=1e-12)


def test_two_points_have_a_closed_form() -> None:
    """All images alike on either side: k(a, a) + k(b, b) - 2 k(a, b)."""
    a, b = np.array([1.0, 2.0]), np.array([0.0, -1.0])
    expected = (5 / 2 + 1) ** 3 + (1 / 2 + 1) ** 3 - 2 * (-2 / 2 + 1) ** 3
    found = kid(np.tile(a, (9, 1)), np.tile(b, (7, 1)))
    assert found.value == pytest.approx(expected, rel=1e-12)
    assert (found.low, found.high) == pytest.approx((expected, expected))  # nothing varies


def test_equal_laws_are_at_0_on_average_where_fid_is_not() -> None:
    random = np.random.default_rng(0)
    draws = [random.normal(size=(2, 30, 4)) for _ in range(300)]
    values = np.array([kid(one, other, resamples=2).value for one, other in draws])
    error = values.std() / np.sqrt(len(values))
    assert abs(values.mean()) < 4 * error  # 4 standard errors: once in 16,000 seeds; this one is fixed
    assert (values < 0).mean() > 0.3
    assert min(fid(one, other) for one, other in draws) > 0.1


def test_the_interval_holds_the_truth() -> None:
    """The distribution: N(0, 1) against N(1, 1) in one dimension, whose MMD^2 follows from the moments."""
    random = np.random.default_rng(0)
    # k = 1 + 3xy + 3x^2 y^2 + x^3 y^3: the sum of weighted squared differences of E x, E x^2, E x^3,
    # which are 0, 1, 0 against 1, 2, 4.
    truth = 3 * 1**2 + 3 * 1**2 + 4**2
    found = [
        kid(random.normal(size=(150, 1)), random.normal(size=(150, 1)) + 1.0, resamples=60) for _ in range(80)
    ]
    held = np.mean([one.low <= truth <= one.high for one in found])
    assert 0.85 <= held < 1.0  # 95 % is meant; 80 draws of it have a standard deviation of 2.4 %
    assert np.mean([one.value for one in found]) == pytest.approx(truth, rel=0.1)  # 2.5 % standard error


def test_a_difference_on_the_same_seeds_is_known_better_than_either() -> None:
    random = np.random.default_rng(0)
    real, made = random.normal(size=(400, 8)), random.normal(size=(300, 8)) + 0.5
    rounded = made + random.normal(0, 1e-3, made.shape)
    base, other = kid(made, real), kid(rounded, real)
    paired = other.minus(base)
    assert paired.value == other.value - base.value
    assert paired.high - paired.low < 0.02 * (base.high - base.low)
    assert paired.low <= 0.0 <= paired.high


def test_the_same_call_gives_the_same_interval() -> None:
    random = np.random.default_rng(0)
    sets = random.normal(size=(2, 100, 4))

    def interval() -> Kid:
        return kid(sets[0], sets[1])

    assert interval().to_dict() == interval().to_dict()
    np.testing.assert_array_equal(interval().repeats, interval().repeats)


def test_a_single_image_is_refused() -> None:
    with pytest.raises(UsageError, match="at least two images"):
        kid(np.zeros((1, 2)), np.zeros((5, 2)))
