"""Several generators on the same seeds against the same real images, and the real-data baseline beside them.

The real-data baseline is what held-out real images get in the place of generated ones: no generator is
expected to do better, and a figure means little without it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dcgan_edge.classes import every_pair
from dcgan_edge.errors import UsageError
from dcgan_edge.evaluation.agreement import ClassAgreement, class_agreement
from dcgan_edge.evaluation.extractor import FeatureExtractor
from dcgan_edge.evaluation.pictures import classes_png, neighbours_png
from dcgan_edge.evaluation.reality import real_images
from dcgan_edge.evaluation.scores import (
    Difference,
    Judged,
    Reference,
    difference,
    judge,
    judge_all,
    make_reference,
)
from dcgan_edge.files import StrPath, write_atomic
from dcgan_edge.images import PixelArray
from dcgan_edge.runtime.sampling import pixels_of
from dcgan_edge.runtime.session import Session

Opener = Callable[[], Session]
FEWEST = 50  # images; below, no figure here says anything
MOST_SEEDS = 200_000
LONGEST_NAME = 40  # characters of an input's name in those of its pictures


@dataclass(frozen=True)
class Evaluation:
    """Generators that were judged on the images of `seeds`, by name in the order given.

    `baseline` is what held-out real images get, `differences` are those of the others to the first. `facts`
    name the file's hash and the session's backend of each generator. `agreements` are of those that were
    asked for classes which the extractor knows.
    """

    seeds: tuple[int, ...]
    reference: Reference
    baseline: Judged
    judged: dict[str, Judged]
    differences: dict[str, Difference]
    facts: dict[str, dict[str, Any]]
    agreements: dict[str, ClassAgreement]

    def class_shares(self) -> dict[str, Sequence[float]]:
        """Return the share of each class in the real images and in each generator's; {} without classes."""
        if self.reference.class_shares is None:
            return {}
        found = {name: judged.scores.classes for name, judged in self.judged.items()}
        return {"real images": self.reference.class_shares.tolist()} | {
            name: classes.shares for name, classes in found.items() if classes
        }

    def save(self, out: StrPath) -> list[Path]:
        """Write eval.json, the nearest training images of each generator, and classes.png where classes are
        known, into the folder `out`; return their paths. Raises EdgeError when one cannot be written.
        """
        contents = {"eval.json": json.dumps({"schema_version": 1, **self.to_dict()}, indent=1).encode()}
        for number, (name, judged) in enumerate(self.judged.items(), start=1):
            picture = neighbours_png(judged.pixels, judged.neighbours)
            contents[f"neighbours-{number}-{Path(name).stem[:LONGEST_NAME]}.png"] = picture
        shares = self.class_shares()
        if shares:
            contents["classes.png"] = classes_png(shares)
        for file, data in contents.items():
            write_atomic(Path(out) / file, data)
        return [Path(out) / file for file in contents]

    def to_dict(self) -> dict[str, Any]:
        """Return every figure as JSON has it."""
        real, shares = self.reference.real, self.reference.class_shares
        return {
            "data": real.source,
            "split": real.split,
            "real_images": len(self.reference.features),
            "copies_searched_in": self.reference.train_images,
            "features": self.reference.extractor.facts,
            "seeds": [self.seeds[0], self.seeds[-1]],
            "n": len(self.seeds),
            "real_class_shares": None if shares is None else shares.tolist(),
            "copy_threshold": self.reference.copy,
            "baseline": self.baseline.scores.to_dict(),
            "inputs": {
                name: {
                    **self.facts[name],
                    "scores": judged.scores.to_dict(),
                    "class_agreement": self.agreements[name].to_dict() if name in self.agreements else None,
                }
                for name, judged in self.judged.items()
            },
            "differences": {name: found.to_dict() for name, found in self.differences.items()},
        }


def evaluate_generators(
    generators: Mapping[str, Opener],
    source: str,
    extractor: FeatureExtractor,
    seeds: Sequence[int],
    *,
    progress: Callable[[str], None] = lambda step: None,
) -> Evaluation:
    """Generate the images of `seeds` with each of `generators`, and score them against the real images of
    `source` (see `real_images`). Each session is closed before the next is opened. A conditional generator
    makes its classes in turn.

    The real-data baseline has as many images as there are seeds, or all that were held out where those are
    fewer.

    Raises UsageError for fewer than FEWEST or more than MOST_SEEDS distinct seeds, too few held-out images,
    generators that do not all make images of one shape, and what `real_images` and opening a generator raise.
    """
    if len(seeds) > MOST_SEEDS:
        raise UsageError(
            f"Quality is measured on at most {MOST_SEEDS:,} images; here are {len(seeds):,} seeds."
        )
    wanted = tuple(sorted(set(seeds)))
    _check_enough(len(wanted), "seeds")
    images: dict[str, PixelArray] = {}
    facts, classes = {}, {}
    for name, opener in generators.items():
        progress(f"generating {len(wanted):,} images with {name}")
        with opener() as session:
            images[name] = generate(session, wanted)
            classes[name] = session.manifest.architecture.classes
            facts[name] = {"sha256": session.manifest.sha256, "session": session.facts.to_dict()}
    channels, size = _shape(images)
    progress("measuring the real images")
    real = real_images(source, size, channels)
    held_out = real.held_out[: len(wanted)]
    _check_enough(len(held_out), "held-out real images")
    reference = make_reference(real, extractor)
    baseline = judge(held_out, reference, reference.held_out.first(len(held_out)))
    judged = {}
    progress("searching for copies of training images")
    for name, found in judge_all(images, reference):
        judged[name] = found
        progress(f"scored {name}")
    first = next(iter(judged))
    differences = {name: difference(judged[name], judged[first]) for name in judged if name != first}
    agreements = {name: _agreement(classes[name], wanted, found) for name, found in judged.items()}
    known = {name: found for name, found in agreements.items() if found is not None}
    return Evaluation(wanted, reference, baseline, judged, differences, facts, known)


def generate(session: Session, seeds: Sequence[int]) -> PixelArray:
    """Return the images of the rising `seeds`, uint8 (n, c, h, w). Raises EdgeError when one holds NaN."""
    pixels: PixelArray | None = None
    pairs = every_pair(session.manifest.architecture, seeds, None)
    for place, (_, image) in enumerate(pixels_of(session, pairs)):
        planes = image.transpose(2, 0, 1)
        if pixels is None:
            pixels = np.empty((len(seeds), *planes.shape), np.uint8)
        pixels[place] = planes
    if pixels is None:
        raise UsageError("There are no seeds to make images of.")
    return pixels


def _agreement(names: Sequence[str], seeds: Sequence[int], judged: Judged) -> ClassAgreement | None:
    asked = np.array([seed % max(1, len(names)) for seed in seeds], np.int64)
    return class_agreement(names, asked, judged.labels)


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
