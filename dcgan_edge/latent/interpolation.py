"""Pictures and films of the ways in `paths`, drawn by a session of an exported generator."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dcgan_edge.architecture import Architecture
from dcgan_edge.classes import Pair, in_class
from dcgan_edge.errors import UsageError
from dcgan_edge.files import write_atomic
from dcgan_edge.images import PixelArray, check_grid, encode_png, grid, to_uint8
from dcgan_edge.latent.paths import plane, walk
from dcgan_edge.latents import FloatArray, latents
from dcgan_edge.movie import ENCODERS
from dcgan_edge.runtime.session import Session

MOST_PER_SECOND, MOST_STEPS = 50.0, 1000


def walk_to_folder(
    session: Session,
    pairs: Sequence[Pair],
    folder: Path,
    *,
    steps: int,
    loop: bool = False,
    formats: Sequence[str] = ("png", "gif"),
    per_second: float = 12.0,
    scale: int = 1,
) -> list[Path]:
    """Write the walk from each of `pairs`, a seed and its class, to the next as `strip.png` ("png") and as
    films `walk.gif` and `walk.mp4`, and return their paths in the order of `formats`.

    A film shows each pair once, and a loop ends before it begins again. Raises as `walk` and the encoders do.
    """
    if not 1.0 <= per_second <= MOST_PER_SECOND or steps > MOST_STEPS:
        raise UsageError(
            f"A film has 1 to {MOST_PER_SECOND:g} frames per second, a walk at most {MOST_STEPS} steps."
        )
    segments = len(pairs) - (not loop)
    check_grid(segments, steps, session.manifest.architecture.size, scale=scale)
    unknown = set(formats) - {"png", *ENCODERS}
    if unknown:
        raise UsageError(f"There is no format {min(unknown)}; there are png, {', '.join(ENCODERS)}.")
    way = walk_inputs(session.manifest.architecture, pairs, steps, loop=loop)
    pixels = to_uint8(session.run(way.reshape(-1, *way.shape[2:])))
    files: dict[Path, bytes] = {}
    for name in dict.fromkeys(formats):
        if name == "png":
            files[folder / "strip.png"] = encode_png(grid(pixels, segments, steps), scale=scale)
        else:
            film = _enlarged(_film(pixels, steps, loop=loop), scale)
            files[folder / f"walk.{name}"] = ENCODERS[name](film, per_second=per_second)
    for path, data in files.items():  # once all of them could be made
        write_atomic(path, data)
    return list(files)


def plane_to_file(
    session: Session,
    seeds: Sequence[int],
    path: Path,
    *,
    rows: int,
    columns: int,
    number: int | None = None,
    scale: int = 1,
) -> None:
    """Write the plane through three seeds as `rows` x `columns` pictures, all of class `number`, None where
    there are none. Raises as `plane` does.
    """
    architecture = session.manifest.architecture
    check_grid(rows, columns, architecture.size, scale=scale)
    corners = latents(seeds, architecture.latent_dim, architecture.distribution)
    points = in_class(architecture, plane(corners, rows, columns, architecture.distribution), number)
    write_atomic(path, encode_png(grid(to_uint8(session.run(points)), rows, columns), scale=scale))


def walk_inputs(
    architecture: Architecture, pairs: Sequence[Pair], steps: int, *, loop: bool = False
) -> FloatArray:
    """Return the inputs (segments, steps, input_dim, 1, 1) of a walk: its latents go as `walk` says, and the
    weights of the classes in a straight line from one class to the other.
    """
    classes = [number for _, number in pairs] if architecture.classes else None
    stops = architecture.inputs([seed for seed, _ in pairs], classes)
    drawn, weights = np.split(stops, [architecture.latent_dim], axis=1)
    ways = (
        walk(drawn, steps, architecture.distribution, loop=loop),
        walk(weights, steps, "uniform", loop=loop),
    )
    return np.concatenate(ways, axis=2)


def _film(pixels: PixelArray, steps: int, *, loop: bool) -> PixelArray:
    """The frames of all segments, without the last of each, which is the next one's first."""
    frames = pixels.reshape(-1, steps, *pixels.shape[1:])[:, :-1].reshape(-1, *pixels.shape[1:])
    return frames if loop else np.concatenate([frames, pixels[-1:]])


def _enlarged(pixels: PixelArray, scale: int) -> PixelArray:
    return pixels.repeat(scale, axis=2).repeat(scale, axis=3)
