"""How well the discriminator's features classify images, with many labels and with few.

Source: DCGAN, arXiv:1511.06434, section 5: all convolution layers, max-pooled to 4 x 4, flattened and joined,
under a linear SVM. Beside it stand the same machine on raw pixels and on the features of an untrained
discriminator, and a network of the same shape that is trained on the labels alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from dcgan_edge.artifact import Architecture
from dcgan_edge.claims.features.supervised import supervised_accuracy
from dcgan_edge.claims.features.svm import SvmResult, scaled, svm_accuracy
from dcgan_edge.data.labelled import Labelled, Labels, Places, draw_labels, load_labelled
from dcgan_edge.errors import UsageError
from dcgan_edge.extras import need
from dcgan_edge.files import StrPath, check_writable, write_atomic
from dcgan_edge.images import from_uint8
from dcgan_edge.latents import FloatArray
from dcgan_edge.models import AS_IN_THE_PAPER, build_discriminator
from dcgan_edge.models.discriminator import without_spectral_norm
from dcgan_edge.recipes import DiscriminatorDesign
from dcgan_edge.training.activations import pooled_features
from dcgan_edge.training.checkpoint import load_discriminator

TRAINED, RAW, UNTRAINED, SUPERVISED = "trained", "pixels", "untrained", "supervised"
METHODS = (TRAINED, RAW, UNTRAINED, SUPERVISED)
MOST_RUNS = 100
Say = Callable[[str], None]


@dataclass(frozen=True)
class Cell:
    """The test accuracies of one method with one number of labels, an entry for each draw of them."""

    method: str
    labels: int
    accuracies: tuple[float, ...]
    strengths: tuple[float, ...] = ()
    converged: bool = True

    @property
    def mean(self) -> float:
        """Return the mean accuracy over the draws, 0 to 1."""
        return float(np.mean(self.accuracies))

    @property
    def spread(self) -> float | None:
        """Return the standard deviation between draws (n - 1), None for a single one."""
        return float(np.std(self.accuracies, ddof=1)) if len(self.accuracies) > 1 else None

    def to_dict(self) -> dict[str, Any]:
        """Return the accuracies, their mean and their spread as JSON has them."""
        return {
            "method": self.method,
            "labels": self.labels,
            "accuracy": self.mean,
            "spread": self.spread,
            "accuracies": list(self.accuracies),
            "c": list(self.strengths),
            "converged": self.converged,
        }


@dataclass(frozen=True)
class FeatureAccuracies:
    """The accuracies of every method with every number of labels, and the `facts` of what was measured."""

    cells: tuple[Cell, ...]
    facts: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return the facts and all accuracies as JSON has them."""
        return {**self.facts, "results": [cell.to_dict() for cell in self.cells]}


def classify_features(
    checkpoint: StrPath,
    data: str = "digits",
    *,
    labels: Sequence[int | Literal["all"]] = (100, 1000, "all"),
    runs: int = 3,
    methods: Sequence[str] = METHODS,
    output: StrPath | None = None,
    progress: Say = lambda _: None,
) -> FeatureAccuracies:
    """Measure how well the features of the discriminator of `checkpoint` classify the test images of `data`.

    A linear support vector machine is trained with each number of `labels`, as many of each class as of any
    other, on `runs` draws of them; beside it stand `methods` that it can lose against: "pixels", "untrained"
    and "supervised". `output` is a file for the document. `progress` is told each step in words.

    Raises UsageError for data without a test split or labels and for numbers of labels that cannot be,
    UnavailableError without scikit-learn, ArtifactError for a checkpoint that is refused, and EdgeError when
    `output` cannot be written.
    """
    if not 1 <= runs <= MOST_RUNS:
        raise UsageError(f"Labels are drawn 1 to {MOST_RUNS} times, not {runs}.")
    unknown = [method for method in methods if method not in METHODS]
    if unknown:
        raise UsageError(f"There is no method {unknown[0]!r}; there are {', '.join(METHODS)}.")
    if set(methods) != {SUPERVISED}:
        need("sklearn", "features")
    if output is not None:
        check_writable(Path(output))
    discriminator, config = load_discriminator(Path(checkpoint))
    architecture = config.architecture
    progress("reading images")
    train = load_labelled(data, "train", architecture.size, architecture.channels)
    test = load_labelled(data, "test", architecture.size, architecture.channels)
    counts = [None if count == "all" or count == len(train.labels) else count for count in labels]
    cells = classify(
        discriminator,
        architecture,
        train,
        test,
        design=config.discriminator,
        counts=list(dict.fromkeys(counts)),
        draws=runs,
        methods=tuple(dict.fromkeys(methods)),
        say=progress,
    )
    facts = {
        "checkpoint": str(checkpoint),
        "data": data,
        "training_images": len(train.labels),
        "test_images": len(test.labels),
        "runs": runs,
    }
    found = FeatureAccuracies(tuple(cells), facts)
    if output is not None:
        document = json.dumps({"schema_version": 1, **found.to_dict()}, indent=2)
        write_atomic(Path(output), f"{document}\n".encode())
    return found


