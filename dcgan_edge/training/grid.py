"""The grid of samples of a run: which seeds and classes it shows, and how they are laid out."""

from __future__ import annotations

from dcgan_edge.architecture import Architecture
from dcgan_edge.classes import every_pair
from dcgan_edge.images import PixelArray, grid, square_grid, to_uint8
from dcgan_edge.latents import FloatArray

SEEDS = range(64)
ROWS, MOST_COLUMNS = 8, 16  # of a grid with a column for each class
PIXELS = 80  # an image in a grid is drawn about so wide; a digit of 28 at 3x


def grid_inputs(architecture: Architecture) -> FloatArray:
    """Return the inputs of a grid row by row: seeds 0-7 in each class, or seeds 0-63 without classes and with
    more than 16 of them.
    """
    columns = len(architecture.classes)
    if not 1 <= columns <= MOST_COLUMNS:
        return architecture.inputs(SEEDS)
    pairs = every_pair(architecture, SEEDS[:ROWS], range(columns))
    return architecture.inputs([seed for seed, _ in pairs], [number for _, number in pairs])


def grid_picture(images: FloatArray, architecture: Architecture) -> PixelArray:
    """Return the `images` (n, c, h, w) of `grid_inputs` as one picture (c, H, W): a column for each class, or
    a square.
    """
    pixels, columns = to_uint8(images), len(architecture.classes)
    return grid(pixels, ROWS, columns) if len(pixels) == ROWS * columns else square_grid(pixels)


def grid_scale(architecture: Architecture) -> int:
    """Return in how many screen pixels of a side a pixel is drawn."""
    return max(1, round(PIXELS / architecture.size))
