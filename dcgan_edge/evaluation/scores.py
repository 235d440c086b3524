"""All figures of one set of images, against a reference that is measured once for all sets.

Images are 8 bits deep, as they are when they are saved: what no file can show is not judged.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dcgan_edge.evaluation.classifier import CLASSES, DigitFeatures
from dcgan_edge.evaluation.diversity import (
    ClassBalance,
    class_balance,
    class_shares,
    exact_duplicates,
    near_duplicates,
    near_threshold,
)
from dcgan_edge.evaluation.extractor import FeatureExtractor
from dcgan_edge.evaluation.frechet import Moments, frechet_distance, moments
from dcgan_edge.evaluation.kernel import Kid, kid
from dcgan_edge.evaluation.manifold import precision_recall
from dcgan_edge.evaluation.memorisation import Neighbours, copy_threshold, training_neighbours
from dcgan_edge.evaluation.reality import RealImages
from dcgan_edge.evaluation.speckle import speckle
from dcgan_edge.images import PixelArray, from_uint8
from dcgan_edge.latents import FloatArray

Labels = npt.NDArray[np.int64]
CHUNK = 1000  # images that are float32 at a time
MOST = 50_000  # training images whose features are compared with; copies are searched in all


@dataclass(frozen=True)
class Reference:
    """The real images and what all sets are compared with.

    `features` (n, d) and `moments` are of the first MOST of the `train_images` training images.
    `class_shares` is None where the extractor knows no classes. `held_out` are the neighbours of the held-out
    images, `copy` is in grey levels, see `memorisation.copy_threshold`.
    """

    real: RealImages
    extractor: FeatureExtractor
    features: FloatArray
    moments: Moments
    class_shares: npt.NDArray[np.float64] | None
    train_images: int
    held_out: Neighbours
    copy: float


@dataclass(frozen=True)
class Scores:
    """The figures of `n` images. Shares are 0 to 1; `speckle` and `nearest` (the least difference from any
    training image) are in grey levels; `classes` is None where the extractor knows none.
    """

    n: int
    fid: float
    kid: Kid
    precision: float
    recall: float
    classes: ClassBalance | None
    exact_duplicates: float
    near_duplicates: float
    copies: float
    nearest: float
    speckle: float

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as JSON has them; KID without its repeats."""
        return {**dataclasses.asdict(self), "kid": self.kid.to_dict()}


@dataclass(frozen=True)
class Judged:
    """Images with what was found in them. `labels` are the classes the classifier sees."""

    pixels: PixelArray
    labels: Labels | None
    neighbours: Neighbours
    scores: Scores


@dataclass(frozen=True)
class Difference:
    """One set less another of the same seeds: what a change of precision or backend costs.

    `grey_levels` and `mean_grey_levels` are between the two images of a seed, `changed_class` is the share of
    seeds whose images are seen as different classes.
    """

    fid: float
    kid: Kid
    precision: float
    recall: float
    grey_levels: int
    mean_grey_levels: float
    changed_class: float | None

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as JSON has them; KID without its repeats."""
        return {**dataclasses.asdict(self), "kid": self.kid.to_dict()}


def make_reference(real: RealImages, extractor: FeatureExtractor) -> Reference:
    """Measure `real` with `extractor`. Raises UsageError when it cannot take these images."""
    features: list[FloatArray] = []
    labels: list[Labels] = []
    count = 0
    for block in real.train():
        found, classes = described(block[: max(0, MOST - count)], extractor)
        features.append(found)
        labels += [] if classes is None else [classes]
        count += len(block)
    joined = np.concatenate(features)
    (held_out,) = training_neighbours([real.held_out], real.train())
    return Reference(
        real=real,
        extractor=extractor,
        features=joined,
        moments=moments(joined),
        class_shares=class_shares(np.concatenate(labels), CLASSES) if labels else None,
        train_images=count,
        held_out=held_out,
        copy=copy_threshold(held_out),
    )


def judge_all(sets: Mapping[str, PixelArray], reference: Reference) -> Iterator[tuple[str, Judged]]:
    """Yield each of `sets`, uint8 (n, c, h, w) of the shape of the real images, with every figure of it.

    All of them search for copies in one pass over the training images, before the first is yielded.
    """
    found = training_neighbours(list(sets.values()), reference.real.train())
    for (name, pixels), neighbours in zip(sets.items(), found, strict=True):
        yield name, judge(pixels, reference, neighbours)


def judge(pixels: PixelArray, reference: Reference, neighbours: Neighbours | None = None) -> Judged:
    """Measure every figure of `pixels`, uint8 (n, c, h, w) of the shape of the real images.

    FID and KID compare with up to MOST training images, precision, recall and near duplicates with as many as
    n. `neighbours` None: they are searched for in all training images.
    """
    if neighbours is None:
        (neighbours,) = training_neighbours([pixels], reference.real.train())
    features, labels = described(pixels, reference.extractor)
    as_many = reference.features[: len(pixels)]
    precision, recall = precision_recall(features, as_many)
    scores = Scores(
        n=len(pixels),
        fid=frechet_distance(moments(features), reference.moments),
        kid=kid(features, reference.features),
        precision=precision,
        recall=recall,
        classes=_balance(labels, reference),
        exact_duplicates=exact_duplicates(pixels),
        near_duplicates=near_duplicates(features, near_threshold(as_many)),
        copies=neighbours.copies(reference.copy),
        nearest=float(neighbours.grey_levels.min()),
        speckle=speckle(pixels),
    )
    return Judged(pixels, labels, neighbours, scores)


def difference(one: Judged, base: Judged) -> Difference:
    """Return `one` less `base`, which have the same seeds in the same order."""
    largest, total = 0, 0.0
    for start in range(0, len(one.pixels), CHUNK):
        piece = one.pixels[start : start + CHUNK].astype(np.int16)
        levels = np.abs(piece - base.pixels[start : start + CHUNK])
        largest, total = max(largest, int(levels.max())), total + float(levels.sum())
    same_seen = one.labels is not None and base.labels is not None
    return Difference(
        fid=one.scores.fid - base.scores.fid,
        kid=one.scores.kid.minus(base.scores.kid),
        precision=one.scores.precision - base.scores.precision,
        recall=one.scores.recall - base.scores.recall,
        grey_levels=largest,
        mean_grey_levels=total / one.pixels.size,
        changed_class=float(np.mean(one.labels != base.labels)) if same_seen else None,
    )


def described(pixels: PixelArray, extractor: FeatureExtractor) -> tuple[FloatArray, Labels | None]:
    """Return features (n, d) of the images, and the classes seen by an extractor that knows classes."""
    features: list[FloatArray] = [np.empty((0, extractor.dim), np.float32)]
    labels = []
    for start in range(0, len(pixels), CHUNK):
        images = from_uint8(pixels[start : start + CHUNK])
        if isinstance(extractor, DigitFeatures):
            found, logits = extractor.both(images)
            labels.append(logits.argmax(1))
        else:
            found = extractor.features(images)
        features.append(found)
    return np.concatenate(features), np.concatenate(labels) if labels else None


def _balance(labels: Labels | None, reference: Reference) -> ClassBalance | None:
    if labels is None or reference.class_shares is None:
        return None
    return class_balance(labels, reference.class_shares)
