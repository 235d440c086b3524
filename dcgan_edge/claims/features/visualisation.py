"""The filters of a discriminator layer as pictures: what excites them most, trained beside untrained.

Source: DCGAN, arXiv:1511.06434, section 6.2: guided backpropagation of the strongest responses of
the last convolution layer over the training images, beside those of random filters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from dcgan_edge.claims.features.guided import guided_gradients
from dcgan_edge.claims.features.receptive import Field, receptive_field
from dcgan_edge.data import open_data
from dcgan_edge.errors import UsageError
from dcgan_edge.images import PixelArray, from_uint8, grid, to_uint8
from dcgan_edge.latents import FloatArray
from dcgan_edge.training.activations import BATCH, Layer, convolutions, recorded
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
        return {
            "layer": self.layer,
            "field_pixels": self.field.size,
            "filters": self.filters.tolist(),
            "images": self.images.tolist(),
            "units": self.units.tolist(),
            "responses": self.values.tolist(),
        }


def some_images(source: str, size: int, channels: int, count: int) -> PixelArray:
    """Up to `count` training images of `source`, uint8 (n, channels, size, size), always the same ones."""
    data = open_data(source, size, channels)
    count = min(count, len(data))
    batch: torch.Tensor = next(iter(data.batches(count, seed=0, epoch=0)))
    return np.asarray(batch.numpy())


def strongest(
    discriminator: nn.Module, pixels: PixelArray, *, layer: str | None, filters: int, each: int
) -> Responses:
    """The `each` images that excite each of `filters` filters of `layer` (None: the last) most, over `pixels`
    uint8 (n, c, h, w). Shown are the filters with the strongest responses; an image counts once for a filter.

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
    """One picture (c, H, W) of the "gradients" or the "patches": a row for each filter, and the blocks of
    `sides` from left to right. Each gradient is scaled to its own largest value; grey is none.
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
