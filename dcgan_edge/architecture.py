"""What a generator is made for: image size, channels, latents, classes; and the inputs that a seed means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dcgan_edge.errors import UsageError
from dcgan_edge.latents import Distribution, FloatArray, latents

CUSTOM = "custom"  # the preset of a generator that came from elsewhere
LARGEST = {"size": 2**14, "channels": 2**10, "width": 2**20, "latent_dim": 2**20}
MOST_CLASSES, LONGEST_CLASS = 10_000, 80  # names and their characters


@dataclass(frozen=True)
class Architecture:
    """What a generator makes of what: `preset` at `size` x `size` pixels, first width, latent size and
    distribution, and the names of its `classes`, none if it is not conditional.

    A generator from elsewhere has the preset "custom" and the width 0.
    """

    preset: str
    size: int
    channels: int
    width: int
    latent_dim: int = 100
    distribution: Distribution = "normal"
    classes: tuple[str, ...] = ()

    @property
    def input_dim(self) -> int:
        """Return the length of the generator's input: the latent, then one weight for each class."""
        return self.latent_dim + len(self.classes)

    def inputs(
        self,
        seeds: Sequence[int],
        classes: Sequence[int] | None = None,
        *,
        drawn: FloatArray | None = None,
    ) -> FloatArray:
        """Return the inputs of `seeds`, float32 (len(seeds), input_dim, 1, 1).

        `classes` are the numbers of the classes, one for each seed; None gives seed s the class s modulo
        their number. `drawn` are the seeds' latents, where they were drawn before. Raises UsageError for a
        class that is not there, and what `latents` raises.
        """
        if drawn is None:
            drawn = latents(seeds, self.latent_dim, self.distribution)
        if not self.classes:
            if classes is not None:
                raise UsageError("This generator knows no classes.")
            return drawn
        count = len(self.classes)
        chosen = np.array([seed % count for seed in seeds] if classes is None else classes, np.int64)
        if chosen.shape != (len(drawn),) or not np.all((chosen >= 0) & (chosen < count)):
            raise UsageError(f"Give one class from 0 to {count - 1} for each seed.")
        weights = np.zeros((len(drawn), count, 1, 1), np.float32)
        weights[np.arange(len(drawn)), chosen] = 1.0
        return np.concatenate([drawn, weights], axis=1)

    def check(self) -> None:
        """Raise ValueError for sizes and names that no generator has."""
        for name, most in LARGEST.items():
            least = 0 if name == "width" and self.preset == CUSTOM else 1
            if not least <= getattr(self, name) <= most:
                raise ValueError(f"architecture.{name} is {getattr(self, name)}, not {least} to {most}")
        if len(self.classes) > MOST_CLASSES or len(set(self.classes)) != len(self.classes):
            raise ValueError(f"architecture.classes are not up to {MOST_CLASSES} different names")
        if not all(1 <= len(name) <= LONGEST_CLASS and name.isprintable() for name in self.classes):
            raise ValueError(f"architecture.classes are not names of 1 to {LONGEST_CLASS} characters")
