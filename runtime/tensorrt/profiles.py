"""Which batch sizes an engine takes, and how any number of latents is split into them. Pure arithmetic.

An engine has one or more optimization profiles, each a range of batch sizes with the size it is tuned for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dcgan_edge.artifact import BatchProfile


@dataclass(frozen=True)
class Piece:
    """Latents `start` .. `start + count` of a call, run as a batch of `batch` >= count, the rest padding."""

    start: int
    count: int
    batch: int


def profile_for(batch: int, profiles: Sequence[BatchProfile]) -> int:
    """The index of the profile that takes `batch` and is tuned for the nearest size, the first of equals.

    Raises ValueError when no profile takes it.
    """
    fitting = [index for index, profile in enumerate(profiles) if profile.min <= batch <= profile.max]
    return min(fitting, key=lambda index: abs(profiles[index].opt - batch))


def split(total: int, profiles: Sequence[BatchProfile]) -> list[Piece]:
    """Split `total` latents into pieces that `profiles` take, the largest first.

    Only a rest that is below every minimum is padded, up to the smallest minimum.
    """
    pieces = []
    start = 0
    while start < total:
        rest = total - start
        fitting = [min(rest, profile.max) for profile in profiles if profile.min <= rest]
        batch = max(fitting) if fitting else min(profile.min for profile in profiles)
        pieces.append(Piece(start, min(rest, batch), batch))
        start += pieces[-1].count
    return pieces
