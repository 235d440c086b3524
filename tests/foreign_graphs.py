"""Generators as other programs write them, small, by onnx.helper: no framework is needed to make them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

DIM, SIDE = 8, 8
random = np.random.default_rng(0)


def node(op: str, inputs: list[str], output: str, name: str = "", **attributes: Any) -> NodeProto:
    return helper.make_node(op, inputs, [output], name, **attributes)


def weight(name: str, *shape: int, scale: float = 0.3) -> TensorProto:
    values = np.random.default_rng(sum(map(ord, name))).normal(0, scale, shape)
    return numpy_helper.from_array(np.asarray(values, np.float32), name)


def constant(name: str, values: Any, kind: type = np.int64) -> TensorProto:
    return numpy_helper.from_array(np.array(values, kind), name)


def port(name: str, shape: list[Any], kind: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def model(
    nodes: list[NodeProto],
    inputs: list[onnx.ValueInfoProto],
    outputs: list[onnx.ValueInfoProto],
    weights: list[TensorProto],
    opset: int = 18,
    domains: tuple[str, ...] = (),
) -> onnx.ModelProto:
    graph = helper.make_graph(nodes, "graph", inputs, outputs, weights)
    imports = [helper.make_opsetid("", opset), *(helper.make_opsetid(each, 1) for each in domains)]
    return helper.make_model(graph, opset_imports=imports, ir_version=8 if opset < 19 else 10)


BODY = [
    node("ConvTranspose", ["z4", "w1"], "c1", "first", kernel_shape=[4, 4]),
    node("BatchNormalization", ["c1", "gamma", "beta", "mean", "var"], "n1", "norm", epsilon=1e-3),
    node("Relu", ["n1"], "r1", "relu"),
    node(
        "ConvTranspose", ["r1", "w2"], "c2", "second", kernel_shape=[4, 4], strides=[2, 2], pads=[1, 1, 1, 1]
    ),
]
WEIGHTS = [
    weight("w1", DIM, 6, 4, 4),
    weight("w2", 6, 3, 4, 4),
    constant("gamma", random.uniform(0.5, 2, 6), np.float32),
    constant("beta", random.normal(0, 0.1, 6), np.float32),
    constant("mean", random.normal(0, 0.1, 6), np.float32),
    constant("var", random.uniform(0.5, 2, 6), np.float32),
]


def generator(
    end: str = "Tanh",
    *,
    batch: Any = "n",
    opset: int = 18,
    flat: bool = True,
    tail: list[NodeProto] | None = None,
) -> onnx.ModelProto:
    """Latents (batch, 8) or (batch, 8, 1, 1) to images (batch, 3, 8, 8), by two transposed convolutions."""
    shape = [batch, DIM] if flat else [batch, DIM, 1, 1]
    first = [node("Reshape", ["z", "to4"], "z4")] if flat else [node("Identity", ["z"], "z4")]
    last = tail if tail is not None else [node(end, ["c2"], "img", "end")]
    fixed = constant("to4", [-1 if isinstance(batch, str) else batch, DIM, 1, 1])
    return model(
        [*first, *BODY, *last],
        [port("z", shape)],
        [port("img", [batch, 3, SIDE, SIDE])],
        [fixed, *WEIGHTS],
        opset,
    )


def conditional(kind: int = TensorProto.INT64, classes: int = 5) -> onnx.ModelProto:
    """The same with a class: a number that looks up a row, or one weight for each class."""
    number = kind in (TensorProto.INT64, TensorProto.INT32)
    first = [
        node("Gather", ["table", "y"], "e") if number else node("MatMul", ["y", "table"], "e"),
        node("Concat", ["z", "e"], "ze", axis=1),
        node("Reshape", ["ze", "to4"], "z4"),
    ]
    label = port("y", ["n"] if number else ["n", classes], kind)
    weights = [constant("to4", [-1, DIM, 1, 1]), weight("table", classes, 3, scale=1.0), *WEIGHTS]
    last = node("Tanh", ["c2"], "img")
    inputs = [port("z", ["n", DIM - 3]), label]
    return model([*first, *BODY, last], inputs, [port("img", ["n", 3, SIDE, SIDE])], weights)


def saved(graph: onnx.ModelProto, folder: Path, name: str = "model.onnx") -> Path:
    path = folder / name
    path.write_bytes(graph.SerializeToString())
    return path
