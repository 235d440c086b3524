"""Half precision for operators that our own generators do not have: every graph stays valid and close."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import NodeProto, TensorProto, helper

from dcgan_edge.errors import ArtifactError, EdgeError
from dcgan_edge.export.onnx.checking import check_graph
from dcgan_edge.export.onnx.cost import count
from dcgan_edge.export.onnx.overflow import half_overflow
from dcgan_edge.export.onnx.precision import to_fp16
from dcgan_edge.latents import latents
from tests.foreign_graphs import constant, model, node, port, weight

SCALES, PADS = constant("scales", [1, 1, 2, 2], np.float32), constant("pads", [0, 0, 1, 1, 0, 0, 1, 1])
LOW, HIGH = constant("low", -3.4e38, np.float32), constant("high", 0.5, np.float32)
EPS, TWO, AXES = constant("eps", 1e-5, np.float32), constant("two", 2, np.float32), constant("axes", [2, 3])
ONE, FOUR = weight("one", 4, 1, 1), weight("four", 4)
ROW, LOST = constant("row", [0]), constant("lost", [[[[0.5]]]], np.float32)

# From `x` (batch, 4, 8, 8) to `y`, which has as many axes.
CASES: dict[str, tuple[list[NodeProto], list[TensorProto]]] = {
    "InstanceNormalization": ([node("InstanceNormalization", ["x", "four", "four"], "y")], [FOUR]),
    "PRelu": ([node("PRelu", ["x", "one"], "y")], [ONE]),
    "SiLU": ([node("Sigmoid", ["x"], "s"), node("Mul", ["x", "s"], "y")], []),
    "GELU by Erf": (
        [node("Div", ["x", "two"], "h"), node("Erf", ["h"], "e"), node("Mul", ["x", "e"], "y")], [TWO],
    ),
    "DepthToSpace": ([node("DepthToSpace", ["x"], "y", blocksize=2)], []),
    "Resize": ([node("Resize", ["x", "", "scales"], "y", mode="linear")], [SCALES]),
    "Pad": ([node("Pad", ["x", "pads"], "y", mode="reflect")], [PADS]),
    "Pad by a value": ([node("Pad", ["x", "pads", "low"], "p"), node("Tanh", ["p"], "y")], [PADS, LOW]),
    "Concat": ([node("Relu", ["x"], "r"), node("Concat", ["x", "r"], "y", axis=1)], []),
    "Split": (
        [helper.make_node("Split", ["x"], ["a", "b"], "", axis=1, num_outputs=2),
         node("Mul", ["a", "b"], "y")], [],
    ),
    "residual": ([node("Relu", ["x"], "r"), node("Add", ["r", "x"], "y")], []),
    "Where": (
        [node("Greater", ["x", "two"], "g"), node("Where", ["g", "x", "low"], "k"), node("Tanh", ["k"], "y")],
        [TWO, LOW],
    ),
    "Clip": ([node("Clip", ["x", "low", "high"], "y")], [LOW, HIGH]),
    "GlobalAveragePool": ([node("GlobalAveragePool", ["x"], "g"), node("Mul", ["x", "g"], "y")], []),
    "LayerNormalization": ([node("LayerNormalization", ["x", "eight"], "y")], [weight("eight", 8)]),
    "LayerNormalization with its mean": (
        [helper.make_node("LayerNormalization", ["x", "eight"], ["n", "m"]), node("Add", ["n", "m"], "y")],
        [weight("eight", 8)],
    ),
    "groups as instances": (
        [node("Reshape", ["x", "groups"], "g"), node("InstanceNormalization", ["g", "pair", "pair"], "i"),
         node("Shape", ["x"], "s"), node("Reshape", ["i", "s"], "y")],
        [weight("pair", 2), constant("groups", [0, 2, -1])],
    ),
    "normalisation in pieces": (
        [node("ReduceMean", ["x", "axes"], "m"), node("Sub", ["x", "m"], "d"), node("Pow", ["d", "two"], "q"),
         node("ReduceMean", ["q", "axes"], "v"), node("Add", ["v", "eps"], "u"), node("Sqrt", ["u"], "r"),
         node("Div", ["d", "r"], "y")], [AXES, TWO, EPS],
    ),
    "a cast to float32 that is there": (
        [node("Cast", ["x"], "c", to=TensorProto.FLOAT), node("Tanh", ["c"], "y")], [],
    ),
    "a cast through integers": (
        [node("Mul", ["x", "two"], "d"), node("Cast", ["d"], "i", to=TensorProto.INT32),
         node("Cast", ["i"], "y", to=TensorProto.FLOAT)], [TWO],
    ),
    "double in the middle": (
        [node("Cast", ["x"], "d", to=TensorProto.DOUBLE), node("Mul", ["d", "d"], "e"),
         node("Cast", ["e"], "y", to=TensorProto.FLOAT)], [],
    ),
    "shapes computed in floats": (
        [node("Shape", ["x"], "s", start=2), node("Cast", ["s"], "f", to=TensorProto.FLOAT),
         node("Mul", ["f", "two"], "t"), node("Cast", ["t"], "z", to=TensorProto.INT64),
         node("Resize", ["x", "", "", "z"], "y", mode="nearest", axes=[2, 3])], [TWO],
    ),
    "constants that are computed": (
        [node("Shape", ["x"], "s"),
         node("ConstantOfShape", ["s"], "k", value=constant("v", [1.5], np.float32)),
         node("Mul", ["x", "k"], "y")], [],
    ),
    "Range": (
        [node("Constant", [], "start", value_float=0.0), node("Constant", [], "end", value_float=8.0),
         node("Constant", [], "step", value_float=1.0), node("Range", ["start", "end", "step"], "r"),
         node("Add", ["x", "r"], "y")], [],
    ),
    "quantised": (
        [node("QuantizeLinear", ["x", "eps2", "zero"], "q"),
         node("DequantizeLinear", ["q", "eps2", "zero"], "y")],
        [constant("eps2", 0.03125, np.float32), constant("zero", 0, np.int8)],
    ),
    "a label's path": (
        [node("ArgMax", ["x"], "a", axis=1, keepdims=1), node("Cast", ["a"], "f", to=TensorProto.FLOAT),
         node("Mul", ["x", "f"], "y")], [],
    ),
    "a weight that two precisions read": (
        [node("Mul", ["x", "lost"], "m"), node("Relu", ["m"], "r"), node("Add", ["r", "lost"], "y", "kept")],
        [LOST],
    ),
}  # fmt: skip


def graph(nodes: list[NodeProto], weights: list[TensorProto]) -> onnx.ModelProto:
    """`nodes` behind a convolution of latents (batch, 8, 1, 1) to 4 x 8 x 8, `y` before a tanh."""
    inner = [
        node("ConvTranspose", ["latents", "w"], "x", "conv"),
        *nodes,
        node("Tanh", ["y"], "images", "end"),
    ]
    for index, each in enumerate(inner):
        each.name = each.name or f"{each.op_type}_{index}"
    made = model(
        inner, [port("latents", ["batch", 8, 1, 1])], [port("images", ["batch", None, None, None])],
        [weight("w", 8, 4, 8, 8, scale=0.5), *weights],
    )  # fmt: skip
    return check_graph(made)


def run(graph: onnx.ModelProto) -> Any:
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"latents": latents(range(3), 8)})[0]


@pytest.mark.parametrize("case", CASES)
def test_operators_of_others_are_typed(case: str) -> None:
    whole = graph(*CASES[case])
    kept = ["kept"] if any(each.name == "kept" for each in whole.graph.node) else []
    half = to_fp16(whole, keep_fp32=kept)
    types = {value.name: value.type.tensor_type.elem_type for value in half.graph.value_info}
    assert types["x"] == TensorProto.FLOAT16, "the convolution computes in half"
    assert {each.type.tensor_type.elem_type for each in (half.graph.input[0], half.graph.output[0])} == {1}
    # Values of up to about 4 before the tanh, rounded to 11 bits a few times; a cast to integers may fall on
    # the other side of a step, which is one of 2.
    atol = 1.0 if "integers" in case else 0.05 if "quantised" in case or "label" in case else 0.012
    np.testing.assert_allclose(run(half), run(whole), atol=atol)
    if "label" not in case:
        assert count(whole).flops > 0


def test_scales_shapes_and_kept_weights_stay_float32() -> None:
    types = {each.name: each.data_type for each in to_fp16(graph(*CASES["Resize"])).graph.initializer}
    assert types == {"w": TensorProto.FLOAT16, "scales": TensorProto.FLOAT}
    shared = to_fp16(graph(*CASES["a weight that two precisions read"]), keep_fp32=["kept"])
    assert {each.name: each.data_type for each in shared.graph.initializer}["lost"] == TensorProto.FLOAT
    paths = to_fp16(graph(*CASES["shapes computed in floats"]))
    assert {each.name: each.type.tensor_type.elem_type for each in paths.graph.value_info}["t"] == 1


def test_bounds_beyond_half_become_its_ends() -> None:
    bounds = {each.name: each for each in to_fp16(graph(*CASES["Clip"])).graph.initializer}
    assert onnx.numpy_helper.to_array(bounds["low"]) == -65504


@pytest.mark.parametrize("value", [1e5, np.inf, np.nan])
def test_weights_beyond_half_are_named_with_who_reads_them(value: float) -> None:
    with pytest.raises(EdgeError, match=r"big.*--keep-fp32 scale"):
        to_fp16(graph([node("Mul", ["x", "big"], "y", "scale")], [constant("big", value, np.float32)]))


def test_values_beyond_half_are_found_by_running() -> None:
    nodes = [
        node("Mul", ["x", "big"], "m", "up"),
        node("Mul", ["m", "m"], "q", "square"),
        node("Neg", ["q"], "y"),
    ]
    whole = graph(nodes, [constant("big", 300, np.float32)])
    sentence = half_overflow(whole, to_fp16(whole), latents(range(4), 8), 1e4)
    assert "--keep-fp32 square --keep-fp32 Neg_3" in sentence
    kept = to_fp16(whole, keep_fp32=["square", "Neg_3", "end"])
    assert half_overflow(whole, kept, latents(range(4), 8), 1e4) == ""


def test_what_is_random_or_branches_is_refused() -> None:
    with pytest.raises(ArtifactError, match="noise"):
        to_fp16(graph([node("RandomNormalLike", ["x"], "n", "noise"), node("Add", ["x", "n"], "y")], []))
