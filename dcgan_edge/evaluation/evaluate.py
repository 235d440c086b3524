"""Several generators on the same seeds against the same real images, and the real-data baseline beside them.

The real-data baseline is what held-out real images get in the place of generated ones: no generator is
expected to do better, and a figure means little without it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dcgan_edge.errors import UsageError
from dcgan_edge.evaluation.extractor import FeatureExtractor
from dcgan_edge.evaluation.reality import real_images
from dcgan_edge.evaluation.scores import Difference, Judged, Reference, difference, judge, make_reference
from dcgan_edge.images import PixelArray, to_uint8
from dcgan_edge.runtime.sampling import images_of
from dcgan_edge.runtime.session import Session

Opener = Callable[[], Session]
FEWEST = 50  # images; below, no figure here says anything


@dataclass(frozen=True)
class Evaluation:
    """`judged` by name in the order given, the `baseline`, and the `differences` of the others to the first.

    `facts` name the file's hash and the session's backend of each generator.
    """

    seeds: tuple[int, ...]
    reference: Reference
    baseline: Judged
    judged: dict[str, Judged]
    differences: dict[str, Difference]
    facts: dict[str, dict[str, Any]]

    def class_shares(self) -> dict[str, Sequence[float]]:
        """The share of each class in the real images and in those of each generator; {} without classes."""
        if self.reference.class_shares is None:
            return {}
        found = {name: judged.scores.classes for name, judged in self.judged.items()}
        return {"real images": self.reference.class_shares.tolist()} | {
            name: classes.shares for name, classes in found.items() if classes
        }

    def to_dict(self) -> dict[str, Any]:
        real, shares = self.reference.real, self.reference.class_shares
        return {
            "data": real.source,
            "split": real.split,
            "real_images": len(real.train),
            "features": self.reference.extractor.facts,
            "seeds": [self.seeds[0], self.seeds[-1]],
            "n": len(self.seeds),
            "real_class_shares": None if shares is None else shares.tolist(),
            "copy_threshold": self.reference.copy,
            "baseline": self.baseline.scores.to_dict(),
            "inputs": {
                name: {**self.facts[name], "scores": judged.scores.to_dict()}
                for name, judged in self.judged.items()
            },
            "differences": {name: found.to_dict() for name, found in self.differences.items()},
        }


def evaluate(
    generators: Mapping[str, Opener],
    source: str,
    extractor: FeatureExtractor,
    seeds: Sequence[int],
    *,
    progress: Callable[[str], None] = lambda step: None,
) -> Evaluation:
    """Generate the images of `seeds` with each of `generators`, and score them against the real images of
    `source` (see `real_images`). Each session is closed before the next is opened.

    The real-data baseline has as many images as there are seeds, or all that were held out where those are
    fewer.

    Raises UsageError for fewer than FEWEST distinct seeds or held-out images, for generators that do not all
    make images of one shape, and what `real_images` and opening a generator raise.
    """
    wanted = tuple(sorted(set(seeds)))
    _check_enough(len(wanted), "seeds")
    images: dict[str, PixelArray] = {}
    facts = {}
    for name, opener in generators.items():
        progress(f"generating {len(wanted):,} images with {name}")
        with opener() as session:
            images[name] = generate(session, wanted)
            facts[name] = {"sha256": session.manifest.sha256, "session": session.facts.to_dict()}
    channels, size = _shape(images)
    progress("looking at the real images")
    real = real_images(source, size, channels)
    held_out = real.held_out[: len(wanted)]
    _check_enough(len(held_out), "held-out real images")
    reference = make_reference(real, extractor)
    baseline = judge(held_out, reference)
    judged = {}
    for name, pixels in images.items():
        progress(f"scoring {name}")
        judged[name] = judge(pixels, reference)
    first = next(iter(judged))
    differences = {name: difference(judged[name], judged[first]) for name in judged if name != first}
    return Evaluation(wanted, reference, baseline, judged, differences, facts)


def generate(session: Session, seeds: Sequence[int]) -> PixelArray:
    """The images of the rising `seeds`, uint8 (n, c, h, w). Raises EdgeError when one holds NaN."""
    return np.stack([to_uint8(image) for _, image in images_of(session, seeds)])


def _check_enough(count: int, what: str) -> None:
    if count < FEWEST:
        raise UsageError(f"Quality is measured on at least {FEWEST} images; here are {count} {what}.")


def _shape(images: Mapping[str, PixelArray]) -> tuple[int, int]:
    """(channels, size) of the images of all generators."""
    shapes = {name: pixels.shape[1:] for name, pixels in images.items()}
    if len(set(shapes.values())) != 1:
        listed = ", ".join(f"{name} {'x'.join(map(str, shape))}" for name, shape in shapes.items())
        raise UsageError(f"Only images of one shape can be compared: {listed or 'there is no generator'}.")
    channels, size, _ = next(iter(shapes.values()))
    return channels, size
