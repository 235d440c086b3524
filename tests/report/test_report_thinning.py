from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dcgan_edge.report.thinning import ENDS, LEVELS, cumulative, picked_ranks, stretches

BINS = 200


@settings(max_examples=40)
@given(hnp.arrays(np.float64, st.integers(1, 3000), elements=st.floats(1e-3, 1e6)))
def test_a_distribution_keeps_its_ends_and_is_never_a_pixel_off(samples: np.ndarray) -> None:
    ordered = np.sort(samples)
    x, percent = cumulative(ordered)
    assert (x[0], percent[0]) == (ordered[0], 0)
    assert (x[-1], percent[-1]) == (ordered[-1], 100)
    assert set(ordered[:ENDS]) | set(ordered[-ENDS:]) <= set(x)
    # Between two drawn steps lie at most this many samples, so that is how far the curve can be off.
    assert np.diff(percent).max() <= 100 * max(1, np.ceil(len(ordered) / (LEVELS - 1))) / len(ordered) + 1e-9
    for value, share in zip(x[1:], percent[1:], strict=True):
        assert share / 100 <= np.count_nonzero(ordered <= value) / len(ordered) + 1e-12


@settings(max_examples=40)
@given(hnp.arrays(np.float64, st.integers(1, 2000), elements=st.floats(-1e3, 1e3)))
def test_stretches_lose_no_extreme(y: np.ndarray) -> None:
    thin = stretches(np.arange(len(y), dtype=float), y, BINS)
    assert len(thin.position) == min(BINS, len(y))
    assert (thin.low.min(), thin.high.max()) == (y.min(), y.max())
    assert np.all((thin.low <= thin.middle) & (thin.middle <= thin.high))
    assert np.all(np.diff(thin.position) > 0)


def test_a_short_curve_is_drawn_point_by_point() -> None:
    y = np.array([3.0, 1.0, 2.0])
    thin = stretches(np.array([1.0, 2.0, 3.0]), y, BINS)
    for values in (thin.low, thin.middle, thin.high):
        assert values.tolist() == y.tolist()
    assert thin.position.tolist() == [1, 2, 3]


@settings(max_examples=40)
@given(st.integers(1, 5000), st.integers(1, 300), st.integers(0, 50))
def test_picked_ranks_hold_both_ends_whole(count: int, levels: int, ends: int) -> None:
    ranks = picked_ranks(count, levels, ends)
    assert len(ranks) <= min(count, levels + 2 * ends)
    assert ranks.tolist() == sorted(set(ranks.tolist()))
    kept = {*range(min(ends, count)), *range(count - min(ends, count), count), 0}
    assert kept <= set(ranks.tolist()) <= set(range(count))
