"""Class balance, duplicates and copies on images made for them."""

from __future__ import annotations

import numpy as np
import pytest

from dcgan_edge.errors import UsageError
from dcgan_edge.evaluation.diversity import (
    class_balance,
    exact_duplicates,
    near_duplicates,
    near_threshold,
)
from dcgan_edge.evaluation.memorisation import copy_threshold, training_neighbours
from dcgan_edge.evaluation.speckle import speckle
from dcgan_edge.images import PixelArray

RANDOM = np.random.default_rng(0)
EVEN = np.full(10, 0.1)
NOISE = RANDOM.integers(0, 256, (40, 1, 8, 8)).astype(np.uint8)


def test_balanced_classes() -> None:
    found = class_balance(np.arange(1000) % 10, EVEN)
    assert found.covered == 10
    assert found.chi2 == pytest.approx(0.0)
    assert found.entropy == pytest.approx(np.log2(10))
    assert found.shares == pytest.approx([0.1] * 10)


def test_a_single_class() -> None:
    found = class_balance(np.full(50, 3), EVEN)
    assert (found.covered, found.entropy) == (1, 0.0)
    assert found.chi2 == pytest.approx(9.0)  # 0.9^2 / 0.1 + 9 * 0.1


def test_chance_alone_gives_about_classes_less_one_over_n() -> None:
    draws = [class_balance(RANDOM.integers(0, 10, 500), EVEN).chi2 for _ in range(200)]
    assert np.mean(draws) == pytest.approx(9 / 500, rel=0.15)  # standard error 3.3 %


def test_a_class_that_is_hardly_made_does_not_count() -> None:
    labels = np.concatenate([np.zeros(985, np.int64), np.ones(15, np.int64)])
    assert class_balance(labels, np.full(2, 0.5)).covered == 1


def test_classes_that_real_images_lack_are_counted_apart() -> None:
    labels = np.concatenate([np.zeros(60, np.int64), np.ones(30, np.int64), np.full(10, 2)])
    found = class_balance(labels, np.array([0.5, 0.0, 0.5]))
    assert (found.covered, found.expected) == (2, 2)
    assert found.elsewhere == pytest.approx(0.3)
    assert found.chi2 == pytest.approx(0.1**2 / 0.5 + 0.4**2 / 0.5)
    with pytest.raises(UsageError):
        class_balance(labels, np.zeros(3))


def test_exact_duplicates_are_the_images_beyond_the_first() -> None:
    assert exact_duplicates(NOISE) == 0.0
    assert exact_duplicates(np.concatenate([NOISE[:30], NOISE[:10]])) == pytest.approx(10 / 40)
    assert exact_duplicates(np.repeat(NOISE[:1], 40, axis=0)) == pytest.approx(39 / 40)


def test_near_duplicates_are_nearer_than_real_images_are() -> None:
    real = RANDOM.normal(size=(500, 8))
    threshold = near_threshold(real)
    assert near_duplicates(real, threshold) == pytest.approx(0.01, abs=0.005)  # the quantile itself
    twins = np.concatenate([real[:250], real[:250] + 1e-6])
    assert near_duplicates(twins, threshold) == 1.0


def test_the_nearest_training_image_and_how_far_it_is() -> None:
    """Distances are root mean squares in grey levels."""
    train = RANDOM.integers(20, 230, (50, 1, 8, 8)).astype(np.uint8)
    images = train[[7, 30, 2]] + np.array([0, 5, 20], np.uint8)[:, None, None, None]
    found, other = training_neighbours([images, train[:5]], [train[:10], train[10:40], train[40:]])
    np.testing.assert_array_equal(found.images, train[[7, 30, 2]])
    np.testing.assert_array_equal(other.images, train[:5])
    # the difference of squares of 64 values of 1e4 is exact to about 1e-10, its root to 1e-5
    assert found.grey_levels == pytest.approx([0.0, 5.0, 20.0], abs=1e-4)
    assert found.copies(5.5) == pytest.approx(2 / 3)
    assert copy_threshold(found) == pytest.approx(0.1, abs=0.01)  # 1 % of the way from 0 to 20, two steps


def median_slow(image: PixelArray) -> float:
    differences = []
    for row in range(1, image.shape[0] - 1):
        for column in range(1, image.shape[1] - 1):
            window = image[row - 1 : row + 2, column - 1 : column + 2]
            differences.append(abs(float(np.median(window)) - float(image[row, column])))
    return float(np.mean(differences))


def test_speckle_is_what_a_median_filter_takes_away() -> None:
    assert speckle(NOISE) == pytest.approx(np.mean([median_slow(image[0]) for image in NOISE]))
    lone = np.zeros((1, 1, 5, 5), np.uint8)
    lone[0, 0, 2, 2] = 90
    assert speckle(lone) == pytest.approx(90 / 9)
    edge = np.zeros((1, 1, 8, 8), np.uint8)
    edge[..., 4:] = 255
    assert speckle(edge) == 0.0
