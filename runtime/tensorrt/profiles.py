"""Which batch sizes an engine takes, and how any number of latents is run as such. Pure arithmetic.

An engine has one or more optimization profiles, each a range of batch sizes with the size it is tuned for.
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass

from dcgan_edge.artifact import BatchProfile

MOST_EXACT = 8  # batch sizes beside the usual ones that are not padded, those that were prepared last


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


def usual_sizes(profiles: Sequence[BatchProfile]) -> list[int]:
    """Return the batch sizes that calls of any size are padded to, rising; few, so that all are soon there.

    They are powers of two, from 16 on also the sizes halfway between, and each profile's own three. Small
    batches leave most of a GPU idle, so padding them costs little; large ones grow by a half at most.
    """
    sizes = {size for profile in profiles for size in (profile.min, profile.opt, profile.max)}
    size = 1
    while size < max(profile.max for profile in profiles):
        sizes.update({size, size * 3 // 2} if size >= 16 else {size})
        size *= 2
    return sorted(size for size in sizes if any(profile.min <= size <= profile.max for profile in profiles))


def padded_size(batch: int, sizes: Sequence[int]) -> int:
    """Return the smallest of the rising `sizes` that `batch` fits into; the largest is not below it."""
    return sizes[bisect.bisect_left(sizes, batch)]


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


class BatchSizes:
    """The batch sizes that a session runs: the usual ones, and a few that its user prepared."""

    def __init__(self, profiles: Sequence[BatchProfile]) -> None:
        self._profiles = profiles
        self._usual = usual_sizes(profiles)
        self._exact: list[int] = []
        self.sizes = self._usual

    def pieces(self, total: int) -> list[Piece]:
        """Return the batches that `total` latents are run as, each padded to the next of the sizes."""
        sizes = self.sizes
        return [
            Piece(piece.start, piece.count, padded_size(piece.batch, sizes))
            for piece in split(total, self._profiles)
        ]

    def exact(self, total: int) -> set[int]:
        """Return the batch sizes of `total` latents when none is padded that need not be."""
        return {piece.batch for piece in split(total, self._profiles)}

    def add(self, exact: set[int]) -> None:
        """Pad batches of the sizes `exact` no more; those that were added long ago make room."""
        new = exact - {*self._usual}
        self._exact = [*(size for size in self._exact if size not in new), *sorted(new)][-MOST_EXACT:]
        self.sizes = sorted({*self._usual, *self._exact})
