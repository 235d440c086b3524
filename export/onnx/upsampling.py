"""Nearest-neighbour upsampling and a convolution in one: a transposed convolution that makes the same images.

Upsampling by s repeats each pixel s times, so that neighbouring taps of the convolution meet equal pixels:
their sums are the taps of a transposed convolution of stride s. Of a 3x3 kernel and s = 2 it is 4x4, and each
pixel costs 4 multiply-adds for 9. It holds at the borders too: pixels outside are zero in both forms, as the
repeated image ends where the last pixel's repetitions end.
Source: Colbert, Kreutz-Delgado, Das 2021, "An Energy-Efficient Edge Computing Paradigm for Convolution-Based
Image Upsampling", IEEE Access, doi:10.1109/ACCESS.2021.3123938.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from onnx import NodeProto

from .rewriting import Rewriting, Values, facts_of, padding, rewrite

COORDINATES: dict[str, Callable[[float, float], float]] = {  # of an output pixel, by the scale
    "asymmetric": lambda pixel, scale: pixel / scale,
    "half_pixel": lambda pixel, scale: (pixel + 0.5) / scale - 0.5,
    "pytorch_half_pixel": lambda pixel, scale: (pixel + 0.5) / scale - 0.5,
}
NEAREST: dict[str, Callable[[float], int]] = {
    "floor": math.floor,
    "ceil": math.ceil,
    "round_prefer_floor": lambda place: math.ceil(place - 0.5),
    "round_prefer_ceil": lambda place: math.floor(place + 0.5),
}


def fuse_upsampling(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return `model`, which is checked, with each convolution that reads an image enlarged by repeated pixels
    as one transposed convolution of the small image, where that is less arithmetic.

    Other enlargements, and convolutions with strides or dilations, stay as they are.
    """
    return rewrite(model, "Conv", _fuse)


def _fuse(graph: Rewriting, conv: NodeProto) -> bool:
    """Add what takes the place of `conv` and the enlargement before it. Returns whether something does."""
    enlargement, weight = graph.maker(conv.input[0]), graph.values(conv.input[1])
    if enlargement is None or weight is None:
        return False
    factors = _repeats(graph, enlargement)
    facts, kernel = facts_of(conv), weight.shape[2:]
    pads = padding(facts, kernel)
    plain = all(each == 1 for name in ("strides", "dilations") for each in facts.get(name, ()))
    if factors is None or pads is None or not plain:
        return False
    enlarged = tuple(size + factor - 1 for size, factor in zip(kernel, factors, strict=True))
    cropped = [size - 1 - pad for ends in pads for size, pad in zip(kernel, ends, strict=True)]
    if min(cropped) < 0 or math.prod(enlarged) >= math.prod(kernel) * math.prod(factors):
        return False
    groups = facts.get("group", 1)
    values = transposed_weight(weight, factors, groups)
    graph.add(
        "ConvTranspose",
        [enlargement.input[0], graph.weight(f"{conv.name}_weight", values), *conv.input[2:]],
        conv.output[0],
        name=conv.name,
        kernel_shape=enlarged,
        strides=factors,
        pads=cropped,
        **({"group": groups} if groups > 1 else {}),
    )
    return True


def transposed_weight(weight: Values, factors: tuple[int, ...], groups: int = 1) -> Values:
    """Return the weight (in, out / groups, *kernel) of the transposed convolution of strides `factors` that
    equals repeating pixels and the convolution of `weight` (out, in / groups, *kernel).
    """
    for axis, factor in enumerate(factors, start=2):
        flipped = np.flip(weight, axis)
        ends = [(0, 0)] * weight.ndim
        weight = np.zeros(())
        for shift in range(factor):
            ends[axis] = (shift, factor - 1 - shift)
            weight = weight + np.pad(flipped, ends)
    split = weight.reshape(groups, -1, *weight.shape[1:]).swapaxes(1, 2)
    return np.ascontiguousarray(split.reshape(-1, *split.shape[2:]))


def _repeats(graph: Rewriting, node: NodeProto) -> tuple[int, ...] | None:
    """How often a Resize repeats each pixel along each axis; None where it is none that repeats them."""
    facts = facts_of(node)
    source, result = graph.shape(node.input[0]), graph.shape(node.output[0])
    if node.op_type != "Resize" or facts.get("mode", "nearest") != "nearest" or facts.get("antialias", 0):
        return None
    scaled = len(node.input) > 2 and bool(node.input[2])
    scales = graph.values(node.input[2]) if scaled else None
    if len(source) < 3 or len(source) != len(result):
        return None
    if scaled and (scales is None or len(scales) != len(source)):
        return None
    if np.any(scales[:2] != 1) if scales is not None else source[:2] != result[:2]:
        return None
    factors = []
    for axis, (small, large) in enumerate(zip(source[2:], result[2:], strict=True), start=2):
        if not isinstance(small, int) or not isinstance(large, int) or small < 1 or large % small:
            return None
        scale = float(scales[axis]) if scales is not None else large / small
        if not _repeats_pixels(facts, small, large, scale):
            return None
        factors.append(large // small)
    return tuple(factors)


def _repeats_pixels(facts: dict[str, Any], small: int, large: int, scale: float) -> bool:
    """Whether every output pixel of a nearest Resize along one axis is that of its repetition."""
    place = COORDINATES.get(facts.get("coordinate_transformation_mode", "half_pixel"))
    nearest = NEAREST.get(facts.get("nearest_mode", "round_prefer_floor"))
    if place is None or nearest is None:
        return False
    found = (min(max(nearest(place(pixel, scale)), 0), small - 1) for pixel in range(large))
    return all(each == pixel * small // large for pixel, each in enumerate(found))
