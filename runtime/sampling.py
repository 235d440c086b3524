"""Images of seeds, such that an image depends on its seed and the artifact, never on what else was asked.

Kernels round differently for different batch sizes. So seeds fall into fixed blocks of consecutive numbers,
a block is always run whole, in one order, and the images that were asked for are taken out of it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from dcgan_edge.artifact import BatchProfile
from dcgan_edge.errors import UsageError
from dcgan_edge.files import write_atomic
from dcgan_edge.images import PixelArray, encode_png, grid, to_uint8
from dcgan_edge.latents import MAX_SEED, FloatArray, latents

from .session import Session

BLOCK = 8  # images per call: small, so that a single seed is cheap; large enough to keep a CPU busy


def sample(session: Session, seeds: Sequence[int]) -> Iterator[tuple[int, FloatArray]]:
    """Yield (seed, image (channels, size, size) in [-1, 1]) for each distinct seed, in rising order.

    The image of a seed is the same, bit for bit, whichever seeds are asked for beside it.
    """
    architecture = session.manifest.architecture
    block = block_size(session.manifest.batch)
    for number, wanted in itertools.groupby(sorted(set(seeds)), lambda seed: seed // block):
        first = number * block
        rows = [min(first + row, MAX_SEED) for row in range(block)]
        images = session.run(latents(rows, architecture.latent_dim, architecture.distribution))
        for seed in wanted:
            yield seed, images[seed - first]


def generate(session: Session, seeds: Sequence[int]) -> PixelArray:
    """Return uint8 images (n, size, size, channels), one for each of `seeds` in the order asked."""
    architecture = session.manifest.architecture
    images = np.empty((len(seeds), architecture.size, architecture.size, architecture.channels), np.uint8)
    places: dict[int, list[int]] = {}
    for place, seed in enumerate(seeds):
        places.setdefault(seed, []).append(place)
    for seed, image in sample(session, seeds):
        images[places[seed]] = to_uint8(image).transpose(1, 2, 0)
    return images


def block_size(batch: BatchProfile) -> int:
    """Images per call for an artifact of this profile."""
    return max(batch.min, min(BLOCK, batch.max))


def sample_to_folder(
    session: Session,
    seeds: Sequence[int],
    folder: Path,
    *,
    layout: tuple[int, int] | None = None,
    scale: int = 1,
    progress: Callable[[int], None] | None = None,
) -> list[Path]:
    """Write `seed0007.png` for each seed into `folder`, and `grid.png` in the order asked for.

    `layout` is the grid's (rows, columns), None for no grid; each pixel is drawn `scale` x `scale`.
    `progress` is told the number of images done. Returns the paths written, the grid's last.
    """
    if layout and len(seeds) > layout[0] * layout[1]:
        raise UsageError(f"{len(seeds)} seeds do not fit into a grid of {layout[0]}x{layout[1]}.")
    pixels: dict[int, PixelArray] = {}
    paths = []
    for done, (seed, image) in enumerate(sample(session, seeds), start=1):
        shown = to_uint8(image)
        path = folder / f"seed{seed:04d}.png"
        write_atomic(path, encode_png(shown, scale=scale))
        paths.append(path)
        if layout:
            pixels[seed] = shown
        if progress:
            progress(done)
    if layout:
        path = folder / "grid.png"
        write_atomic(path, encode_png(grid(np.stack([pixels[seed] for seed in seeds]), *layout), scale=scale))
        paths.append(path)
    return paths
