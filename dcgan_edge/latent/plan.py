"""How latents are searched for. Free of torch, so that the command line can show the defaults."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from dcgan_edge.errors import UsageError
from dcgan_edge.latents import MAX_SEED

Loss = Literal["l1", "l2"]


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
        if min(self.steps, self.restarts, self.batch) < 1:
            raise UsageError("A search takes at least one step, one start for each image and a batch of one.")
        if not 0.0 < self.learning_rate < math.inf or not 0.0 <= self.prior < math.inf:
            raise UsageError("The learning rate is above 0, lambda is not below 0, and both are finite.")
        if self.pool < self.restarts:
            raise UsageError(f"{self.restarts} starts cannot be taken from a pool of {self.pool} samples.")
        if not 0 <= self.seed <= MAX_SEED - self.pool:
            raise UsageError(f"The pool's seeds end at 2**64-1; they cannot begin at {self.seed}.")


INVERT = SearchPlan(steps=200, restarts=4, prior=0.0, loss="l2")
INPAINT = SearchPlan(steps=100, restarts=8, prior=0.1, loss="l1")
DENOISE = SearchPlan(steps=200, restarts=4, prior=0.0, loss="l2")
STYLIZE = SearchPlan(steps=200, restarts=4, prior=0.05)
SIGMA = 0.3  # of the noise that denoise adds, on the scale [-1, 1]
