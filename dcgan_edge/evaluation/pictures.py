"""What the figures look like: images beside their nearest training images, classes as bars, rows of samples.

Drawn with Pillow alone, so that a device without matplotlib has them too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image, ImageDraw

from dcgan_edge.evaluation.memorisation import Neighbours
from dcgan_edge.images import PixelArray, encode_png, grid

PAIRS, COLUMNS = 48, 6  # of the picture of neighbours
BAR, CLASS_GAP, HEIGHT, MARGIN = 14, 14, 160, 28  # pixels
LINE = 16  # pixels of a line of text
COLOURS = ("#8a8a8a", "#2a78d6", "#e07b00", "#2f9e44", "#a23bc4", "#c92a2a")  # the first is of real images


def neighbours_png(pixels: PixelArray, neighbours: Neighbours, *, scale: int = 2) -> bytes:
    """Draw pairs, generated on the left and its nearest training image on the right; the most alike first.

    A picture of copies shows equal pairs at its top.
    """
    closest = np.argsort(neighbours.grey_levels, kind="stable")[:PAIRS]
    pairs = np.concatenate([pixels[closest], neighbours.images[closest]], axis=3)
    return encode_png(grid(pairs, -(-len(pairs) // COLUMNS), COLUMNS, gap=6), scale=scale)


def rows_png(rows: Mapping[str, PixelArray], *, scale: int = 2) -> bytes:
    """Draw a row of images (k, c, h, w) for each name, the name above it. Rows are equally long."""
    drawn = [
        (name, grid(pixels, 1, len(pixels)).repeat(scale, 1).repeat(scale, 2))
        for name, pixels in rows.items()
    ]
    width = max(row.shape[2] for _, row in drawn)
    canvas = Image.new("RGB", (width, sum(row.shape[1] + LINE for _, row in drawn)), "white")
    pen, top = ImageDraw.Draw(canvas), 0
    for name, row in drawn:
        pen.text((2, top + 2), name, fill="black")
        shown = row[0] if len(row) == 1 else np.moveaxis(row, 0, -1)
        canvas.paste(Image.fromarray(shown), (0, top + LINE))
        top += row.shape[1] + LINE
    return encode_png(np.moveaxis(np.asarray(canvas), -1, 0))


def classes_png(shares: Mapping[str, Sequence[float]]) -> bytes:
    """Draw bars: the share of each class, one colour for each name; the first name is the real images."""
    classes = len(next(iter(shares.values())))
    step = BAR * len(shares) + CLASS_GAP
    bottom = MARGIN + HEIGHT
    size = (MARGIN * 2 + classes * step, bottom + MARGIN + LINE * len(shares))
    canvas = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(canvas)
    tallest = max(max(values) for values in shares.values())
    pen.text((2, 2), f"share of each class; the tallest bar is {tallest:.1%}", fill="black")
    pen.line((MARGIN, bottom, size[0] - MARGIN, bottom), fill="black")
    for index, (name, values) in enumerate(shares.items()):
        colour = COLOURS[index % len(COLOURS)]
        for number, share in enumerate(values):
            left = MARGIN + number * step + index * BAR
            top = bottom - round(HEIGHT * share / tallest)
            if top < bottom:
                pen.rectangle((left, top, left + BAR - 2, bottom - 1), fill=colour)
        line = bottom + MARGIN + index * LINE
        pen.rectangle((MARGIN, line, MARGIN + 8, line + 8), fill=colour)
        pen.text((MARGIN + LINE, line - 2), name, fill="black")
    for number in range(classes):
        pen.text(
            (MARGIN + number * step + (step - CLASS_GAP) // 2 - 3, bottom + 4), str(number), fill="black"
        )
    return encode_png(np.moveaxis(np.asarray(canvas), -1, 0))
