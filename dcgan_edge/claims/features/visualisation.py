"""The filters of a discriminator layer as pictures: what excites them most, trained beside untrained.

Source: DCGAN, arXiv:1511.06434, section 6.2: guided backpropagation of the strongest responses of
the last convolution layer over the training images, beside those of random filters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from dcgan_edge.claims.features.classification import untrained
from dcgan_edge.claims.features.guided import guided_gradients
from dcgan_edge.claims.features.receptive import Field, receptive_field
from dcgan_edge.data import open_data
from dcgan_edge.errors import UsageError
from dcgan_edge.files import StrPath, check_writable, write_atomic
from dcgan_edge.images import PixelArray, check_grid, encode_png, from_uint8, grid, to_uint8
from dcgan_edge.latents import FloatArray
from dcgan_edge.training.activations import BATCH, Layer, convolutions, recorded
from dcgan_edge.training.checkpoint import load_discriminator
from dcgan_edge.training.steps import to_network

BACKGROUND = 0.0  # grey, for what lies outside the image


@dataclass(frozen=True)
class Responses:
    """The strongest responses of filters of one layer, f filters by k images.

    `filters` (f,), `images` (f, k) places in the data, `units` (f, k, 2) row and column, `values` (f, k);
    `gradients` and `patches` float32 (f, k, c, p, p) are what guided backpropagation and the image have in
    the p x p pixels that the unit sees.
    """

    layer: str
    field: Field
    filters: npt.NDArray[np.int64]
    images: npt.NDArray[np.int64]
    units: npt.NDArray[np.int64]
    values: FloatArray
    gradients: FloatArray
    patches: FloatArray

    def to_dict(self) -> dict[str, Any]:
        """Return which filters answered to which images, and how strongly, as JSON has it."""
        return {
            "layer": self.layer,
            "field_pixels": self.field.size,
            "filters": self.filters.tolist(),
            "images": self.images.tolist(),
            "units": self.units.tolist(),
            "responses": self.values.tolist(),
        }


@dataclass(frozen=True)
class FilterPictures:
    """The two pictures that were written, and the responses that they show, trained and untrained."""

    files: tuple[Path, ...]
    facts: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return the responses and the paths as JSON has them."""
        return {**self.facts, "files": [str(path) for path in self.files]}


def visualize_filters(
    checkpoint: StrPath,
    out: StrPath = "filters",
    *,
    data: str = "digits",
    count: int = 2000,
    layer: str | None = None,
    filters: int = 12,
    each: int = 6,
    scale: int = 4,
    progress: Callable[[str], None] = lambda step: None,
) -> FilterPictures:
    """Draw what excites the filters of a discriminator layer most, beside those of an untrained network.

    Of up to `count` training images of `data`, the `each` that excite each of `filters` filters of `layer`
    (None: the last one) most are drawn into `out`: by guided backpropagation (guided.png) and as the patches
    that the filters see (patches.png), each pixel `scale` x `scale`.

    Raises UsageError for a discriminator without convolutions, a layer that it does not have and numbers out
    of range, ArtifactError for a checkpoint that is refused, and EdgeError when `out` cannot be written.
    """
    numbers = {"images": (count, 1_000_000), "filters": (filters, 256), "images of each": (each, 64)}
    for name, (number, most) in (numbers | {"times as large": (scale, 64)}).items():
        if not 1 <= number <= most:
            raise UsageError(f"A picture of filters takes 1 to {most:,} {name}, not {number}.")
    paths = {"gradients": Path(out) / "guided.png", "patches": Path(out) / "patches.png"}
    check_writable(paths["gradients"])
    discriminator, config = load_discriminator(Path(checkpoint))
    architecture = config.architecture
    check_grid(filters, 2 * each + 1, architecture.size, scale=scale)
    progress("reading images")
    pixels = some_images(data, architecture.size, architecture.channels, count)
    progress("searching for the strongest responses")
    sides = {
        "trained": strongest(discriminator, pixels, layer=layer, filters=filters, each=each),
        "untrained": strongest(
            untrained(architecture, 0, config.discriminator), pixels, layer=layer, filters=filters, each=each
        ),
    }
    for kind, path in paths.items():
        write_atomic(path, encode_png(draw_responses(list(sides.values()), kind), scale=scale))
    facts = {
        "checkpoint": str(checkpoint),
        "data": data,
        "images": len(pixels),
        **{name: side.to_dict() for name, side in sides.items()},
    }
    return FilterPictures(tuple(paths.values()), facts)


