"""One picture of any kind to one uint8 array of the networks' shape.

Used by `folder` for every file and by `idx` where digits must be resized. Everything that can be wrong with
a file, the size of a decompression bomb included, ends as one exception: `UnreadableImage`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from dcgan_edge.data import foreign
from dcgan_edge.errors import EdgeError
from dcgan_edge.files import StrPath
from dcgan_edge.images import PixelArray

MAX_PIXELS = 89_478_485  # a quarter of a GiB of RGB, which is also where Pillow begins to warn
DEEP_MODES = ("I;16", "I;16L", "I;16B", "I;16N", "I", "F")
SIXTEEN_BITS = ("PNG", "PPM")  # formats whose deep grey pictures have sixteen bits, never more
ALPHA_MODES = ("RGBA", "RGBa", "LA", "La", "PA")
REDUCING_GAP = 3.0  # shrink by whole factors down to 3x the size first: no visible difference, far quicker


class UnreadableImage(EdgeError):
    """A file that is no picture, is cut short, or would not fit into memory. The message is the reason."""


@cache
def readable_formats() -> tuple[str, ...]:
    """Return Pillow's names of the formats that are read: all that it decodes, except EPS.

    EPS is a program that Pillow hands to Ghostscript, and nothing is executed here to read a picture.
    """
    Image.init()
    return tuple(sorted(set(Image.OPEN) - {"EPS"}))


@cache
def readable_suffixes() -> frozenset[str]:
    """Return lower-case file endings, dot included, of `readable_formats`."""
    formats = set(readable_formats())
    return frozenset(suffix for suffix, name in Image.registered_extensions().items() if name in formats)


def read_image(
    picture: StrPath | Callable[[], BinaryIO],
    size: int,
    channels: int,
    *,
    animated: Callable[[], None] | None = None,
) -> PixelArray:
    """Return the picture at a path, or in what a function opens, as uint8 (channels, size, size): the first
    frame, turned upright as its EXIF says, the largest centred square resized with a Lanczos filter, alpha
    laid on white. `animated` is called when there are more frames.

    Raises UnreadableImage with the reason.
    """
    try:
        with picture() if callable(picture) else open(picture, "rb") as file:
            return _read(file, size, channels, animated)
    except UnreadableImage:
        raise
    except OSError as error:
        raise UnreadableImage(error.strerror or str(error) or type(error).__name__) from error
    except Exception as error:  # Pillow's decoders raise nearly anything for a malformed file
        raise UnreadableImage(str(error) or type(error).__name__) from error


def _read(file: BinaryIO, size: int, channels: int, animated: Callable[[], None] | None) -> PixelArray:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # MAX_PIXELS is the bound here
            image = Image.open(file, formats=readable_formats())
    except UnidentifiedImageError as error:
        file.seek(0)
        raise UnreadableImage(foreign.by_content(file.read(foreign.HEAD)) or "not a picture") from error
    with image:
        if image.width * image.height > MAX_PIXELS:
            raise UnreadableImage(f"{image.width} x {image.height} pixels are too many")
        if animated is not None and getattr(image, "is_animated", False):
            animated()
        image.draft("RGB", (2 * size, 2 * size))  # JPEG decodes straight to a smaller size; else nothing
        image.load()
        # before version 11 Pillow opened the sixteen bits of PNG and PGM as 32
        sixteen = image.mode == "I" and image.format in SIXTEEN_BITS
        return fit_image(_upright(image), size, channels, sixteen=sixteen)


def fit_image(image: Image.Image, size: int, channels: int, *, sixteen: bool = False) -> PixelArray:
    """Return `image` of any mode as uint8 (channels, size, size): its centred square, resized.

    `sixteen` says that values span 0..65535 where the mode has more bits.
    """
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    square = _resizable(image, sixteen).resize(
        (size, size),
        Image.Resampling.LANCZOS,
        box=(left, top, left + side, top + side),
        reducing_gap=REDUCING_GAP,
    )
    if square.mode == "RGBA":
        square = Image.alpha_composite(Image.new("RGBA", square.size, "white"), square)
    pixels = np.asarray(square.convert("L" if channels == 1 else "RGB"))
    return pixels[None] if channels == 1 else np.ascontiguousarray(np.moveaxis(pixels, -1, 0))


def _upright(image: Image.Image) -> Image.Image:
    """Turned as the EXIF orientation says; a damaged EXIF block says nothing."""
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # the pixels are whole, only the block of tags beside them is not
        return image


def _resizable(image: Image.Image, sixteen: bool) -> Image.Image:
    """The same picture in a mode that Pillow resizes with a filter: L, RGB or RGBA."""
    if image.mode in DEEP_MODES:
        sixteen = sixteen or image.mode.startswith("I;16")
        return Image.fromarray(_eight_bits(np.asarray(image), sixteen=sixteen))
    if image.mode in ALPHA_MODES or "transparency" in image.info:
        return image.convert("RGBA")  # resized with premultiplied alpha, so nothing bleeds into the edges
    return image.convert("L" if image.mode in ("1", "L") else "RGB")


def _eight_bits(values: npt.NDArray[Any], *, sixteen: bool) -> PixelArray:
    """Grey values of 16 or 32 bits or floats to 0..255, linearly, from the least usual range that holds them.

    Files of sixteen bits always span 0..65535: a dark picture stays dark.
    """
    if not np.isfinite(values).all():
        raise UnreadableImage("it holds NaN or infinite values")
    top = float(values.max())
    usual = (65535.0,) if sixteen else (1.0, 255.0, 65535.0) if values.dtype.kind == "f" else (255.0, 65535.0)
    ceiling = next((bound for bound in usual if top <= bound), top)
    return np.rint(np.clip(values.astype(np.float64) / ceiling, 0.0, 1.0) * 255.0).astype(np.uint8)
