"""What a report is made of: the parts that other steps have measured, any of which may be missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dcgan_edge.artifact import Architecture, Manifest
from dcgan_edge.images import encode_png, to_uint8
from dcgan_edge.latents import FloatArray
from dcgan_edge.report.pareto import ParetoSection
from dcgan_edge.runtime.bench.record import BenchReport
from dcgan_edge.runtime.parity import Parity

AMPLIFICATIONS = tuple(digit * 10**power for power in range(9) for digit in (1, 2, 5))
FULL_RANGE = 2.0  # images span [-1, 1]
FLEET = 3  # runs from which they are a fleet; two are compared


@dataclass(frozen=True)
class WorstSeed:
    """The seed at which an artifact is farthest from PyTorch. The three images are PNG files; `difference`
    is the absolute difference times `amplification`, black where there is none.
    """

    name: str
    seed: int
    reference: bytes
    candidate: bytes
    difference: bytes
    amplification: int


@dataclass(frozen=True)
class ReportContent:
    """What a report shows. Whatever is empty or None has no section.

    `metrics` are the lines of metrics.jsonl: losses, scores, vital signs, `events` and
    `images_per_second` over `images` or `step`.
    `grids` are (label, PNG) of the same latents over time, `samples` is the PNG of the finished generator.
    `artifacts` are (file name, manifest), the checkpoint too. `parity` is by file name. `notes` are what a
    reader has to know first, such as that an engine has not run on hardware. `runs` are benchmarks by name:
    two are compared, the first being the earlier; from three on they are devices of a fleet. `pareto` is what
    a search for the best way to run a generator found.
    """

    title: str
    architecture: Architecture | None = None
    metrics: Sequence[Mapping[str, Any]] = ()
    grids: Sequence[tuple[str, bytes]] = ()
    samples: bytes | None = None
    artifacts: Sequence[tuple[str, Manifest]] = ()
    parity: Mapping[str, Parity] = field(default_factory=dict)
    worst_seeds: Sequence[WorstSeed] = ()
    runs: Mapping[str, BenchReport] = field(default_factory=dict)
    commands: Sequence[str] = ()
    notes: Sequence[str] = ()
    pareto: ParetoSection | None = None


def worst_seed(name: str, seed: int, reference: FloatArray, candidate: FloatArray) -> WorstSeed:
    """Show two images (c, h, w) in [-1, 1] of one seed, and their difference, amplified as far as it fits."""
    difference = np.abs(candidate.astype(np.float64) - reference)
    largest = float(difference.max())
    amplification = max((n for n in AMPLIFICATIONS if n * largest <= FULL_RANGE), default=1) if largest else 1
    shown = (difference * amplification - 1.0).astype(np.float32)  # 0 is black, FULL_RANGE is white
    reference_png, candidate_png, difference_png = (
        encode_png(to_uint8(image)) for image in (reference, candidate, shown)
    )
    return WorstSeed(name, seed, reference_png, candidate_png, difference_png, amplification)
