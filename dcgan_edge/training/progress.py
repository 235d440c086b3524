"""Where a training is, for whoever shows it: told after every step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

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
