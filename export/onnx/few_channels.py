"""Layers of few output channels, such as the one that paints, in the form that a CPU runtime is quick at.

A picture has 1 or 3 channels where a vector holds 16 numbers. OpenVINO computes 16 channels whatever there
are, and a layer that makes several pixels at once has that many to compute. ONNX Runtime multiplies by a
matrix with a row for each channel, and has one for each tap as well where the layer is transposed.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import onnx
from onnx import NodeProto

from .rewriting import Rewriting, Shape, rewrite
from .subpixel import Spreading, rearrange

VECTOR = 16  # float32 values of the widest vectors of a CPU, which hold output channels
FEW = VECTOR // 4  # channels that fit into a vector for 2x2 pixels


def few_channels_by_subpixels(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return `model`, which is checked, with each layer of few output channels making as many pixels at once
    as fit into a vector: a Conv that keeps its name, and DepthToSpace.
    """
    return rewrite(rewrite(model, "Conv", _in_squares), "ConvTranspose", _rearrange)


def few_channels_transposed(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return `model`, which is checked, with each convolution of stride 1 to few output channels as the
    transposed convolution that it equals.
    """
    return rewrite(model, "Conv", _transpose)


def _rearrange(graph: Rewriting, node: NodeProto) -> bool:
    """Add what takes the place of a ConvTranspose whose pixels fit into a vector. Returns whether they do.

    Squares no larger than its stride cost less as 2x2 taps and a border that is cut off than as 3x3 taps
    without one.
    """
    if _in_squares(graph, node):
        return True
    layer = Spreading.of(graph, node)
    fits = layer is not None and layer.stride > 1 and layer.stride**2 * layer.weight.shape[1] <= VECTOR
    return fits and rearrange(graph, node)


def _in_squares(graph: Rewriting, node: NodeProto) -> bool:
    """Add a Conv that makes squares of pixels, larger than the stride, and what puts them into their places.
    Returns whether it can.
    """
    layer = Spreading.of(graph, node)
    before, after = (_pixels(graph.shape(name)) for name in (node.input[0], node.output[0]))
    if layer is None or not before or not after:
        return False
    channels, outputs = layer.weight.shape[:2]
    sides = range(math.isqrt(VECTOR // outputs), layer.stride, -1)
    side = next((n for n in sides if n % layer.stride == 0 and not any(size % n for size in after)), None)
    if side is None:
        return False
    step = side // layer.stride
    taps, starts = zip(*(_taps(layer, axis, side) for axis in (0, 1)), strict=True)
    reach = [each.shape[1] for each in taps]
    ends = [
        (size // side - 1) * step + start + far - given
        for size, given, start, far in zip(after, before, starts, reach, strict=True)
    ]
    pads = [*(-start for start in starts), *ends]
    if min(pads) < 0:
        return False
    padded = np.pad(layer.weight, [(0, 0), (0, 0), (0, 1), (0, 1)])
    squares = padded[:, :, taps[0][:, :, None, None], taps[1]]  # in, out, row, down, column, right
    weight = squares.transpose(2, 4, 1, 0, 3, 5).reshape(-1, channels, *reach)
    inputs = [node.input[0], graph.weight(f"{node.name}_weight", weight)]
    if np.any(layer.bias):
        inputs.append(graph.weight(f"{node.name}_bias", np.tile(layer.bias, side**2)))
    made = graph.add("Conv", inputs, name=node.name, kernel_shape=reach, pads=pads, strides=[step, step])
    name = graph.fresh(f"{node.name}_DepthToSpace")
    graph.add("DepthToSpace", [made], node.output[0], name=name, blocksize=side, mode="DCR")
    return True


def _pixels(shape: Shape) -> list[int]:
    """Return rows and columns of images of `shape`, nothing where they are not known."""
    sizes = [size for size in shape[2:] if isinstance(size, int)]
    return sizes if len(sizes) == 2 else []


def _taps(layer: Spreading, axis: int, side: int) -> tuple[npt.NDArray[np.int64], int]:
    """Which tap of an axis each of `side` pixels in a row (rows) takes of each input pixel (columns), one
    beyond the last for none, and where these input pixels start for the first place.

    Pixel r is the sum of x[j] w[r + crop - stride j] over all j for which there is such a tap.
    """
    kernel, crop = layer.weight.shape[2 + axis], layer.crops[axis]
    first, last = (crop - kernel) // layer.stride + 1, (side - 1 + crop) // layer.stride
    tap = np.arange(side)[:, None] + crop - layer.stride * np.arange(first, last + 1)
    return np.where((tap >= 0) & (tap < kernel), tap, kernel), first


def _transpose(graph: Rewriting, node: NodeProto) -> bool:
    """Add the ConvTranspose that takes the place of the Conv `node`. Returns whether it can."""
    layer = Spreading.of(graph, node)
    if layer is None or layer.weight.shape[1] > FEW or min(layer.crops) < 0:
        return False
    inputs = [node.input[0], graph.weight(f"{node.name}_weight", layer.weight), *node.input[2:]]
    kernel = list(layer.weight.shape[2:])
    graph.add(
        "ConvTranspose", inputs, node.output[0], name=node.name, kernel_shape=kernel, pads=list(layer.crops)
    )
    return True
