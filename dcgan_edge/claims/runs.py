"""The trainings that a comparison of presets stands on: each in a folder of its own, begun once, kept."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from dcgan_edge.errors import UsageError
from dcgan_edge.training import CHECKPOINT_NAME, TrainConfig, TrainProgress, read_header, run_training
from dcgan_edge.training.header import Header

Bar = AbstractContextManager[Callable[[TrainProgress], None]]


@dataclass(frozen=True)
class TrainedRun:
    """One finished training. `images` were seen, `seconds` spent; `name` is that of its scores."""

    preset: str
    seed: int
    checkpoint: Path
    images: int
    seconds: float

    @property
    def name(self) -> str:
        """Return what the run is called: its folder below that of the comparison."""
        return f"{self.preset}/seed{self.seed}"


def no_bar() -> Bar:
    """Return a context that shows no progress."""
    return contextlib.nullcontext(lambda progress: None)


def trained_run(config: TrainConfig, folder: Path, bar: Callable[[], Bar]) -> TrainedRun:
    """Return the run of `config` in `folder`, after it was begun, resumed or found to be there.

    `bar` is opened for the training and closed after it; what it yields is told the progress.
    """
    checkpoint = folder / CHECKPOINT_NAME
    begun = checkpoint.is_file()
    if not begun or not _is_finished(read_header(checkpoint), config):
        with bar() as report:
            run_training(config, folder, resume=begun, progress=report)
    header = read_header(checkpoint)
    images = header.step * header.config.batch
    return TrainedRun(config.architecture.preset, config.seed, checkpoint, images, header.elapsed_seconds)


def _is_finished(saved: Header, config: TrainConfig) -> bool:
    """Whether the run has had the budget of `config`, whose other settings it shares."""
    budget = dataclasses.replace(saved.config, epochs=config.epochs, minutes=config.minutes)
    if budget != config:
        return False  # `train` says what is different
    if config.epochs is not None:
        return saved.epoch >= config.epochs
    return config.minutes is not None and saved.elapsed_seconds >= 60.0 * config.minutes


def check_equal(runs: Sequence[TrainedRun]) -> None:
    """Raise UsageError when a run has seen more images than the others."""
    fewest = min(run.images for run in runs)
    for run in runs:
        if run.images > fewest:
            raise UsageError(
                f"{run.checkpoint.parent} was trained on {run.images:,} images and others on {fewest:,}. "
                "Choose another --out, or as many --epochs as it had."
            )
