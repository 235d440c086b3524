"""Transposed convolutions as convolutions of the small image and a rearrangement of channels to pixels.

A transposed convolution of stride s makes s x s pixels of each place, each from its own taps: those are s x s
as many output channels of one convolution with a kernel s times smaller, and DepthToSpace puts them into
their places. The arithmetic is the same, but for the border that is cut off afterwards. It serves runtimes
whose convolutions are better than their transposed ones: ONNX Runtime has no INT8 ConvTranspose.
Source: Shi et al. 2016, "Is the deconvolution layer the same as a convolutional layer?", arXiv:1609.07009.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import NodeProto

from .rewriting import NO_END, Rewriting, Values, facts_of, rewrite


@dataclass(frozen=True)
class Spreading:
    """A layer of images as a transposed convolution: each pixel times `weight` (in, out, rows, columns) is
    added to where `stride` puts it, `bias` as well where it has one, and `crops` are cut off, before each
    axis and then after.
    """

    weight: Values
    bias: Values
    stride: int
    crops: tuple[int, ...]

    @classmethod
    def of(cls, graph: Rewriting, node: NodeProto) -> Spreading | None:
        """Return the ConvTranspose, or Conv of stride 1, `node`; None for one with groups, dilations, unequal
        strides, padding by other rules or nothing to compute.
        """
        weight, facts = graph.values(node.input[1]), facts_of(node)
        bias = graph.values(node.input[2]) if len(node.input) > 2 and node.input[2] else np.zeros(0)
        strides = facts.get("strides", (1, 1))
        plain = facts.get("auto_pad", "NOTSET") in ("NOTSET", "VALID") and "output_shape" not in facts
        dilated = any(each > 1 for each in facts.get("dilations", ()))
        if weight is None or bias is None or weight.ndim != 4 or len(set(strides)) > 1:
            return None
        if not plain or dilated or facts.get("group", 1) > 1 or 0 in weight.shape:
            return None
        pads, stride = tuple(facts.get("pads", (0,) * 4)), int(strides[0])
        if node.op_type == "ConvTranspose":
            return cls(weight, bias, stride, pads)
        if stride > 1:
            return None
        crops = tuple(taps - 1 - each for taps, each in zip(weight.shape[2:] * 2, pads, strict=True))
        return cls(weight.swapaxes(0, 1)[..., ::-1, ::-1], bias, 1, crops)


def to_subpixel(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return `model`, which is checked, with each transposed convolution of images as a Conv that keeps its
    name, and DepthToSpace; an activation that follows stays right behind the Conv.

    Those with groups, dilations or unequal strides stay as they are.
    """
    return rewrite(model, "ConvTranspose", rearrange)


def rearrange(graph: Rewriting, node: NodeProto) -> bool:
    """Add what takes the place of the ConvTranspose `node`. Returns whether something does."""
    layer = Spreading.of(graph, node)
    if layer is None:
        return False
    weight, bias, factor = layer.weight, layer.bias, layer.stride
    pads, kernel, crops = _borders(weight, facts_of(node), factor)
    if min(pads) < 0:
        return False
    inputs = [node.input[0], graph.weight(f"{node.name}_weight", phase_weight(weight, factor))]
    if len(bias):
        inputs.append(graph.weight(f"{node.name}_bias", np.tile(bias, factor**2)))
    steps: list[tuple[str, list[str], str, dict[str, Any]]] = [
        ("Conv", inputs, node.name, {"kernel_shape": kernel, "pads": pads})
    ]
    result, activation = node.output[0], graph.take_activation(node.output[0])
    if activation is not None:
        result = activation.output[0]
        steps.append((activation.op_type, [], activation.name, facts_of(activation)))
    if factor > 1:
        name = graph.fresh(f"{node.name}_DepthToSpace")
        steps.append(("DepthToSpace", [], name, {"blocksize": factor, "mode": "DCR"}))
    if any(crops):
        ends = [-crop or NO_END for crop in crops[2:]]
        cut = [
            graph.weight(f"{node.name}_{word}", values, np.int64)
            for word, values in (("starts", crops[:2]), ("ends", ends), ("axes", (2, 3)))
        ]
        steps.append(("Slice", cut, graph.fresh(f"{node.name}_Slice"), {}))
    made = ""
    for number, (op, others, name, settings) in enumerate(steps, start=1):
        last = result if number == len(steps) else None
        made = graph.add(op, [made, *others] if made else others, last, name=name, **settings)
    return True


def phase_weight(weight: Values, factor: int) -> Values:
    """Return the weight (factor**2 x out, in, *small kernel) of the convolution whose output channels are the
    pixels that the transposed convolution of `weight` (in, out, *kernel) makes of each place, row by row.
    """
    channels, outputs = weight.shape[:2]
    small = [-(-size // factor) for size in weight.shape[2:]]
    ends = [(0, factor * each - size) for each, size in zip(small, weight.shape[2:], strict=True)]
    whole = np.pad(weight, [(0, 0), (0, 0), *ends])
    split = whole.reshape(channels, outputs, small[0], factor, small[1], factor)
    phases = split.transpose(3, 5, 1, 0, 2, 4)[..., ::-1, ::-1]  # a convolution meets its taps backwards
    return np.ascontiguousarray(phases.reshape(-1, channels, *small))


def _borders(weight: Values, facts: dict[str, Any], factor: int) -> tuple[list[int], list[int], list[int]]:
    """What the convolution pads, its kernel, and the pixels cut off its image: before each axis, then after.

    Whole places are not made at all; single rows and columns of the enlarged image are cut off.
    """
    given, extra = facts.get("pads", (0, 0, 0, 0)), facts.get("output_padding", (0, 0))
    pads, kernel, crops = [0] * 4, [0] * 2, [0] * 4
    for axis, size in enumerate(weight.shape[2:]):
        kernel[axis] = -(-size // factor)
        ends = given[axis], factor * kernel[axis] - size + given[axis + 2] - extra[axis]
        for place, end in zip((axis, axis + 2), ends, strict=True):
            pads[place] = kernel[axis] - 1 - end // factor
            crops[place] = end % factor
    return pads, kernel, crops