def some_images(source: str, size: int, channels: int, count: int) -> PixelArray:
    """Return up to `count` training images of `source`, uint8 (n, c, size, size), always the same ones."""
    data = open_data(source, size, channels)
    count = min(count, len(data))
    batch: torch.Tensor = next(iter(data.batches(count, seed=0, epoch=0)))
    return np.asarray(batch.numpy())


def strongest(
    discriminator: nn.Module, pixels: PixelArray, *, layer: str | None, filters: int, each: int
) -> Responses:
    """Find the `each` images of `pixels`, uint8 (n, c, h, w), that excite filters of `layer` most (None: of
    the last layer).

    Shown are the `filters` filters with the strongest responses; an image counts once for a filter.

    Raises UsageError for a discriminator without convolutions, an unknown layer, or fewer images than `each`.
    """
    chosen = _layer(discriminator, layer)
    if each > len(pixels):
        raise UsageError(f"{each} images per filter cannot be shown: there are {len(pixels)}.")
    peaks, places, side = _peaks(discriminator, chosen, pixels)
    best = np.sort(peaks, axis=0)[-each:].mean(axis=0)
    shown = np.argsort(-best, kind="stable")[: min(filters, peaks.shape[1])]
    images = np.argsort(-peaks[:, shown], axis=0, kind="stable")[:each].T  # (f, k)
    flat = places[images, shown[:, None]]
    units = np.stack([flat // side, flat % side], axis=-1)
    which = np.concatenate([np.broadcast_to(shown[:, None, None], (*images.shape, 1)), units], axis=-1)
    gradients = guided_gradients(discriminator, chosen, pixels[images.ravel()], which.reshape(-1, 3))
    field = receptive_field(discriminator, chosen)
    shape = (*images.shape, pixels.shape[1], field.size, field.size)
    return Responses(
        chosen.name,
        field,
        shown,
        images,
        units,
        peaks[images, shown[:, None]],
        _patches(gradients, units.reshape(-1, 2), field).reshape(shape),
        _patches(from_uint8(pixels[images.ravel()]), units.reshape(-1, 2), field).reshape(shape),
    )


def draw_responses(sides: list[Responses], kind: str) -> PixelArray:
    """Draw one picture (c, H, W) of the "gradients" or the "patches".

    It has a row for each filter, and the blocks of `sides` from left to right. Each gradient is scaled to its
    own largest value; grey is none.
    """
    rows = min(len(side.filters) for side in sides)
    blocks = []
    for side in sides:
        images = side.gradients if kind == "gradients" else side.patches
        if kind == "gradients":
            images = images / np.maximum(np.abs(images).max(axis=(2, 3, 4), keepdims=True), 1e-30)
        blocks.append(np.pad(images[:rows], ((0, 0), (0, 1), (0, 0), (0, 0), (0, 0)), constant_values=1.0))
    cells = np.concatenate(blocks, axis=1)[:, :-1]  # no blank column after the last block
    flat = cells.reshape(-1, *cells.shape[2:]).astype(np.float32)
    return grid(to_uint8(flat), rows, cells.shape[1])


def _layer(discriminator: nn.Module, name: str | None) -> Layer:
    layers = convolutions(discriminator)
    names = [layer.name for layer in layers]
    if name is not None and name not in names:
        raise UsageError(f"This discriminator has no convolution layer {name}; it has {', '.join(names)}.")
    return layers[-1 if name is None else names.index(name)]


def _peaks(
    discriminator: nn.Module, layer: Layer, pixels: PixelArray
) -> tuple[FloatArray, npt.NDArray[np.int64], int]:
    """The largest response (n, filters) of each filter in each image, its flat place, the layer's width."""
    values, places, side = [], [], 1
    with torch.inference_mode(), recorded([layer]) as outputs:
        for start in range(0, len(pixels), BATCH):
            discriminator(to_network(torch.tensor(pixels[start : start + BATCH])))
            output = outputs[layer.name]
            largest = output.flatten(2).max(dim=2)
            values.append(largest.values.numpy())
            places.append(largest.indices.numpy())
            side = output.shape[3]
    return np.concatenate(values), np.concatenate(places), side


def _patches(images: FloatArray, units: npt.NDArray[np.int64], field: Field) -> FloatArray:
    """(n, c, h, w) -> (n, c, p, p): what the unit in row and column `units` (n, 2) of each image sees."""
    margin = field.size + abs(field.start)
    padded = np.pad(images, ((0, 0), (0, 0), (margin, margin), (margin, margin)), constant_values=BACKGROUND)
    cut = []
    for image, (row, column) in zip(padded, units.tolist(), strict=True):
        top, left = (field.span(place)[0] + margin for place in (row, column))
        cut.append(image[:, top : top + field.size, left : left + field.size])
    return np.stack(cut)
