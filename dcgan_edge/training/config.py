"""What a training run is asked to do. Written into every checkpoint, so that a run goes on as it began."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

from dcgan_edge.architecture import Architecture
from dcgan_edge.errors import UsageError
from dcgan_edge.models import check
from dcgan_edge.recipes import Loss, Normalisation, Recipe
from dcgan_edge.runtime.device import parse_device
from dcgan_edge.schema import build
from dcgan_edge.seeds import MAX_SEED

Arithmetic = Literal["fp32", "bf16"]
TrainPrecision = Literal["auto", "fp32", "bf16"]
DEFAULT_EPOCHS = 25
SHOWN = ("keep", "eval_every", "eval_data", "tensorboard")  # what is kept, measured and shown of a run
CHANGEABLE = ("data", "epochs", "minutes", "device", *SHOWN)  # what may differ when a run is resumed
MOST_EXTRA = 16  # more is a typing error
MOST_IMAGES = 2**20  # in a batch; more is a typing error


@dataclass(frozen=True)
class TrainConfig(Recipe):
    """The settings of a run. Exactly one of `epochs` and `minutes` (resumed runs included) is the budget.

    The settings of the recipe are here one by one, so that a run goes on in them when the recipe of that name
    has changed; one that is not given is the DCGAN paper's. `log_every` and `grid_every` are in steps,
    `checkpoint_seconds` in seconds. `shards` is in how many parts a batch is taken on a CPU, each by a thread
    of its own: 1 leaves it to torch's threads, None is a rule (`workers.default_shards`). `device` is
    "auto", "cpu", "cuda" or "cuda:N".

    `keep` is the number of numbered checkpoints that are kept beside the last one. `eval_every` is in steps,
    None for no evaluation; `eval_data` names the images to compare with, None for those of `data`.
    `tensorboard` asks for event files. None of these four changes the weights.
    """

    architecture: Architecture
    data: str = "digits"
    epochs: int | None = None
    minutes: float | None = None
    seed: int = 0
    device: str = "auto"
    precision: TrainPrecision = "auto"
    shards: int | None = None
    log_every: int = 10
    grid_every: int = 500
    checkpoint_seconds: float = 30.0
    keep: int = 0
    eval_every: int | None = None
    eval_data: str | None = None
    tensorboard: bool = False

    def __post_init__(self) -> None:
        """Raise UsageError for settings that no run can have, whatever the data."""
        check(self.architecture)
        parse_device(self.device)
        if (self.epochs is None) == (self.minutes is None):
            raise UsageError("Give either epochs or minutes as the budget of a training run, and not both.")
        positive: dict[str, float | None] = {
            "batch": self.batch,
            "epochs": self.epochs,
            "minutes": self.minutes,
            "learning rate": self.learning_rate,
            "log interval": self.log_every,
            "grid interval": self.grid_every,
            "evaluation interval": self.eval_every,
        }
        for name, value in positive.items():
            if value is not None and not (value > 0 and _is_finite(value)):
                raise UsageError(f"The {name} must be above 0 and finite, not {value}.")
        if not 2 <= self.batch <= MOST_IMAGES:
            raise UsageError(
                f"A batch has at least 2 images, for batch normalisation, and at most {MOST_IMAGES:,}."
            )
        if not 0 <= self.seed <= MAX_SEED:
            raise UsageError(f"A seed is a whole number from 0 to 2**64-1, not {self.seed}.")
        self._check_recipe()
        if self.shards is not None and not 1 <= self.shards <= self.batch:
            raise UsageError(f"A batch of {self.batch} images has 1 to {self.batch} shards.")
        if not self.checkpoint_seconds >= 0.0:
            raise UsageError(f"The checkpoint interval is at least 0 seconds, not {self.checkpoint_seconds}.")
        if self.keep < 0:
            raise UsageError(f"At least 0 checkpoints are kept, not {self.keep}.")
        if self.eval_data is not None and self.eval_every is None:
            raise UsageError("--eval-data goes with --eval-every, which says how often to evaluate.")
        if self.precision not in get_args(TrainPrecision):
            choices = ", ".join(get_args(TrainPrecision))
            raise UsageError(f"The precision is one of {choices}, not {self.precision!r}.")

    def _check_recipe(self) -> None:
        """Raise UsageError for settings of a recipe that no run can have."""
        for name, decay in (("beta1", self.beta1), ("beta2", self.beta2), ("ema_decay", self.ema_decay)):
            if not 0.0 <= decay < 1.0:
                raise UsageError(f"The value of {name} lies in [0, 1), not at {decay}.")
        if not 0.0 <= self.decay_from <= 1.0:
            raise UsageError(f"The learning rate falls from a share of 0 to 1 on, not {self.decay_from}.")
        if not 0 <= self.extra_convolutions <= MOST_EXTRA:
            raise UsageError(f"A discriminator has 0 to {MOST_EXTRA} extra convolutions.")
        for name, kind in (("loss", Loss), ("normalisation", Normalisation)):
            if getattr(self, name) not in get_args(kind):
                known = ", ".join(get_args(kind))
                raise UsageError(f"The {name} is one of {known}, not {getattr(self, name)!r}.")

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON has them."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, facts: Any) -> TrainConfig:
        """Return the inverse of `to_dict`.

        Raises ValueError naming a field that is missing, foreign or of another type, and UsageError for a
        value out of range; both are to be expected of a file from elsewhere.
        """
        return build(cls, facts, "config")


def differences(config: TrainConfig, saved: TrainConfig) -> list[str]:
    """Return the names of the settings in which `config` differs from `saved` and may not."""
    mine, theirs = config.to_dict(), saved.to_dict()
    return [name for name in mine if name not in CHANGEABLE and mine[name] != theirs[name]]


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond every float
        return True
