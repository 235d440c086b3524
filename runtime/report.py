"""The report: everything a run has shown, as one HTML file that needs nothing else, no network and no script.

The last step of the dataflow: it takes what the other steps measured, computes nothing of its own but
ratios, and leaves out the section of whatever it was not given.
"""

from __future__ import annotations

import importlib
import importlib.resources
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from dcgan_edge import __version__
from dcgan_edge.artifact import Architecture, Manifest
from dcgan_edge.atomic import write_atomic
from dcgan_edge.errors import UnavailableError
from dcgan_edge.images import encode_png, to_uint8
from dcgan_edge.latents import FloatArray
from dcgan_edge.runtime.parity import Parity
from dcgan_edge.runtime.record import BenchReport
from dcgan_edge.runtime.report_bench import bench_charts, bench_rows, intervals, sessions
from dcgan_edge.runtime.report_parts import (
    FILTERS,
    Picture,
    headline,
    picture,
    thinned,
    training_charts,
)
from dcgan_edge.runtime.statistics import ENOUGH_FOR_P99

TEMPLATE = "report.html.jinja"
AMPLIFICATIONS = tuple(digit * 10**power for power in range(9) for digit in (1, 2, 5))
FULL_RANGE = 2.0  # images span [-1, 1]
IMAGE_BUDGET = 1_300_000  # bytes of PNG, which base64 makes a third longer: the page stays below 2 MB
HERO, GRID, WORST = 440, 260, 170  # CSS pixels: width of the samples, of a grid over time, of a worst seed


@dataclass(frozen=True)
class WorstSeed:
    """The seed at which an artefact is farthest from PyTorch. The three images are PNG files; `difference`
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

    `metrics` are the lines of metrics.jsonl: losses, scores and `images_per_second` over `images` or `step`.
    `grids` are (label, PNG) of the same latents over time, `samples` is the PNG of the finished generator.
    `artifacts` are (file name, manifest), the checkpoint too. `parity` is by file name. `notes` are what a
    reader has to know first, such as that an engine has not run on hardware.
    """

    title: str
    architecture: Architecture | None = None
    metrics: Sequence[Mapping[str, Any]] = ()
    grids: Sequence[tuple[str, bytes]] = ()
    samples: bytes | None = None
    artifacts: Sequence[tuple[str, Manifest]] = ()
    parity: Mapping[str, Parity] = field(default_factory=dict)
    worst_seeds: Sequence[WorstSeed] = ()
    bench: BenchReport | None = None
    machine: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    commands: Sequence[str] = ()
    notes: Sequence[str] = ()


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


def write_report(content: ReportContent, path: Path) -> None:
    """Write `render(content)` to `path`, whole or not at all; errors as `render` and `write_atomic`."""
    write_atomic(path, render(content).encode())


def render(content: ReportContent) -> str:
    """The HTML page. Equal content gives equal text.

    Raises UnavailableError when jinja2 or matplotlib is not installed, EdgeError when an image is not a PNG.
    """
    for library in ("jinja2", "matplotlib"):
        _demand(library)
    import jinja2

    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= FILTERS
    page = importlib.resources.files("dcgan_edge.runtime").joinpath(TEMPLATE).read_text(encoding="utf-8")
    return environment.from_string(page).render(_context(content))


def _context(content: ReportContent) -> dict[str, Any]:
    """The names that the template uses."""
    bench = content.bench
    shown = [content.samples or b""]
    for worst in content.worst_seeds:
        shown += [worst.reference, worst.candidate, worst.difference]
    grids = thinned(content.grids, IMAGE_BUDGET - sum(map(len, shown)))
    return {
        "content": content,
        "version": __version__,
        "enough": ENOUGH_FOR_P99,
        "headline": headline(content.artifacts, content.parity, bench),
        "samples": picture(content.samples, HERO) if content.samples else None,
        "training": training_charts(content.metrics),
        "grids": [(label, picture(png, GRID)) for label, png in grids],
        "parents": {manifest.sha256: name for name, manifest in content.artifacts},
        "worst": [_pictures(worst) for worst in content.worst_seeds],
        "bench_rows": bench_rows(bench) if bench else [],
        "intervals": intervals(bench) if bench else [],
        "sessions": sessions(bench) if bench else [],
        "bench_charts": bench_charts(bench) if bench else [],
        "machine": content.machine or (bench.machine if bench else {}),
        "versions": content.versions or (bench.versions if bench else {}),
    }


def _pictures(worst: WorstSeed) -> tuple[WorstSeed, list[tuple[str, Picture]]]:
    """The three images of a worst seed with their captions, each from black to white as it is."""
    difference = f"difference \N{MULTIPLICATION SIGN}{worst.amplification:,}"
    images = (("PyTorch", worst.reference), ("artefact", worst.candidate), (difference, worst.difference))
    return worst, [(caption, picture(png, WORST)) for caption, png in images]


def _demand(library: str) -> None:
    try:
        importlib.import_module(library)
    except ImportError as error:
        raise UnavailableError(
            f"The report is made with {library}, which is not installed: pip install 'dcgan-edge[report]'."
        ) from error
