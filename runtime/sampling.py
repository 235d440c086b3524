"""Images of seeds, such that an image depends on its seed, class and artifact, never on what else was asked.

Kernels round differently for different batch sizes and places in a batch, though not for what stands in the
other places. So seeds fall into fixed blocks of consecutive numbers, a block is always run whole, in one
order, and the images that were asked for are taken out of it; again for further classes of its seeds.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from dcgan_edge.artifact import BatchProfile
from dcgan_edge.classes import Pair, every_pair, file_stem, pair_for_each, parse_classes
from dcgan_edge.errors import UsageError
from dcgan_edge.files import StrPath, check_writable, write_atomic
from dcgan_edge.images import PixelArray, check_grid, encode_png
from dcgan_edge.images import grid as as_grid
from dcgan_edge.latents import MAX_SEED, FloatArray

from .parity import verification_words
from .session import Backend, Session, SessionFacts, open_session

Array = TypeVar("Array", FloatArray, PixelArray)
BLOCK = 8  # images per call: small, so that a single seed is cheap; large enough to keep a CPU busy


@dataclass(frozen=True)
class Sampled:
    """What `sample` wrote: `files` in rising order of seeds, the grid last; and what made them.

    `classes` are the names of the classes of the files but the grid, empty where the generator knows none.
    `verification` says in words whether the artifact was proven on this device.
    """

    artifact: Path
    sha256: str
    files: tuple[Path, ...]
    session: SessionFacts
    verification: str
    classes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the facts as JSON has them."""
        return {
            "artifact": str(self.artifact),
            "sha256": self.sha256,
            "session": self.session.to_dict(),
            "verification": self.verification,
            "files": [str(path) for path in self.files],
            "classes": list(self.classes),
        }


def sample(
    artifact: StrPath,
    seeds: Sequence[int],
    out: StrPath,
    *,
    classes: str | None = None,
    grid: tuple[int, int] | None = None,
    scale: int = 1,
    batch: int | None = None,
    device: str = "auto",
    backend: Backend = "auto",
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Sampled:
    """Write a PNG for each of `seeds`, made by the artifact, into the folder `out`.

    `classes` are those that each seed is drawn in, by name or number, such as "3", "cat,dog" or "all"; None
    draws seed s in the class s modulo their number. `grid` is the (rows, columns) of an additional
    `grid.png`, `scale` the size in which each pixel is drawn. `batch` is the number of images per call
    (None: 8). The file of a seed and a class is the same, byte for byte, whatever it is asked for with;
    between different `batch` it may differ by rounding, as kernels do. `progress` is told the number of
    images done, and of how many.

    Raises what `open_session` raises, and UsageError for a class that is not there, a grid that is too small
    or a batch that the artifact does not take.
    """
    check_writable(Path(out) / "grid.png")
    with open_session(artifact, device=device, backend=backend, threads=threads) as session:
        architecture = session.manifest.architecture
        chosen = None if classes is None else parse_classes(classes, architecture.classes)
        files = sample_to_folder(
            session, seeds, Path(out), classes=chosen, layout=grid, scale=scale, batch=batch,
            progress=progress,
        )  # fmt: skip
        pairs = sorted(set(every_pair(architecture, seeds, chosen)))
        labels = tuple(architecture.classes[number] for _, number in pairs if architecture.classes)
        return Sampled(
            Path(artifact), session.manifest.sha256, tuple(files), session.facts, verification_words(session),
            labels,
        )  # fmt: skip


def images_of(
    session: Session, pairs: Iterable[Pair], *, batch: int | None = None
) -> Iterator[tuple[Pair, FloatArray]]:
    """Yield (pair, image (channels, size, size) in [-1, 1]) for each distinct pair of a seed and a class,
    block by block of rising seeds; in rising order if no seed occurs in several classes.

    The image of a pair is the same, bit for bit, whatever is asked for beside it. `batch` is the number of
    images per call. Raises UsageError for one that the artifact does not take.
    """
    return _in_blocks(session, session.run, pairs, batch)


def pixels_of(
    session: Session, pairs: Iterable[Pair], *, batch: int | None = None
) -> Iterator[tuple[Pair, PixelArray]]:
    """Yield (pair, uint8 image (size, size, channels)) as `images_of` does, where the artifact makes bytes
    without a detour through floats.
    """
    return _in_blocks(session, session.pixels, pairs, batch)


def _in_blocks(
    session: Session, make: Callable[[FloatArray], Array], pairs: Iterable[Pair], batch: int | None
) -> Iterator[tuple[Pair, Array]]:
    architecture = session.manifest.architecture
    block = block_size(session.manifest.batch, batch)
    for number, wanted in itertools.groupby(sorted(set(pairs)), lambda pair: pair[0] // block):
        rows = [min(number * block + row, MAX_SEED) for row in range(block)]
        left = list(wanted)
        while left:
            now = dict(reversed(left))  # the first class that is left of each seed
            classes = [now.get(seed, 0) for seed in rows] if architecture.classes else None
            images = make(architecture.inputs(rows, classes))
            for seed in sorted(now):
                yield (seed, now[seed]), images[seed - rows[0]]
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
    classes: Sequence[int] | None = None,
    layout: tuple[int, int] | None = None,
    scale: int = 1,
    batch: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Path]:
    """Write `seed0007.png`, or `class3-seed0007.png` where there are classes, for each seed in each of
    `classes` into `folder`, and `grid.png` in the order asked for, seed by seed.

    `layout` is the grid's (rows, columns), None for no grid; each pixel is drawn `scale` x `scale`.
    `progress` is told the number of images done, and of how many. Returns the paths in rising order of seeds,
    the grid's last.
    """
    architecture = session.manifest.architecture
    pairs = every_pair(architecture, seeds, classes)
    if layout:
        _check_layout(layout, len(pairs), len(classes or ()))
        check_grid(*layout, architecture.size, scale=scale)
    pixels: dict[Pair, PixelArray] = {}
    paths = {}
    total = len(set(pairs))
    for pair, image in pixels_of(session, pairs, batch=batch):
        shown = image.transpose(2, 0, 1)
        paths[pair] = folder / f"{file_stem(architecture, pair)}.png"
        write_atomic(paths[pair], encode_png(shown, scale=scale))
        if layout:
            pixels[pair] = shown
        if progress:
            progress(len(paths), total)
    files = [paths[pair] for pair in sorted(paths)]
    if layout:
        picture = as_grid(np.stack([pixels[pair] for pair in pairs]), *layout)
        files.append(folder / "grid.png")
        write_atomic(files[-1], encode_png(picture, scale=scale))
    return files


def _check_layout(layout: tuple[int, int], images: int, classes: int) -> None:
    """Raise UsageError for a grid that is too small, or that would mix the classes in its columns."""
    rows, columns = layout
    if images > rows * columns:
        raise UsageError(f"{images} images do not fit into a grid of {rows}x{columns}.")
    if classes > 1 and columns % classes:
        raise UsageError(
            f"A grid of {classes} classes has a column for each: {rows}x{classes}, not {rows}x{columns}."
        )
