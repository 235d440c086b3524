"""The grids that a training drew, one after the other, as one film of the generator learning."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from dcgan_edge.artifact import read_file
from dcgan_edge.errors import ArtifactError, UsageError
from dcgan_edge.files import StrPath, check_writable, write_atomic
from dcgan_edge.images import MOST_PIXELS, PixelArray
from dcgan_edge.movie import ENCODERS

SAMPLES = "samples"
NUMBERED = re.compile(r"step(\d+)\.png")
DEFAULT_NAME = "training.gif"
MOST_FRAMES = 1000
LARGEST_BLOCK = 16
LEVELS = 32  # of each channel of a GIF, half the bytes of 256 for images with noise, and not seen
HELD = 2.0  # seconds that the last frame is shown


def animate(
    run: StrPath, output: StrPath | None = None, *, frames: int = 40, per_second: float = 8.0
) -> Path:
    """Write the grids of the training in the folder `run` as a GIF or an MP4, and return where.

    The ending of `output` decides; None is training.gif in the run. Of more than `frames` grids so many are
    taken, evenly spaced, the first and the last among them, and the last one is held. Pixels are drawn once,
    not enlarged as in the grids, and a GIF has 32 levels of each channel. Equal grids give an equal file.

    Raises UsageError for a folder without two grids, another ending and frames beyond reason; ArtifactError
    for grids that are none or differ in size, UnavailableError for an MP4 without imageio-ffmpeg, EdgeError
    when the file cannot be written.
    """
    path = Path(run) / DEFAULT_NAME if output is None else Path(output)
    encode = ENCODERS.get(path.suffix.lower().removeprefix("."))
    if encode is None:
        raise UsageError(f"{path.name} is no film: name a file that ends in .gif or .mp4.")
    if not 2 <= frames <= MOST_FRAMES or not 1.0 <= per_second <= 50.0:
        raise UsageError(f"A film has 2 to {MOST_FRAMES:,} frames, 1 to 50 of them in a second.")
    grids = _grids(Path(run))
    check_writable(path)
    chosen = [grids[round(place)] for place in np.linspace(0, len(grids) - 1, min(frames, len(grids)))]
    film = _unscaled(_read(chosen))
    if encode is ENCODERS["gif"]:
        film = np.rint(np.rint(film / (255 / (LEVELS - 1))) * (255 / (LEVELS - 1))).astype(np.uint8)
    held = film[-1:].repeat(round(HELD * per_second), axis=0)
    write_atomic(path, encode(np.concatenate([film, held]), per_second=per_second))
    return path


def _grids(run: Path) -> list[Path]:
    """The grids of `run` in the order of their steps."""
    folder = run / SAMPLES
    entries = folder.iterdir() if folder.is_dir() else ()
    numbered = [(int(match[1]), path) for path in entries if (match := NUMBERED.fullmatch(path.name))]
    if len(numbered) < 2:
        raise UsageError(
            f"{run} has {len(numbered)} grids of samples; a film takes two. Name the folder of a training."
        )
    return [path for _, path in sorted(numbered)]


def _read(paths: Sequence[Path]) -> PixelArray:
    """The pictures as uint8 (n, c, h, w)."""
    pictures: list[PixelArray] = []
    for path in paths:
        data = read_file(path)
        try:
            with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
                if image.mode not in ("L", "RGB") or image.width * image.height * len(paths) > MOST_PIXELS:
                    raise ValueError(f"{image.width} x {image.height} pixels of mode {image.mode}")
                pixels = np.asarray(image)
        except Exception as error:  # Pillow's decoders raise nearly anything for a malformed file
            raise ArtifactError(f"{path} is no grid of samples ({error}).") from error
        pictures.append(pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, -1, 0))
        if pictures[-1].shape != pictures[0].shape:
            raise ArtifactError(f"{path} is not as large as {paths[0].name}: they are not of one training.")
    return np.stack(pictures)


def _unscaled(film: PixelArray) -> PixelArray:
    """`film` with each block of equal pixels, as grids have them, as one pixel."""
    for block in range(LARGEST_BLOCK, 1, -1):
        if film.shape[2] % block or film.shape[3] % block:
            continue
        small = film[:, :, ::block, ::block]
        if np.array_equal(small.repeat(block, axis=2).repeat(block, axis=3), film):
            return small
    return film
