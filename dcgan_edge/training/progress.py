"""Where a training is, told after every step, and what it came to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dcgan_edge.training.config import Arithmetic
from dcgan_edge.training.monitor import TrainEvent
from dcgan_edge.training.quality import Quality


@dataclass(frozen=True)
class Losses:
    """Of one step: both losses, and the discriminator's mean verdict on real and on generated images."""

    loss_d: float
    loss_g: float
    real_score: float
    fake_score: float


@dataclass(frozen=True)
class TrainProgress:
    """Where a run is. `stage` "read" is the reading of the images, `step` of `steps` files then.

    `fraction` of the budget is used, 0 to 1; `steps` is None where the budget is minutes. `images` counts
    those trained on, `elapsed` seconds over all resumes, evaluation left out. `learning_rates` are of the
    discriminator and the generator. `events` are what the monitor saw at this step. `quality` is the last
    evaluation, `best` the best of all. `note` is said once, at a resume.
    """

    stage: Literal["read", "train"]
    fraction: float
    step: int
    steps: int | None
    epoch: int = 0
    images: int = 0
    images_per_second: float = 0.0
    elapsed: float = 0.0
    losses: Losses | None = None
    learning_rates: tuple[float, float] | None = None
    events: tuple[TrainEvent, ...] = ()
    quality: Quality | None = None
    best: Quality | None = None
    note: str = ""


@dataclass(frozen=True)
class TrainResult:
    """What a run came to. `seconds` are of training over all resumes, `images_per_second` the last measured;
    `losses` is None when there was nothing left to train. `skipped` names files that could not be read.
    `events` are what the monitor saw, over all resumes. `best` is the best evaluation, and `best_checkpoint`
    where its checkpoint is; both are None where none was asked for. `shards` is in
    how many parts each batch was taken.
    """

    checkpoint: Path
    grid: Path
    metrics: Path
    step: int
    epoch: int
    images: int
    seconds: float
    images_per_second: float
    device: str
    precision: Arithmetic
    losses: Losses | None
    skipped: list[str]
    events: tuple[TrainEvent, ...]
    best: Quality | None = None
    best_checkpoint: Path | None = None
    shards: int = 1
