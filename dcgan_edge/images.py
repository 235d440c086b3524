"""Generator output to pixels: float images in [-1, 1] to uint8, PNG files and grids.

Arrays are NCHW as the networks have them; PNG bytes of equal pixels are equal.
"""

from __future__ import annotations

import io
import math

import numpy as np
import numpy.typing as npt
from PIL import Image

from dcgan_edge.errors import EdgeError, UsageError
from dcgan_edge.latents import FloatArray

MOST_PIXELS = 2**28  # of a picture that is written; a few hundred megabytes while it is made
PixelArray = npt.NDArray[np.uint8]
ImageArray = npt.NDArray[np.float32 | np.uint8]  # what an artifact makes: images in [-1, 1], or pixels
PEAK = 2.0  # what values in [-1, 1] span


def to_uint8(images: FloatArray) -> PixelArray:
    """Map [-1, 1] linearly to 0..255: clip, scale, round half to even. Shape is kept.

    Raises EdgeError when a value is NaN, which no pixel can show.
    """
    if np.isnan(images).any():
        raise EdgeError("The generator returned NaN; its weights or its engine are damaged.")
    scaled = np.rint(np.clip(images, -1.0, 1.0) * np.float32(127.5) + np.float32(127.5))
    return np.asarray(scaled, np.uint8)


def from_uint8(pixels: PixelArray) -> FloatArray:
    """Map 0..255 to [-1, 1], float32. The inverse of `to_uint8` on its range."""
    return (pixels.astype(np.float32) - 127.5) / np.float32(127.5)


def as_images(made: ImageArray, layout: str) -> FloatArray:
    """Return what an artifact made, floats NCHW or bytes in `layout`, as float32 (n, c, h, w) in [-1, 1]."""
    if made.dtype != np.uint8:
        return np.asarray(made, np.float32)
    pixels = np.asarray(made, np.uint8)
    return from_uint8(np.ascontiguousarray(pixels if layout == "NCHW" else pixels.transpose(0, 3, 1, 2)))


def as_pixels(made: ImageArray, layout: str) -> PixelArray:
    """Return what an artifact made, floats NCHW or bytes in `layout`, as uint8 (n, h, w, c).

    Bytes stay those that they are: at most a view turns their axes. Raises EdgeError as `to_uint8` does.
    """
    pixels = np.asarray(made, np.uint8) if made.dtype == np.uint8 else to_uint8(np.asarray(made, np.float32))
    return pixels if layout == "NHWC" else pixels.transpose(0, 2, 3, 1)


def psnr(images: FloatArray, truth: FloatArray) -> npt.NDArray[np.float64]:
    """Return the peak signal-to-noise ratio in dB of each of `images` (n, c, h, w) to `truth`, (n,).

    Both lie in [-1, 1]. Equal images have infinitely many dB: callers cap it where they show it.
    """
    errors = np.mean((images.astype(np.float64) - truth) ** 2, axis=(1, 2, 3))
    with np.errstate(divide="ignore"):
        return np.asarray(10.0 * np.log10(PEAK**2 / errors))


def parse_grid(text: str) -> tuple[int, int]:
    """Read `8x8` as (rows, columns). Raises UsageError for anything else."""
    rows, cross, columns = text.partition("x")
    if not (cross and rows.isascii() and rows.isdigit() and columns.isascii() and columns.isdigit()):
        raise UsageError(f"{text!r} is not a grid; write ROWSxCOLUMNS, such as 8x8.")
    if not (1 <= int(rows) <= 1000 and 1 <= int(columns) <= 1000):
        raise UsageError(f"A grid has 1 to 1000 rows and columns, not {text}.")
    return int(rows), int(columns)


def check_grid(rows: int, columns: int, size: int, *, scale: int = 1, gap: int = 2) -> None:
    """Raise UsageError when a grid of images `size` pixels wide and high is too large to be written."""
    height, width = (scale * (count * (size + gap) - gap) for count in (rows, columns))
    if height * width > MOST_PIXELS:
        raise UsageError(
            f"A grid of {rows}x{columns} at scale {scale} has {width:,} x {height:,} pixels, and "
            f"{MOST_PIXELS:,} is the most. Choose a smaller grid or scale."
        )


def grid(pixels: PixelArray, rows: int, columns: int, *, gap: int = 2, fill: int = 255) -> PixelArray:
    """Lay out up to rows*columns images (n, c, h, w) row by row with `gap` pixels of `fill` between them.

    Returns (c, H, W). Places without an image are `fill`. Raises UsageError when the images do not fit.
    """
    count, channels, height, width = pixels.shape
    if count > rows * columns:
        raise UsageError(f"{count} images do not fit into a grid of {rows}x{columns}.")
    shape = (channels, rows * (height + gap) - gap, columns * (width + gap) - gap)
    canvas = np.full(shape, fill, np.uint8)
    for index, image in enumerate(pixels):
        top, left = index // columns * (height + gap), index % columns * (width + gap)
        canvas[:, top : top + height, left : left + width] = image
    return canvas


def square_grid(pixels: PixelArray) -> PixelArray:
    """A grid as near to a square as `pixels` (n, c, h, w) fill, wider than high."""
    columns = math.ceil(math.sqrt(len(pixels)))
    return grid(pixels, math.ceil(len(pixels) / columns), columns)


def encode_png(pixels: PixelArray, *, scale: int = 1) -> bytes:
    """PNG of one image (c, h, w) with 1 or 3 channels; each pixel drawn `scale` x `scale`."""
    enlarged = pixels.repeat(scale, axis=1).repeat(scale, axis=2)
    image = Image.fromarray(enlarged[0] if len(enlarged) == 1 else np.moveaxis(enlarged, 0, -1))
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=6)
    return buffer.getvalue()
