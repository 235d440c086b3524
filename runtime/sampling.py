"""Images of seeds, such that an image depends on its seed, class and artifact, never on what else was asked.

Kernels round differently for different batch sizes and places in a batch, though not for what stands in the
other places. So seeds fall into fixed blocks of consecutive numbers, a block is always run whole, in one
order, and the images that were asked for are taken out of it; again for further classes of its seeds.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

import numpy as np

from dcgan_edge.artifact import BatchProfile
from dcgan_edge.classes import Pair, pair_for_each
from dcgan_edge.errors import UsageError
from dcgan_edge.images import PixelArray
from dcgan_edge.latents import FloatArray
from dcgan_edge.seeds import MAX_SEED

from .session import Session

Array = TypeVar("Array", FloatArray, PixelArray)
BLOCK = 8  # images per call: small, so that a single seed is cheap; large enough to keep a CPU busy


def images_of(
    session: Session, pairs: Iterable[Pair], *, batch: int | None = None
) -> Iterator[tuple[Pair, FloatArray]]:
    """Yield (pair, image (channels, size, size) in [-1, 1]) for each distinct pair of a seed and a class,
    block by block of rising seeds; in rising order if no seed occurs in several classes.

    The image of a pair is the same, bit for bit, whatever is asked for beside it. `batch` is the number of
    images per call. Raises UsageError for one that the artifact does not take.
    """
    for made, images in _in_blocks(session, session.run, sorted(set(pairs)), batch, {}):
        yield from zip(made, images, strict=True)


def pixels_of(
    session: Session, pairs: Iterable[Pair], *, batch: int | None = None
) -> Iterator[tuple[Pair, PixelArray]]:
    """Yield (pair, uint8 image (size, size, channels)) as `images_of` does, where the artifact makes bytes
    without a detour through floats.
    """
    for made, pixels in pixel_blocks(session, sorted(set(pairs)), batch=batch):
        yield from zip(made, pixels, strict=True)


def pixel_blocks(
    session: Session,
    pairs: Iterable[Pair],
    *,
    batch: int | None = None,
    drawn: Mapping[int, FloatArray] | None = None,
) -> Iterator[tuple[list[Pair], PixelArray]]:
    """Yield what `pixels_of` does, call by call: the pairs of a call, and their pixels (n, size, size, c).

    `pairs` are distinct and rise, and are taken as they are needed: there may be more than memory holds.
    `drawn` are the latents of blocks by number, as far as somebody has drawn them.
    """
    return _in_blocks(session, session.pixels, pairs, batch, drawn or {})


def _in_blocks(
    session: Session,
    make: Callable[[FloatArray], Array],
    pairs: Iterable[Pair],
    batch: int | None,
    drawn: Mapping[int, FloatArray],
) -> Iterator[tuple[list[Pair], Array]]:
    architecture = session.manifest.architecture
    block = block_size(session.manifest.batch, batch)
    for number, wanted in itertools.groupby(pairs, lambda pair: pair[0] // block):
        rows = block_seeds(number, block)
        left = list(wanted)
        while left:
            now = dict(reversed(left))  # the first class that is left of each seed
            classes = [now.get(seed, 0) for seed in rows] if architecture.classes else None
            images = make(architecture.inputs(rows, classes, drawn=drawn.get(number)))
            made = sorted(now.items())
            places = [seed - rows[0] for seed, _ in made]
            yield made, images if len(made) == block else images[places]
            left = [pair for pair in left if now[pair[0]] != pair[1]]


def generate(
    session: Session, seeds: Sequence[int], classes: str | Sequence[int] | None = None
) -> PixelArray:
    """Return uint8 images (n, size, size, channels) of `seeds` in the order asked, see `Session.generate`."""
    architecture = session.manifest.architecture
    pairs = pair_for_each(architecture, seeds, classes)
    images = np.empty((len(pairs), architecture.size, architecture.size, architecture.channels), np.uint8)
    places: dict[Pair, list[int]] = {}
    for place, pair in enumerate(pairs):
        places.setdefault(pair, []).append(place)
    for pair, image in pixels_of(session, pairs):
        images[places[pair]] = image
    return images


def block_seeds(number: int, block: int) -> list[int]:
    """Return the `block` seeds of the block `number`; behind the last seed that there is stands it again."""
    return [min(number * block + row, MAX_SEED) for row in range(block)]


def block_size(profile: BatchProfile, batch: int | None = None) -> int:
    """Return the images per call for an artifact of this profile, `batch` if it is given and allowed."""
    if batch is None:
        return max(profile.min, min(BLOCK, profile.max))
    if not profile.min <= batch <= profile.max:
        raise UsageError(f"This artifact takes {profile.min} to {profile.max} images per call, not {batch}.")
    return batch
