"""BatchNorm is folded wherever it stands, and what the graph makes stays the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import NodeProto, TensorProto

from dcgan_edge.errors import ArtifactError
from dcgan_edge.export.onnx.folding import fold_batch_norm
from dcgan_edge.export.onnx.shapes import resolve
from tests.foreign_graphs import constant, model, node, port, weight

random = np.random.default_rng(3)


def norm(source: str, result: str, channels: int, name: str = "norm") -> tuple[NodeProto, list[TensorProto]]:
    names = [f"{name}_{each}" for each in ("gamma", "beta", "mean", "var")]
    values = [random.uniform(0.5, 2, channels), random.normal(0, 1, channels), random.normal(0, 1, channels),
              random.uniform(0.1, 4, channels)]  # fmt: skip
    made = node("BatchNormalization", [source, *names], result, name, epsilon=1e-3)
    return made, [constant(each, value, np.float32) for each, value in zip(names, values, strict=True)]


VECTOR: list[Any] = ["n", 6]
PLANES: list[Any] = ["n", 6, 5, 5]
BEFORE: dict[str, tuple[list[NodeProto], list[TensorProto], list[Any], int]] = {
    "convolution": ([node("Conv", ["x", "k"], "a")], [weight("k", 8, 6, 3, 3)], PLANES, 8),
    "convolution with a bias in groups": (
        [node("Conv", ["x", "k", "b"], "a", group=2)], [weight("k", 8, 3, 3, 3), weight("b", 8)], PLANES, 8,
    ),
    "transposed convolution": (
        [node("ConvTranspose", ["x", "k"], "a", strides=[2, 2])], [weight("k", 6, 8, 4, 4)], PLANES, 8,
    ),
    "transposed convolution in groups": (
        [node("ConvTranspose", ["x", "k"], "a", group=2)], [weight("k", 6, 4, 3, 3)], PLANES, 8,
    ),
    "dense": (
        [node("Gemm", ["x", "k", "b"], "a", transB=1, beta=0.5)],
        [weight("k", 8, 6), weight("b", 8)], VECTOR, 8,
    ),
    "dense, not transposed": ([node("Gemm", ["x", "k"], "a", alpha=2.0)], [weight("k", 6, 8)], VECTOR, 8),
    "product and sum": (
        [node("MatMul", ["x", "k"], "m"), node("Add", ["b", "m"], "a")],
        [weight("k", 6, 8), weight("b", 8)], VECTOR, 8,
    ),
}  # fmt: skip
APART: dict[str, tuple[list[NodeProto], list[TensorProto], list[Any], int]] = {
    "an activation": ([node("Relu", ["x"], "a")], [], PLANES, 6),
    "the input": ([node("Identity", ["x"], "a")], [], VECTOR, 6),
    "a product alone": ([node("MatMul", ["x", "k"], "a")], [weight("k", 6, 8)], VECTOR, 8),
    "what something else reads": (
        [node("Conv", ["x", "k"], "a"), node("Relu", ["a"], "other")], [weight("k", 8, 6, 3, 3)], PLANES, 8,
    ),
}  # fmt: skip


def graph(case: tuple[list[NodeProto], list[TensorProto], list[Any], int]) -> onnx.ModelProto:
    nodes, weights, shape, channels = case
    last, statistics = norm("a", "y", channels)
    axes = [None] * len(shape)
    outputs = [port("y", axes), *(port("other", axes) for each in nodes if each.output[0] == "other")]
    return model([*nodes, last], [port("x", shape)], outputs, [*weights, *statistics])


def run(graph: onnx.ModelProto, shape: list[Any]) -> np.ndarray:
    x = np.random.default_rng(1).normal(0, 1, [3 if size == "n" else int(size) for size in shape])
    session = onnxruntime.InferenceSession(graph.SerializeToString())
    found: np.ndarray = session.run(["y"], {"x": x.astype(np.float32)})[0]
    return found


def folded(graph: onnx.ModelProto) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(graph)
    return fold_batch_norm(copy, {name: len(shape) for name, (shape, _) in resolve(graph, 1).tensors.items()})


@pytest.mark.parametrize("case", BEFORE)
def test_it_becomes_part_of_the_weights_before_it(case: str) -> None:
    whole = graph(BEFORE[case])
    found = folded(whole)
    assert [each.op_type for each in found.graph.node] == [each.op_type for each in BEFORE[case][0]]
    # Sums of up to 54 products of size 1 in another order.
    np.testing.assert_allclose(run(found, BEFORE[case][2]), run(whole, BEFORE[case][2]), atol=2e-5)


@pytest.mark.parametrize("case", APART)
def test_elsewhere_it_becomes_a_factor_and_a_sum(case: str) -> None:
    whole = graph(APART[case])
    found = folded(whole)
    assert [each.op_type for each in found.graph.node][-2:] == ["Mul", "Add"]
    np.testing.assert_allclose(run(found, APART[case][2]), run(whole, APART[case][2]), atol=2e-5)


def test_weights_that_two_layers_share_are_scaled_for_one_only() -> None:
    nodes = [
        node("Conv", ["x", "k"], "b", "first", pads=[1, 1, 1, 1]),
        node("Conv", ["b", "k"], "a", "second"),
    ]
    whole = graph((nodes, [weight("k", 6, 6, 3, 3, scale=0.1)], PLANES, 6))
    np.testing.assert_allclose(run(folded(whole), PLANES), run(whole, PLANES), atol=2e-5)


def test_training_mode_is_refused_by_name() -> None:
    whole = graph(BEFORE["convolution"])
    whole.graph.node[-1].attribute.append(onnx.helper.make_attribute("training_mode", 1))
    whole.graph.node[-1].output.extend(["m", "v"])
    with pytest.raises(ArtifactError, match=r"norm.*training"):
        fold_batch_norm(whole, {})
