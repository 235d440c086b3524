"""Are the images of a coarser file still of the same distribution? What a PSNR of single images cannot say.

A quantised generator may be close to the original seed by seed and still lose contrast, colours or whole
kinds of images a little everywhere. So KID is measured between its images and the original's of other seeds,
against the KID of two sets that the original made itself: the change of seeds sets the scale. Digits are read
as well, and must stay the digits they were.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from dcgan_edge.artifact import Architecture
from dcgan_edge.evaluation.classifier import FRAME, SIZE, DigitFeatures, load_digit_features
from dcgan_edge.evaluation.extractor import FeatureExtractor
from dcgan_edge.evaluation.kernel import Kid, kid
from dcgan_edge.images import from_uint8, to_uint8
from dcgan_edge.latents import FloatArray
from dcgan_edge.runtime.session import Session

from .onnx.random_network import OnnxRandomFeatures

IMAGES = 1000  # of each set, fewer of large ones
LEAST_IMAGES = 64
MOST_VALUES = 2**24  # of the images of a set
FIRST_SEEDS = (100_000, 200_000)  # of the set that both make, and of the original's other one
CHUNK = 250  # images that are held as floats
SURE = 0.9  # probability from which a digit counts as read
MOST_CHANGED = 0.01  # of the digits that were read; none of 160 changed where INT8 passed at 39 dB
ALWAYS_ALLOWED = 2  # digits, where few were read


@dataclass(frozen=True)
class Distribution:
    """How the images of a candidate are distributed, beside those of its reference.

    `kid` is the change of KID against other images of the reference, with its paired interval, and
    `seeds_kid` that of two sets of the reference. `changed_class` is the share of images that the digit
    classifier takes for another digit than before, and `changed_sure` how many that is of the `sure` ones,
    which it had read with confidence; None where the images cannot be digits.
    """

    images: int
    features: str
    kid: Kid
    seeds_kid: Kid
    changed_class: float | None
    changed_sure: int | None
    sure: int | None

    @property
    def missed(self) -> tuple[str, ...]:
        """Return the gates that were missed, in words; none when the distribution is the same."""
        missed = []
        allowed = self.seeds_kid.high - self.seeds_kid.value
        if not self.kid.value <= allowed:
            missed.append(
                f"KID rises by {self.kid.value:.2g}, and other seeds alone account for {allowed:.2g} at most"
            )
        if self.changed_sure is not None and self.sure is not None:
            most = max(ALWAYS_ALLOWED, int(MOST_CHANGED * self.sure))
            if self.changed_sure > most:
                missed.append(
                    f"{self.changed_sure} of {self.sure} digits are read as others, {most} are allowed"
                )
        return tuple(missed)

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as JSON has them."""
        return {
            "images": self.images,
            "features": self.features,
            "kid": self.kid.to_dict(),
            "seeds_kid": self.seeds_kid.to_dict(),
            "changed_class": self.changed_class,
            "changed_sure": self.changed_sure,
            "sure": self.sure,
        }


class ReferenceImages:
    """What is kept of the reference's images: their features, and what they were read as."""

    def __init__(self, reference: Session) -> None:
        """Run `reference` on two sets of seeds."""
        architecture = reference.manifest.architecture
        self.extractor = _extractor(architecture)
        values = architecture.channels * architecture.size**2
        self._count = int(np.clip(MOST_VALUES // values, LEAST_IMAGES, IMAGES))
        self._features, self._logits = self._described(reference, FIRST_SEEDS[0])
        self._others, _ = self._described(reference, FIRST_SEEDS[1])
        self._kid = kid(self._features, self._others)

    def compare(self, candidate: Session) -> Distribution:
        """Return how the images of `candidate`, a generator of the same shape, are distributed."""
        features, logits = self._described(candidate, FIRST_SEEDS[0])
        changed_class = changed_sure = sure = None
        if logits is not None and self._logits is not None:
            changed = logits.argmax(1) != self._logits.argmax(1)
            read = _probabilities(self._logits).max(1) >= SURE
            changed_class, changed_sure, sure = changed.mean(), (changed & read).sum(), read.sum()
        return Distribution(
            images=self._count,
            features=str(self.extractor.facts["name"]),
            kid=kid(features, self._others).minus(self._kid),
            seeds_kid=self._kid,
            changed_class=None if changed_class is None else float(changed_class),
            changed_sure=None if changed_sure is None else int(changed_sure),
            sure=None if sure is None else int(sure),
        )

    def _described(self, session: Session, first: int) -> tuple[FloatArray, FloatArray | None]:
        """Features (n, d), and the logits (n, 10) of digits, of the images in 8 bits, as a file has them."""
        features, logits = [], []
        for start in range(first, first + self._count, CHUNK):
            seeds = range(start, min(start + CHUNK, first + self._count))
            images = from_uint8(to_uint8(session.run(session.manifest.architecture.inputs(seeds))))
            if isinstance(self.extractor, DigitFeatures):
                found, read = self.extractor.both(images)
                logits.append(read)
            else:
                found = self.extractor.features(images)
            features.append(found)
        return np.concatenate(features), np.concatenate(logits) if logits else None


def _extractor(architecture: Architecture) -> FeatureExtractor:
    """The digit classifier for what may be digits, random features for all else."""
    digits = architecture.channels == 1 and architecture.size in (SIZE, SIZE + 2 * FRAME)
    return load_digit_features("onnxruntime") if digits else OnnxRandomFeatures()


def _probabilities(logits: FloatArray) -> FloatArray:
    powers = np.exp(logits - logits.max(1, keepdims=True))
    shares: FloatArray = powers / powers.sum(1, keepdims=True)
    return shares
