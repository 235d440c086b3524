"""All figures of one set of images, against a reference that is measured once for all sets.

Images are 8 bits deep, as they are when they are saved: what no file can show is not judged.
"""

from __future__ import annotations

import dataclasses
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


@dataclass(frozen=True)
class Reference:
    """The real images and what all sets are compared with. `class_shares` is None where the extractor knows
    no classes; `copy` is in grey levels, see `memorisation.copy_threshold`.
    """

    real: RealImages
    extractor: FeatureExtractor
    features: FloatArray
    moments: Moments
    class_shares: npt.NDArray[np.float64] | None
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
        return {**dataclasses.asdict(self), "kid": self.kid.to_dict()}


def make_reference(real: RealImages, extractor: FeatureExtractor) -> Reference:
    """Measure `real` with `extractor`. Raises UsageError when it cannot take these images."""
    features, labels = described(real.train, extractor)
    return Reference(
        real,
        extractor,
        features,
        moments(features),
        None if labels is None else class_shares(labels, CLASSES),
        copy_threshold(training_neighbours(real.held_out, real.train)),
    )


def judge(pixels: PixelArray, reference: Reference) -> Judged:
    """Every figure of `pixels`, uint8 (n, c, h, w) of the shape of the real images.

    FID and KID compare with all training images, precision, recall and near duplicates with as many as n.
    """
    features, labels = described(pixels, reference.extractor)
    as_many = reference.features[: len(pixels)]
    neighbours = training_neighbours(pixels, reference.real.train)
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
    """`one` less `base`, which have the same seeds in the same order."""
    levels = np.abs(one.pixels.astype(np.int16) - base.pixels)
    same_seen = one.labels is not None and base.labels is not None
    return Difference(
        fid=one.scores.fid - base.scores.fid,
        kid=one.scores.kid.minus(base.scores.kid),
        precision=one.scores.precision - base.scores.precision,
        recall=one.scores.recall - base.scores.recall,
        grey_levels=int(levels.max()),
        mean_grey_levels=float(levels.mean()),
        changed_class=float(np.mean(one.labels != base.labels)) if same_seen else None,
    )


def described(pixels: PixelArray, extractor: FeatureExtractor) -> tuple[FloatArray, Labels | None]:
    """Features (n, d) of the images, and the classes seen in them by an extractor that knows classes."""
    features, labels = [], []
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
