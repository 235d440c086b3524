"""Linear support vector machines on features: the classifier that the DCGAN paper judges features by.

Source: DCGAN, arXiv:1511.06434, section 5 (a regularised linear L2-SVM, its strength chosen by validation).
The labels that choose it are a part of those to train on; the test labels are used once, at the end.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dcgan_edge.data.labelled import Labels, Places
from dcgan_edge.errors import UnavailableError
from dcgan_edge.latents import FloatArray

STRENGTHS = (0.1, 1.0, 10.0, 100.0)  # C, for features whose rows have a mean square length of 1
UNCHOSEN = 1.0  # C where there is one label per class, and nothing to choose it by
FOLDS = 5
MANY = 500  # labels from which one part in FOLDS is held out once, instead of each part in turn
SEARCHED = 2000  # labels that C is chosen on, at most
TOLERANCE = 1e-2  # of the solver; a hundred times finer changes accuracies by less than 0.001


@dataclass(frozen=True)
class SvmResult:
    """Share of test images classified rightly, the C that was chosen, and whether the solver converged."""

    accuracy: float
    strength: float
    converged: bool


def svm_accuracy(
    train: FloatArray, labels: Labels, test: FloatArray, truth: Labels, *, seed: int = 0
) -> SvmResult:
    """Train on `train` (n, d) and its `labels`, with C chosen inside them; count on `test` (m, d).

    Raises UnavailableError without scikit-learn.
    """
    strength = choose_strength(train, labels, seed=seed)
    machine, converged = _fitted(train, labels, strength, seed)
    return SvmResult(float(np.mean(machine.predict(test) == truth)), strength, converged)


def choose_strength(train: FloatArray, labels: Labels, *, seed: int = 0) -> float:
    """Return the C of STRENGTHS that is best on labels held out from `labels`; the smallest at a tie."""
    random = np.random.Generator(np.random.Philox(key=seed))
    if np.unique(labels, return_counts=True)[1].min() < 2:
        return UNCHOSEN
    right = np.zeros(len(STRENGTHS))
    for fitting, held_out in _folds(labels, random):
        for number, strength in enumerate(STRENGTHS):
            machine, _ = _fitted(train[fitting], labels[fitting], strength, seed)
            right[number] += np.sum(machine.predict(train[held_out]) == labels[held_out])
    return STRENGTHS[int(np.argmax(right))]


def scaled(layers: list[FloatArray], like: list[FloatArray]) -> FloatArray:
    """Join `layers`, each (n, d_l), after each was scaled so that the rows of all layers of `like` have the
    same mean square length, and those of the joined features 1. `like` is what is trained on.

    Without it the layer with the largest activations would outvote the others, in an untrained network most.
    """
    lengths = [float(np.sqrt(np.mean(np.sum(part.astype(np.float64) ** 2, axis=1)))) for part in like]
    share = len(layers) ** -0.5
    return np.concatenate(
        [
            part * np.float32(share / length if length else 0.0)
            for part, length in zip(layers, lengths, strict=True)
        ],
        axis=1,
    )


def _folds(labels: Labels, random: np.random.Generator) -> Iterator[tuple[Places, Places]]:
    """(to fit on, held out), each class spread evenly over the folds."""
    rarest = int(np.unique(labels, return_counts=True)[1].min())
    folds = min(FOLDS, rarest)
    order = random.permutation(len(labels))[:SEARCHED]
    fold_of: npt.NDArray[np.int64] = np.empty(len(order), np.int64)
    for which in np.unique(labels[order]):
        places = np.flatnonzero(labels[order] == which)
        fold_of[places] = np.arange(len(places)) % folds
    for fold in range(1 if len(order) >= MANY else folds):
        yield order[fold_of != fold], order[fold_of == fold]


def _fitted(train: FloatArray, labels: Labels, strength: float, seed: int) -> tuple[Any, bool]:
    """The machine, and whether its solver says that it converged."""
    try:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.svm import LinearSVC
    except ImportError as error:
        raise UnavailableError(
            "The support vector machine is scikit-learn's, which is not installed: "
            "pip install 'dcgan-edge[features]'"
        ) from error
    machine = LinearSVC(C=strength, dual=True, tol=TOLERANCE, max_iter=2000, random_state=seed % 2**32)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        machine.fit(train, labels)
    return machine, not any(issubclass(warning.category, ConvergenceWarning) for warning in caught)
