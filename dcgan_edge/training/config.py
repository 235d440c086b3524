"""What a training run is asked to do. Written into every checkpoint, so that a run goes on as it began."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

from dcgan_edge.artifact import Architecture
from dcgan_edge.errors import UsageError
from dcgan_edge.latents import MAX_SEED, Distribution
from dcgan_edge.models import check

Device = Literal["auto", "cpu", "cuda"]
Arithmetic = Literal["fp32", "bf16"]
TrainPrecision = Literal["auto", "fp32", "bf16"]
DEFAULT_EPOCHS = 25
CHANGEABLE = ("epochs", "minutes", "device")  # what may differ when a run is resumed: how long, and where


@dataclass(frozen=True)
class TrainConfig:
    """The request. Exactly one of `epochs` and `minutes` (of training, over all resumes) is the budget.

    Rates are those of DCGAN, arXiv:1511.06434, section 4. `ema_decay` is the decay per step of the averaged
    generator, which is the one that is exported. Intervals are in steps, `checkpoint_seconds` in seconds.
    """

    architecture: Architecture
    data: str = "digits"
    batch: int = 128
    epochs: int | None = None
    minutes: float | None = None
    seed: int = 0
    device: Device = "auto"
    precision: TrainPrecision = "auto"
    learning_rate: float = 2e-4
    beta1: float = 0.5
    beta2: float = 0.999
    ema_decay: float = 0.999
    log_every: int = 10
    grid_every: int = 500
    checkpoint_seconds: float = 30.0

    def __post_init__(self) -> None:
        """Raises UsageError for a request that cannot be met, whatever the data."""
        check(self.architecture)
        if (self.epochs is None) == (self.minutes is None):
            raise UsageError("Give either epochs or minutes as the budget of a training run, and not both.")
        positive: dict[str, float | None] = {
            "batch": self.batch,
            "epochs": self.epochs,
            "minutes": self.minutes,
            "learning rate": self.learning_rate,
            "log interval": self.log_every,
            "grid interval": self.grid_every,
        }
        for name, value in positive.items():
            if value is not None and not (value > 0 and math.isfinite(value)):
                raise UsageError(f"The {name} must be above 0, not {value}.")
        if self.batch < 2:
            raise UsageError("Batch normalisation needs a batch of at least 2 images.")
        if not 0 <= self.seed <= MAX_SEED:
            raise UsageError(f"A seed is a whole number from 0 to 2**64-1, not {self.seed}.")
        for name, decay in (("beta1", self.beta1), ("beta2", self.beta2), ("ema_decay", self.ema_decay)):
            if not 0.0 <= decay < 1.0:
                raise UsageError(f"{name} lies in [0, 1), not {decay}.")
        if not self.checkpoint_seconds >= 0.0:
            raise UsageError(f"The checkpoint interval is at least 0 seconds, not {self.checkpoint_seconds}.")
        _check_choices(self)

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, facts: Any) -> TrainConfig:
        """The inverse of `to_dict`. Raises ValueError for anything that `to_dict` does not write, and
        UsageError for values out of range; both are to be expected of a file from elsewhere.
        """
        fields = typed(facts, _CONFIG_TYPES)
        return cls(**{**fields, "architecture": architecture_from_dict(fields["architecture"])})


def architecture_from_dict(facts: Any) -> Architecture:
    """The inverse of `dataclasses.asdict`. Raises ValueError for missing, foreign or mistyped fields."""
    fields = typed(facts, _ARCHITECTURE_TYPES)
    if fields["distribution"] not in get_args(Distribution):
        raise ValueError(f"no latent distribution {fields['distribution']!r}")
    return Architecture(**fields)


def differences(config: TrainConfig, saved: TrainConfig) -> list[str]:
    """Names of the settings in which `config` differs from `saved`, those that may differ left out."""
    mine, theirs = config.to_dict(), saved.to_dict()
    return [name for name in mine if name not in CHANGEABLE and mine[name] != theirs[name]]


Types = dict[str, tuple[type, ...]]
_ARCHITECTURE_TYPES: Types = {
    "preset": (str,),
    "size": (int,),
    "channels": (int,),
    "width": (int,),
    "latent_dim": (int,),
    "distribution": (str,),
}
_CONFIG_TYPES: Types = {
    "architecture": (dict,),
    "data": (str,),
    "batch": (int,),
    "epochs": (int, type(None)),
    "minutes": (int, float, type(None)),
    "seed": (int,),
    "device": (str,),
    "precision": (str,),
    "learning_rate": (int, float),
    "beta1": (int, float),
    "beta2": (int, float),
    "ema_decay": (int, float),
    "log_every": (int,),
    "grid_every": (int,),
    "checkpoint_seconds": (int, float),
}


def typed(facts: Any, types: Types) -> dict[str, Any]:
    """`facts` itself if it is a dict with exactly these names and values of these types, else ValueError."""
    if not isinstance(facts, dict) or set(facts) != set(types):
        raise ValueError(f"the fields {', '.join(types)} were expected")
    for name, allowed in types.items():
        if not isinstance(facts[name], allowed) or isinstance(facts[name], bool):
            raise ValueError(f"{name} is {facts[name]!r}")
    return facts


def _check_choices(config: TrainConfig) -> None:
    for name, value, choices in (
        ("device", config.device, get_args(Device)),
        ("precision", config.precision, get_args(TrainPrecision)),
    ):
        if value not in choices:
            raise UsageError(f"The {name} is one of {', '.join(choices)}, not {value!r}.")
