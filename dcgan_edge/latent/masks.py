"""Which pixels of an image are known, and how much each known one says about the missing ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from dcgan_edge.errors import EdgeError, UsageError
from dcgan_edge.latents import FloatArray
from dcgan_edge.seeds import MAX_SEED

BoolArray = npt.NDArray[np.bool_]
SHARES = {"centre": 0.25, "random": 0.8, "left": 0.5}  # of the image that is missing, unless asked otherwise
SPELLINGS = {"center": "centre"}
WINDOW = 7  # pixels of a side


def make_mask(kind: str, size: int, *, share: float | None = None, seed: int = 0) -> BoolArray:
    """Return bool (size, size), True where a pixel is known.

    `centre` takes a square out of the middle, `left` columns from the left, `random` single pixels, drawn by
    `seed`; each to the nearest whole pixel of `share` of the image. Anything else is the path of a picture
    that is white where pixels are missing, resized as training pictures are.

    Raises UsageError for a share outside (0, 1), a missing file, and a mask that leaves all or nothing;
    EdgeError when the file is no picture.
    """
    kind = SPELLINGS.get(kind, kind)
    known = np.ones((size, size), np.bool_)
    if kind not in SHARES:
        if share is not None:
            raise UsageError("A mask from a file has its own share of missing pixels.")
        known = _mask_file(Path(kind), size)
    else:
        share = SHARES[kind] if share is None else share
        if not 0.0 < share < 1.0:
            raise UsageError(f"The missing share lies between 0 and 1, not {share}.")
        if kind == "centre":
            side = round(size * share**0.5)
            start = (size - side) // 2
            known[start : start + side, start : start + side] = False
        elif kind == "left":
            known[:, : round(size * share)] = False
        else:
            if not 0 <= seed <= MAX_SEED:
                raise UsageError(f"A seed is a whole number from 0 to 2**64-1, not {seed}.")
            order = np.argsort(np.random.Philox(key=seed).random_raw(known.size), kind="stable")
            known.flat[order[: round(known.size * share)]] = False
    if known.all() or not known.any():
        raise UsageError("The mask leaves " + ("nothing to restore." if known.all() else "no pixel known."))
    return known


def context_weights(known: BoolArray, *, window: int = WINDOW) -> FloatArray:
    """Return float32 of the mask's shape: for a known pixel the share of missing ones among those of the
    window around it that lie in the image; 0 for a missing pixel.

    Source: Yeh et al., arXiv:1607.07539, the weights of the context loss, with its window of 7 x 7.
    """
    missing, inside = _window_sums(~known, window), _window_sums(np.ones_like(known), window)
    return np.where(known, missing / inside, 0.0).astype(np.float32)


def _window_sums(flags: BoolArray, window: int) -> npt.NDArray[np.float64]:
    """The number of set pixels in the window around each pixel."""
    padded = np.pad(flags, window // 2).astype(np.float64)
    views = np.lib.stride_tricks.sliding_window_view(padded, (window, window))
    return np.asarray(views.sum(axis=(2, 3)))


def _mask_file(path: Path, size: int) -> BoolArray:
    from dcgan_edge.data.pixels import UnreadableImage, read_image

    if not path.is_file():
        kinds = ", ".join(SHARES)
        raise UsageError(
            f"There is no mask {path}; --mask takes {kinds}, or a picture with the hole in white."
        )
    try:
        return np.asarray(read_image(path, size, 1)[0] < 128)
    except UnreadableImage as error:
        raise EdgeError(f"Cannot read the mask {path}: {error}.") from error
