"""Graphs of one layer, and their images in float64: what an exact rewrite is held against."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

from dcgan_edge.export.onnx.checking import check_graph
from tests.foreign_graphs import model, port

Images = npt.NDArray[np.float64]
ROUNDING = 1e-12  # float64 sums of some hundred products of size 1, in another order


def short(name: str, *shape: int) -> TensorProto:
    """A weight of multiples of 1/64 up to 4: sums of a few are exact in float32, so forms can be equal."""
    values = np.random.default_rng(sum(map(ord, name))).integers(-256, 257, shape) / 64
    return numpy_helper.from_array(values.astype(np.float32), name)


def graph(
    nodes: list[NodeProto], source: list[Any], weights: list[TensorProto], result: str = "y"
) -> onnx.ModelProto:
    """A checked graph from `x` of the shape `source` to `result`, of as many axes."""
    made = port(result, [None] * len(source))
    return check_graph(model(nodes, [port("x", source)], [made], weights))


def exact(model: onnx.ModelProto, count: int = 2) -> Images:
    """What `model` makes of `count` fixed inputs, every number of it in float64."""
    wide = onnx.ModelProto()
    wide.CopyFrom(model)
    del wide.graph.value_info[:]
    for tensor in wide.graph.initializer:
        fixed = any(node.op_type == "Resize" and tensor.name in node.input for node in wide.graph.node)
        if tensor.data_type == TensorProto.FLOAT and not fixed:
            values = numpy_helper.to_array(tensor).astype(np.float64)
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    for value in (*wide.graph.input, *wide.graph.output):
        value.type.tensor_type.elem_type = TensorProto.DOUBLE
    shape = [axis.dim_value or count for axis in wide.graph.input[0].type.tensor_type.shape.dim]
    given = np.random.default_rng(0).normal(0, 1, shape)
    (found,) = ReferenceEvaluator(wide, new_ops=[ConvTranspose]).run(None, {wide.graph.input[0].name: given})
    return np.asarray(found, np.float64)


class ConvTranspose(OpRun):
    """By its definition, as ONNX's own mixes groups up: each pixel adds its value times the kernel to where
    the stride puts it.
    """

    def _run(self, *given: Any, **facts: Any) -> tuple[Images]:
        x, w, *bias = given
        groups, strides = facts.get("group") or 1, facts.get("strides") or (1, 1)
        top, left, bottom, right = facts.get("pads") or (0, 0, 0, 0)
        extra = facts.get("output_padding") or (0, 0)
        inner, outer = x.shape[1] // groups, w.shape[1]
        kernel = w.shape[2:]
        high, wide = ((x.shape[2 + a] - 1) * strides[a] + kernel[a] + extra[a] for a in (0, 1))
        made = np.zeros((len(x), groups * outer, high, wide))
        for group in range(groups):
            ins, outs = slice(group * inner, (group + 1) * inner), slice(group * outer, (group + 1) * outer)
            for row, column in np.ndindex(*x.shape[2:]):
                place = tuple(
                    slice(at * s, at * s + k) for at, s, k in zip((row, column), strides, kernel, strict=True)
                )
                made[(slice(None), outs, *place)] += np.einsum(
                    "ni,iohw->nohw", x[:, ins, row, column], w[ins]
                )
        if bias:
            made += bias[0].reshape(-1, 1, 1)
        return (made[:, :, top : high - bottom, left : wide - right],)


def operators(model: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in model.graph.node]


def assert_same(before: onnx.ModelProto, after: onnx.ModelProto) -> None:
    """Both make the same images up to float64 rounding, at the borders as well."""
    expected, found = exact(before), exact(after)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=0, atol=ROUNDING * max(1.0, np.abs(expected).max()))


def layer(op: str, inputs: list[str], **facts: Any) -> NodeProto:
    return helper.make_node(op, inputs, ["y"], "layer", **facts)