def classify(
    discriminator: nn.Module,
    architecture: Architecture,
    train: Labelled,
    test: Labelled,
    *,
    counts: Sequence[int | None],
    draws: int,
    methods: Sequence[str] = METHODS,
    design: DiscriminatorDesign = AS_IN_THE_PAPER,
    say: Say = lambda _: None,
) -> list[Cell]:
    """Measure `methods` with each of `counts` labels (None: all of them), over `draws` draws of them.

    A draw also has its own untrained weights, and its own weights and order of the supervised network. Where
    all labels are used there is nothing to draw for the other two methods, and they run once. `design` is
    that of `discriminator` and of the untrained one; the supervised network is the preset's own.

    Raises as `draw_labels` does.
    """
    places = {
        count: [draw_labels(train.labels, count, seed=seed) for seed in range(draws)] for count in counts
    }
    cells: dict[tuple[str, int | None], list[SvmResult]] = {
        (method, count): [] for method in methods for count in counts
    }

    def judge(method: str, layers: tuple[list[FloatArray], list[FloatArray]], seeds: Sequence[int]) -> None:
        for count in counts:
            for seed in seeds if count is not None or method == UNTRAINED else seeds[:1]:
                say(f"support vector machine, {method}, {_words(count)} labels, draw {seed + 1}")
                drawn = places[count][seed]
                cells[method, count].append(_judged(layers, drawn, train.labels, test.labels, seed))

    every = range(draws)
    if TRAINED in methods:
        say("reading the discriminator's features")
        judge(TRAINED, _features(discriminator, train, test), every)
    if RAW in methods:
        judge(RAW, (_raw(train), _raw(test)), every)
    for seed in every:
        if UNTRAINED in methods:
            judge(UNTRAINED, _features(untrained(architecture, seed, design), train, test), [seed])
        for count in counts if SUPERVISED in methods else ():
            say(f"supervised network, {_words(count)} labels, draw {seed + 1}")
            drawn = places[count][seed]
            part = Labelled(train.pixels[drawn], train.labels[drawn])
            accuracy = supervised_accuracy(architecture, part, test, seed=seed)
            cells[SUPERVISED, count].append(SvmResult(accuracy, 0.0, True))
    return [_cell(method, count or len(train.labels), results) for (method, count), results in cells.items()]


def untrained(
    architecture: Architecture, seed: int, design: DiscriminatorDesign = AS_IN_THE_PAPER
) -> nn.Module:
    """Return a fresh discriminator of `seed`, in eval mode; torch's own generator is left alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = build_discriminator(architecture, design).requires_grad_(False).eval()
    return without_spectral_norm(network)


def _features(
    discriminator: nn.Module, train: Labelled, test: Labelled
) -> tuple[list[FloatArray], list[FloatArray]]:
    return pooled_features(discriminator, train.pixels), pooled_features(discriminator, test.pixels)


def _raw(images: Labelled) -> list[FloatArray]:
    return [from_uint8(images.pixels).reshape(len(images.pixels), -1)]


def _judged(
    layers: tuple[list[FloatArray], list[FloatArray]], drawn: Places, labels: Labels, truth: Labels, seed: int
) -> SvmResult:
    like = [part[drawn] for part in layers[0]]
    return svm_accuracy(scaled(like, like), labels[drawn], scaled(layers[1], like), truth, seed=seed)


def _cell(method: str, labels: int, results: list[SvmResult]) -> Cell:
    strengths = tuple(result.strength for result in results) if method != SUPERVISED else ()
    converged = all(result.converged for result in results)
    return Cell(method, labels, tuple(result.accuracy for result in results), strengths, converged)


def _words(count: int | None) -> str:
    return "all" if count is None else str(count)
