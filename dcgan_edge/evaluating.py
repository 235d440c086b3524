"""Scoring the images of generators against real ones: the one function behind `dcgan-edge eval`."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from dcgan_edge.errors import UsageError
from dcgan_edge.evaluation.evaluate import Evaluation, evaluate_generators
from dcgan_edge.evaluation.extractor import Features, load_extractor
from dcgan_edge.files import StrPath, check_writable
from dcgan_edge.opening import open_generator
from dcgan_edge.runtime.session import Backend

__all__ = ["Evaluation", "evaluate"]


def evaluate(
    inputs: StrPath | Sequence[StrPath],
    data: str = "digits",
    *,
    seeds: Sequence[int] = range(1000),
    features: Features = "digits",
    weights: StrPath | None = None,
    out: StrPath | None = None,
    device: str = "auto",
    backend: Backend = "auto",
    threads: int | None = None,
    progress: Callable[[str], None] = lambda step: None,
) -> Evaluation:
    """Score the images that checkpoints and artifacts make of the same `seeds` against real ones, `data`.

    FID, KID, precision, recall, classes, duplicates and copies are measured, of held-out real images as well,
    and all inputs but the first are compared with it seed by seed. `features` are "digits", "random" for
    images of any kind, or "inception", which needs the file of its `weights`. Into the folder `out`, if one
    is given, go eval.json and pictures; whether it can be written to is checked first. `progress` is told
    each step in words.

    Raises UsageError for a file that is named twice or is not there, for seeds fewer than 50 and options that
    do not apply; UnavailableError for a device or a library that is not here; ArtifactError for files that
    are refused; EdgeError for damaged images and when `out` cannot be written.
    """
    paths = [inputs] if isinstance(inputs, (str, os.PathLike)) else list(inputs)
    openers = {
        str(path): functools.partial(open_generator, path, device=device, backend=backend, threads=threads)
        for path in paths
    }
    if len(openers) < len(paths):
        raise UsageError("A file is named twice.")
    if not openers:
        raise UsageError("There is nothing to score: name checkpoints or artifacts.")
    if out is not None:
        check_writable(Path(out) / "eval.json")
    evaluation = evaluate_generators(
        openers, data, load_extractor(features, weights), seeds, progress=progress
    )
    if out is not None:
        evaluation.save(out)
    return evaluation
