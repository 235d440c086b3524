"""Generator output to pixels: float images in [-1, 1] to uint8, PNG files and grids.

Arrays are NCHW as the networks have them; PNG bytes of equal pixels are equal.
"""

from __future__ import annotations

import math
import struct
import zlib

import numpy as np
import numpy.typing as npt

from dcgan_edge.errors import EdgeError, UsageError
from dcgan_edge.latents import FloatArray

MOST_PIXELS = 2**28  # of a picture that is written; a few hundred megabytes while it is made
PixelArray = npt.NDArray[np.uint8]
ImageArray = npt.NDArray[np.float32 | np.uint8]  # what an artifact makes: images in [-1, 1], or pixels
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_COLOURS = {1: 0, 2: 4, 3: 2, 4: 6}  # channels -> colour type
PNG_LEVEL = 6  # of zlib
FILTERED_BYTES = 2**20  # at a time; the filters take some twenty times as much memory
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
    """Return the PNG of one image (c, h, w), as `encode_pngs` makes it."""
    return encode_pngs(pixels[None], scale=scale)[0]


def encode_pngs(pixels: PixelArray, *, scale: int = 1) -> list[bytes]:
    """Return the PNG of each image of `pixels` (n, c, h, w), each pixel drawn `scale` x `scale`.

    The channels are grey, grey and alpha, RGB or RGBA. Equal pixels give equal bytes where zlib is the same.
    Threads may encode at the same time, as filters and compression let go of Python's lock. Raises EdgeError
    for another number of channels. Source: PNG (Third Edition), W3C, sections 5, 9, 10 and 11.2.
    """
    count, channels = pixels.shape[:2]
    if channels not in PNG_COLOURS:
        raise EdgeError(f"A PNG has 1 to 4 channels, not {channels}.")
    if scale > 1:
        pixels = pixels.repeat(scale, axis=2).repeat(scale, axis=3)
    height, width = pixels.shape[2:]
    rows = np.moveaxis(pixels, 1, -1).reshape(count, height, width * channels)
    at_once = FILTERED_BYTES // max(1, height * width * channels)  # what the others are changes no bytes
    if at_once:
        packed = [
            zlib.compress(image.tobytes(), PNG_LEVEL)
            for first in range(0, count, at_once)
            for image in _filtered(rows[first : first + at_once], channels)
        ]
    else:
        packed = [_in_bands(image, channels) for image in rows]
    head = struct.pack(">IIBBBBB", width, height, 8, PNG_COLOURS[channels], 0, 0, 0)
    start, end = PNG_SIGNATURE + _chunk(b"IHDR", head), _chunk(b"IEND", b"")
    return [start + _chunk(b"IDAT", data) + end for data in packed]


def _in_bands(rows: PixelArray, step: int) -> bytes:
    """Return `rows` (h, bytes) of a large image filtered and compressed, some at a time."""
    coder, data = zlib.compressobj(PNG_LEVEL), b""
    band = max(1, FILTERED_BYTES // max(1, rows.shape[1]))
    for top in range(0, len(rows), band):  # with the row above, which is then left out
        filtered = _filtered(rows[None, max(0, top - 1) : top + band], step)[0, min(top, 1) :]
        data += coder.compress(filtered.tobytes())
    return data + coder.flush()


def _filtered(rows: PixelArray, step: int) -> PixelArray:
    """Return `rows` (n, h, bytes) by the filter that leaves the smallest numbers, its code before each row.

    A filter predicts a byte by that of the pixel to the left, `step` bytes before, by that above, or both.
    """
    count, height, length = rows.shape
    around = np.zeros((count, height + 1, length + step), np.int16)
    around[:, 1:, step:] = rows
    left, above, corner = around[:, 1:, :-step], around[:, :-1, step:], around[:, :-1, :-step]
    by_left, by_above, by_both = abs(above - corner), abs(left - corner), abs(left + above - 2 * corner)
    nearest = np.where(by_above <= by_both, above, corner)
    nearest = np.where((by_left <= by_above) & (by_left <= by_both), left, nearest)
    guesses = (0, left, above, (left + above) >> 1, nearest)  # their places are their codes
    choices = np.stack([rows - np.asarray(guess).astype(np.uint8) for guess in guesses])
    best = abs(choices.view(np.int8).astype(np.int16)).sum(axis=3, dtype=np.int32).argmin(axis=0)
    filtered = np.empty((count, height, 1 + length), np.uint8)
    filtered[:, :, 0] = best
    filtered[:, :, 1:] = np.take_along_axis(choices, best[None, :, :, None], 0)[0]
    return filtered


def _chunk(name: bytes, data: bytes) -> bytes:
    """Return one piece of a PNG: its length, name, data and checksum."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
