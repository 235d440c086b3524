"""Precision and recall on sets whose answer is plain."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcgan_edge.evaluation.manifold import precision_recall

Doubles = npt.NDArray[np.float64]
LINE = np.arange(10.0)[:, None]  # the third neighbour is 2 away, 3 at the ends


def test_a_set_has_all_of_itself() -> None:
    assert precision_recall(LINE, LINE) == (1.0, 1.0)


def test_far_away_is_neither_precise_nor_complete() -> None:
    assert precision_recall(LINE + 1000, LINE) == (0.0, 0.0)


def test_half_of_the_distribution_is_precise_and_not_complete() -> None:
    """0 to 4 with reach 2 or 3: all of it real, and of 0..9 only 0..6 or 7 is reached."""
    precision, recall = precision_recall(np.arange(5.0)[:, None], LINE)
    assert precision == 1.0
    assert recall == 0.8  # 4 reaches 3 further (its neighbours are 3, 2, 1), to 7


def test_one_image_made_often_has_no_recall() -> None:
    precision, recall = precision_recall(np.full((10, 1), 4.5), LINE)
    assert precision == 1.0
    assert recall == 0.0


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**32), k=st.integers(1, 4))
def test_it_is_what_the_paper_writes(seed: int, k: int) -> None:
    random = np.random.default_rng(seed)
    made, real = random.normal(size=(12, 2)), random.normal(size=(9, 2)) + 0.7

    def inside(points: Doubles, centres: Doubles) -> float:
        hits = 0
        for point in points:
            for centre in centres:
                radius = sorted(np.linalg.norm(centres - centre, axis=1))[k]
                if np.linalg.norm(point - centre) <= radius:
                    hits += 1
                    break
        return hits / len(points)

    assert precision_recall(made, real, k=k) == pytest.approx((inside(made, real), inside(real, made)))
