"""Whether a difference is more than luck."""

from __future__ import annotations

import numpy as np
import pytest

from dcgan_edge.claims.spread import gap, spread
from dcgan_edge.errors import UsageError


def test_mean_and_deviation() -> None:
    found = spread([1.0, 2.0, 6.0])
    assert found.mean == 3.0
    assert found.sd == pytest.approx(float(np.std([1, 2, 6], ddof=1)))
    assert spread([4.0]).sd is None
    with pytest.raises(UsageError):
        spread([])


def test_the_interval_is_welchs() -> None:
    """Two groups of three with the same spread: four degrees of freedom, t = 2.7764451."""
    found = gap(spread([11.0, 12.0, 13.0]), spread([1.0, 2.0, 3.0]))
    assert found is not None
    half = 2.7764451 * np.sqrt(1 / 3 + 1 / 3)
    assert (found.difference, found.low, found.high) == pytest.approx((10.0, 10.0 - half, 10.0 + half))
    assert found.exceeds_spread


def test_unequal_spreads_count_as_fewer_runs() -> None:
    """Nearly all variance is the first group's: two degrees of freedom, t = 4.303."""
    found = gap(spread([8.0, 10.0, 12.0]), spread([7.001, 7.0, 6.999]))
    assert found is not None
    assert found.high - found.difference == pytest.approx(4.303 * np.sqrt(4 / 3), rel=1e-3)
    assert not found.exceeds_spread


def test_single_runs_say_nothing_and_equal_ones_everything() -> None:
    assert gap(spread([1.0]), spread([2.0, 3.0])) is None
    equal = gap(spread([2.0, 2.0]), spread([1.0, 1.0]))
    assert equal is not None
    assert (equal.low, equal.high, equal.exceeds_spread) == (1.0, 1.0, True)
    same = gap(spread([1.0, 1.0]), spread([1.0, 1.0]))
    assert same is not None
    assert not same.exceeds_spread


def test_one_time_in_twenty_luck_looks_like_a_difference() -> None:
    random = np.random.default_rng(0)
    draws = random.normal(size=(2000, 2, 3)).tolist()
    found = [gap(spread(one), spread(other)) for one, other in draws]
    # with three runs each Welch's interval is a little too wide; the standard error is 0.5 %
    assert 0.02 < np.mean([one.exceeds_spread for one in found if one]) < 0.06
