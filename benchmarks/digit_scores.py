"""How good the digits of a generator are, in the figures by which recipes are compared."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from dcgan_edge.artifact import Architecture
from dcgan_edge.data.digits import load_digits
from dcgan_edge.evaluation.classifier import CLASSES, DigitFeatures, load_digit_features
from dcgan_edge.evaluation.frechet import Moments, frechet_distance, moments
from dcgan_edge.evaluation.manifold import precision_recall
from dcgan_edge.images import PixelArray, from_uint8
from dcgan_edge.latents import FloatArray

SAMPLES = 2000  # generated images, of the seeds from 0 on
BATCH = 250
READ = 0.9  # probability from which on an image counts as read
FIGURES = ("fid", "precision", "recall", "read", "fewest", "most")


@dataclass(frozen=True)
class DigitScores:
    """The figures of SAMPLES images against the digits that were held out, by the shipped classifier.

    `read` is the share of images that the classifier gives a probability above READ; `fewest` and `most` are
    the sizes of the smallest and largest class that it finds, of SAMPLES / 10 each on average.
    """

    fid: float
    precision: float
    recall: float
    read: float
    fewest: int
    most: int


def score_generator(generator: nn.Module, architecture: Architecture) -> DigitScores:
    """Return the figures of `generator`, which is in eval mode and makes grey digits of 28 pixels, of all
    classes alike if it knows them.
    """
    drawn = torch.from_numpy(architecture.inputs(range(SAMPLES)))
    with torch.inference_mode():
        images = torch.cat([generator(part) for part in torch.split(drawn, BATCH)])
    pixels = images.add(1.0).mul(127.5).round().clamp(0, 255).to(torch.uint8)
    return score_pixels(pixels.numpy())


def score_pixels(pixels: PixelArray) -> DigitScores:
    """Return the figures of `pixels` uint8 (n, 1, 28, 28)."""
    features, logits = _classifier().both(from_uint8(pixels))
    real, real_moments = _held_out()
    precision, recall = precision_recall(features[: len(real)], real)
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    counts = np.bincount(logits.argmax(axis=1), minlength=CLASSES)
    return DigitScores(
        fid=frechet_distance(moments(features), real_moments),
        precision=precision,
        recall=recall,
        read=float((odds.max(axis=1) / odds.sum(axis=1) > READ).mean()),
        fewest=int(counts.min()),
        most=int(counts.max()),
    )


def real_scores() -> DigitScores:
    """Return the figures of SAMPLES real training images: what no generator need surpass."""
    return score_pixels(load_digits("train")[0][:SAMPLES, None])


@functools.cache
def _classifier() -> DigitFeatures:
    return load_digit_features("torch")


@functools.cache
def _held_out() -> tuple[FloatArray, Moments]:
    features = _classifier().features(from_uint8(load_digits("test")[0][:, None]))
    return features, moments(features)
