"""Distances against plain loops, over more rows than one piece holds."""

from __future__ import annotations

import numpy as np
import pytest

from dcgan_edge.errors import UsageError
from dcgan_edge.evaluation.distances import ROWS, distance_blocks, to_neighbour

RANDOM = np.random.default_rng(0)
POINTS = RANDOM.normal(size=(ROWS + 30, 3)).astype(np.float32)
OTHERS = RANDOM.normal(size=(40, 3)).astype(np.float32)


def test_every_distance_is_in_its_block() -> None:
    every = np.linalg.norm(POINTS[:, None].astype(np.float64) - OTHERS[None], axis=2)
    found = dict(distance_blocks(POINTS, OTHERS))
    assert list(found) == [0, ROWS]
    # the difference of squares loses half of the digits
    np.testing.assert_allclose(np.concatenate(list(found.values())), every, atol=1e-7)
    turned = np.concatenate([block for _, block in distance_blocks(OTHERS, POINTS)])
    np.testing.assert_allclose(turned, every.T, atol=1e-7)


@pytest.mark.parametrize("k", [1, 3])
def test_the_kth_neighbour_is_never_itself(k: int) -> None:
    every = np.linalg.norm(POINTS[:, None].astype(np.float64) - POINTS[None], axis=2)
    np.testing.assert_allclose(to_neighbour(POINTS, k), np.sort(every, axis=1)[:, k], atol=1e-7)


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(UsageError, match="3 images are too few"):
        to_neighbour(POINTS[:3], 3)
