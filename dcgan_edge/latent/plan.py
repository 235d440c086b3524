"""How latents are searched for. Free of torch, so that the command line can show the defaults."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dcgan_edge.errors import UsageError
from dcgan_edge.seeds import MAX_SEED

Loss = Literal["l1", "l2"]
MOST = {"steps": 100_000, "restarts": 1000, "pool": 100_000, "batch": 100_000}
MOST_RATE, MOST_PRIOR = 1000.0, 1e6


@dataclass(frozen=True)
class SearchPlan:
    """How gradient descent looks for the latents of images.

    Each image gets `restarts` starts, the nearest of the samples of `pool` seeds from `seed` on, and each
    start `steps` steps of Adam; `learning_rate` is the first one. `prior` is lambda, the weight of the
    discriminator's judgement beside the `loss` on pixels ("l1" absolute, "l2" squared differences). `batch`
    latents descend at once, which bounds the memory.

    Raises UsageError for a number out of its range.
    """

    steps: int = 100
    restarts: int = 8
    pool: int = 1024
    seed: int = 0
    learning_rate: float = 0.1
    prior: float = 0.1
    loss: Loss = "l1"
    batch: int = 256

    def __post_init__(self) -> None:
        for name, most in MOST.items():
            if not 1 <= getattr(self, name) <= most:
                raise UsageError(f"A search takes 1 to {most:,} {name}, not {getattr(self, name)}.")
        if not 0.0 < self.learning_rate <= MOST_RATE or not 0.0 <= self.prior <= MOST_PRIOR:
            raise UsageError(
                f"The learning rate is above 0 and up to {MOST_RATE:g}, lambda lies between 0 and "
                f"{MOST_PRIOR:g}; here they are {self.learning_rate} and {self.prior}."
            )
        if self.pool < self.restarts:
            raise UsageError(f"{self.restarts} starts cannot be taken from a pool of {self.pool} samples.")
        if not 0 <= self.seed <= MAX_SEED - self.pool:
            raise UsageError(f"The pool's seeds end at 2**64-1; they cannot begin at {self.seed}.")


INVERT = SearchPlan(steps=200, restarts=4, prior=0.0, loss="l2")
INPAINT = SearchPlan(steps=100, restarts=8, prior=0.1, loss="l1")
DENOISE = SearchPlan(steps=200, restarts=4, prior=0.0, loss="l2")
STYLIZE = SearchPlan(steps=200, restarts=4, prior=0.05)
SIGMA = 0.3  # of the noise that denoise adds, on the scale [-1, 1]
