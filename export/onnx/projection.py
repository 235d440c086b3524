"""The projection of latents, a transposed convolution of a single pixel, as the matrix product that it is.

Each output pixel meets one tap of the kernel, so the weight is a matrix (inputs, outputs x kernel), and all
images of a batch are one product.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import onnx
from onnx import NodeProto

from .rewriting import Rewriting, facts_of, padding, rewrite


def project_by_product(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return `model`, which is checked, with each transposed convolution of 1x1 pixels as a Gemm.

    An activation that follows is applied before the features become pixels, where runtimes fuse it.
    """
    return rewrite(model, "ConvTranspose", _project)


def project_with_channels_last(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return what `project_by_product` does, with the channels of a pixel beside each other in the product.

    A Transpose then calls them what they are. A runtime that computes convolutions with channels last skips
    it, where it would otherwise reorder the pixels.
    """
    return rewrite(model, "ConvTranspose", functools.partial(_project, channels_last=True))


def _project(graph: Rewriting, node: NodeProto, *, channels_last: bool = False) -> bool:
    """Add what takes the place of `node`. Returns whether something does."""
    weight, facts = graph.values(node.input[1]), facts_of(node)
    pixels, made = graph.shape(node.input[0])[2:], graph.shape(node.output[0])
    if weight is None or not pixels or any(size != 1 for size in pixels):
        return False
    kernel = weight.shape[2:]
    bias = graph.values(node.input[2]) if len(node.input) > 2 and node.input[2] else np.zeros(len(weight[0]))
    pads = padding(facts, kernel)
    special = any(facts.get("output_padding", ())) or "output_shape" in facts
    dilated = any(each > 1 for each in facts.get("dilations", ()))
    if bias is None or pads is None or special or dilated or facts.get("group", 1) > 1:
        return False
    taps = tuple(slice(less, size - more) for less, more, size in zip(*pads, kernel, strict=True))
    weight = weight[(slice(None), slice(None), *taps)]
    if made[1:] != weight.shape[1:] or 0 in weight.shape:
        return False
    count = math.prod(weight.shape[2:])
    biases = np.tile(bias, count) if channels_last else bias.repeat(count)
    if channels_last:
        weight = np.moveaxis(weight, 1, -1)
    inputs = [
        graph.add("Flatten", [node.input[0]], name=graph.fresh(f"{node.name}_Flatten"), axis=1),
        graph.weight(f"{node.name}_weight", weight.reshape(len(weight), -1)),
    ]
    if np.any(bias):
        inputs.append(graph.weight(f"{node.name}_bias", biases))
    product = graph.add("Gemm", inputs, name=node.name)
    result = node.output[0]
    activation = graph.take_activation(result)
    if activation is not None:
        result = activation.output[0]
        product = graph.add(activation.op_type, [product], name=activation.name, **facts_of(activation))
    shape = graph.weight(f"{node.name}_shape", [-1, *weight.shape[1:]], np.int64)
    name = graph.fresh(f"{node.name}_Reshape")
    if not channels_last:
        graph.add("Reshape", [product, shape], result, name=name)
        return True
    reshaped = graph.add("Reshape", [product, shape], name=name)
    first = [0, weight.ndim - 1, *range(1, weight.ndim - 1)]
    graph.add("Transpose", [reshaped], result, name=graph.fresh(f"{node.name}_Transpose"), perm=first)
    return True
