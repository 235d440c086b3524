"""Images of seeds, such that an image depends on its seed and the artifact, never on what else was asked.

Kernels round differently for different batch sizes. So seeds fall into fixed blocks of consecutive numbers,
a block is always run whole, in one order, and the images that were asked for are taken out of it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dcgan_edge.artifact import BatchProfile
from dcgan_edge.errors import UsageError
from dcgan_edge.files import StrPath, check_writable, write_atomic
from dcgan_edge.images import PixelArray, check_grid, encode_png, to_uint8
from dcgan_edge.images import grid as as_grid
from dcgan_edge.latents import MAX_SEED, FloatArray

from .parity import verification_words
from .session import Backend, Session, SessionFacts, open_session

BLOCK = 8  # images per call: small, so that a single seed is cheap; large enough to keep a CPU busy


@dataclass(frozen=True)
class Sampled:
    """What `sample` wrote: `files` in rising order of seeds, the grid last; and what made them.

    `verification` says in words whether the artifact was proven on this device.
    """

    artifact: Path
    sha256: str
    files: tuple[Path, ...]
    session: SessionFacts
    verification: str

    def to_dict(self) -> dict[str, Any]:
        """Return the facts as JSON has them."""
        return {
            "artifact": str(self.artifact),
            "sha256": self.sha256,
            "session": self.session.to_dict(),
            "verification": self.verification,
            "files": [str(path) for path in self.files],
        }


def sample(
    artifact: StrPath,
    seeds: Sequence[int],
    out: StrPath,
    *,
    grid: tuple[int, int] | None = None,
    scale: int = 1,
    batch: int | None = None,
    device: str = "auto",
    backend: Backend = "auto",
    threads: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> Sampled:
    """Write a PNG for each of `seeds`, made by the artifact, into the folder `out`.

    `grid` is the (rows, columns) of an additional `grid.png`, `scale` the size in which each pixel is drawn.
    `batch` is the number of images per call (None: 8). A seed's file is the same, byte for byte, whichever
    seeds it is asked for with; between different `batch` it may differ by rounding, as kernels do.
    `progress` is told the number of images done.

    Raises what `open_session` raises, and UsageError for a grid that is too small or a batch that the
    artifact does not take.
    """
    check_writable(Path(out) / "grid.png")
    with open_session(artifact, device=device, backend=backend, threads=threads) as session:
        files = sample_to_folder(
            session, seeds, Path(out), layout=grid, scale=scale, batch=batch, progress=progress
        )
        return Sampled(
            Path(artifact), session.manifest.sha256, tuple(files), session.facts, verification_words(session)
        )


def images_of(
    session: Session, seeds: Sequence[int], *, batch: int | None = None
) -> Iterator[tuple[int, FloatArray]]:
    """Yield (seed, image (channels, size, size) in [-1, 1]) for each distinct seed, in rising order.

    The image of a seed is the same, bit for bit, whichever seeds are asked for beside it. `batch` is the
    number of images per call. Raises UsageError for one that the artifact does not take.
    """
    architecture = session.manifest.architecture
    block = block_size(session.manifest.batch, batch)
    for number, wanted in itertools.groupby(sorted(set(seeds)), lambda seed: seed // block):
        first = number * block
        rows = [min(first + row, MAX_SEED) for row in range(block)]
        images = session.run(architecture.inputs(rows))
        for seed in wanted:
            yield seed, images[seed - first]


def generate(session: Session, seeds: Sequence[int]) -> PixelArray:
    """Return uint8 images (n, size, size, channels), one for each of `seeds` in the order asked."""
    architecture = session.manifest.architecture
    images = np.empty((len(seeds), architecture.size, architecture.size, architecture.channels), np.uint8)
    places: dict[int, list[int]] = {}
    for place, seed in enumerate(seeds):
        places.setdefault(seed, []).append(place)
    for seed, image in images_of(session, seeds):
        images[places[seed]] = to_uint8(image).transpose(1, 2, 0)
    return images


def block_size(profile: BatchProfile, batch: int | None = None) -> int:
    """Return the images per call for an artifact of this profile, `batch` if it is given and allowed."""
    if batch is None:
        return max(profile.min, min(BLOCK, profile.max))
    if not profile.min <= batch <= profile.max:
        raise UsageError(f"This artifact takes {profile.min} to {profile.max} images per call, not {batch}.")
    return batch


def sample_to_folder(
    session: Session,
    seeds: Sequence[int],
    folder: Path,
    *,
    layout: tuple[int, int] | None = None,
    scale: int = 1,
    batch: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> list[Path]:
    """Write `seed0007.png` for each seed into `folder`, and `grid.png` in the order asked for.

    `layout` is the grid's (rows, columns), None for no grid; each pixel is drawn `scale` x `scale`.
    `progress` is told the number of images done. Returns the paths written, the grid's last.
    """
    if layout and len(seeds) > layout[0] * layout[1]:
        raise UsageError(f"{len(seeds)} seeds do not fit into a grid of {layout[0]}x{layout[1]}.")
    if layout:
        check_grid(*layout, session.manifest.architecture.size, scale=scale)
    pixels: dict[int, PixelArray] = {}
    paths = []
    for done, (seed, image) in enumerate(images_of(session, seeds, batch=batch), start=1):
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
        picture = as_grid(np.stack([pixels[seed] for seed in seeds]), *layout)
        write_atomic(path, encode_png(picture, scale=scale))
        paths.append(path)
    return paths
