"""The protocol of the support vector machine: it learns what is there, and never peeks at the test labels."""

from __future__ import annotations

import importlib.util
import sys
from typing import Any

import numpy as np
import pytest

from dcgan_edge.claims.features import svm
from dcgan_edge.claims.features.svm import STRENGTHS, UNCHOSEN, choose_strength, scaled, svm_accuracy
from dcgan_edge.data.labelled import Labels
from dcgan_edge.errors import UnavailableError
from dcgan_edge.latents import FloatArray

needs_sklearn = pytest.mark.skipif(
    importlib.util.find_spec("sklearn") is None, reason="the extra 'features' is not installed"
)


def clusters(count: int, spread: float, *, seed: int = 0) -> tuple[FloatArray, Labels]:
    """Three classes around three axes of ten dimensions, rows of about length 1."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    points = np.eye(10)[labels] + spread * random.standard_normal((count, 10))
    return points.astype(np.float32), labels


def spied(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Gets the number of labels that each machine is fitted to."""
    seen: list[int] = []
    real = svm._fitted

    def fitted(train: FloatArray, labels: Labels, strength: float, seed: int) -> tuple[Any, bool]:
        seen.append(len(labels))
        return real(train, labels, strength, seed)

    monkeypatch.setattr(svm, "_fitted", fitted)
    return seen


@needs_sklearn
def test_clusters_are_told_apart_and_noise_is_not() -> None:
    train, labels = clusters(120, 0.1)
    test, truth = clusters(300, 0.1, seed=1)
    found = svm_accuracy(train, labels, test, truth)
    assert found.accuracy == 1.0
    assert found.converged
    guessed = svm_accuracy(train, np.random.default_rng(2).permutation(labels), test, truth)
    assert abs(guessed.accuracy - 1 / 3) < 0.25  # three clusters, each of which may go to any class


@needs_sklearn
def test_the_strength_is_chosen_without_the_test_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    train, labels = clusters(90, 0.8)
    test, truth = clusters(50, 0.8, seed=1)
    one = svm_accuracy(train, labels, test, truth)
    other = svm_accuracy(train, labels, test, np.roll(truth, 1))
    assert one.strength == other.strength == choose_strength(train, labels)
    assert one.accuracy != other.accuracy
    seen = spied(monkeypatch)
    choose_strength(train, labels)
    assert set(seen) == {72}  # a fifth held out, five times, of 90
    assert len(seen) == 5 * len(STRENGTHS)


@needs_sklearn
def test_many_labels_are_held_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    train, labels = clusters(3000, 0.5)
    seen = spied(monkeypatch)
    choose_strength(train, labels)
    assert len(seen) == len(STRENGTHS)
    assert all(1590 <= count <= 1600 for count in seen)  # four fifths of 2000, by class


def test_one_label_per_class_leaves_nothing_to_choose_by() -> None:
    train, labels = clusters(3, 0.1)
    assert choose_strength(train, labels) == UNCHOSEN


@needs_sklearn
def test_what_is_chosen_is_what_is_needed() -> None:
    # One in five is of the other class. A weak machine on small features answers the common class always.
    random = np.random.default_rng(0)
    labels = (np.arange(100) % 5 == 0).astype(np.int64)
    train = (0.1 * random.standard_normal((100, 4))).astype(np.float32)
    train[:, 0] += labels
    chosen = [choose_strength(train * np.float32(scale), labels) for scale in (1.0, 0.3, 0.1, 0.03)]
    assert chosen == list(STRENGTHS)


def test_layers_get_an_equal_say() -> None:
    random = np.random.default_rng(0)
    loud = (100 * random.standard_normal((50, 7))).astype(np.float32)
    quiet = (0.01 * random.standard_normal((50, 30))).astype(np.float32)
    joined = scaled([loud, quiet], [loud, quiet])
    assert joined.shape == (50, 37)
    assert np.mean(np.sum(joined[:, :7] ** 2, axis=1)) == pytest.approx(0.5, rel=1e-5)
    assert np.mean(np.sum(joined[:, 7:] ** 2, axis=1)) == pytest.approx(0.5, rel=1e-5)
    other = scaled([2 * loud, quiet], [loud, quiet])  # scaled as the training rows were, not by itself
    assert other[:, :7] == pytest.approx(2 * joined[:, :7], rel=1e-5)
    silent = scaled([np.zeros((3, 2), np.float32)], [np.zeros((3, 2), np.float32)])
    assert not silent.any()


def test_without_scikit_learn_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("sklearn", "sklearn.svm", "sklearn.exceptions"):
        monkeypatch.setitem(sys.modules, module, None)
    train, labels = clusters(3, 0.1)
    with pytest.raises(UnavailableError, match=r"dcgan-edge\[features\]"):
        svm_accuracy(train, labels, train, labels)
