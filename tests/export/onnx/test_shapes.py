"""Shapes are found without running anything, and nothing large is ever made on the way."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from dcgan_edge.errors import ArtifactError
from dcgan_edge.export.onnx.shapes import resolve, skeleton
from tests.foreign_graphs import constant, model, node, port, weight

IMAGES = [None, None, None, None]


def test_a_chain_that_computes_a_shape_is_followed_at_each_batch() -> None:
    chain = [
        node("Shape", ["x"], "s"),
        node("Gather", ["s", "zero"], "b"),
        node("Unsqueeze", ["b", "zero1"], "b1"),
        node("Concat", ["b1", "rest"], "to", axis=0),
        node("Reshape", ["x", "to"], "y"),
    ]
    weights = [constant("zero", 0), constant("zero1", [0]), constant("rest", [2, 3, 4])]
    graph = model(chain, [port("x", ["n", 24])], [port("y", IMAGES)], weights)
    for batch in (1, 3):
        found = resolve(graph, batch)
        assert found.tensors["y"][0] == (batch, 2, 3, 4)
        assert found.constants["to"].tolist() == [batch, 2, 3, 4]
        assert found.bytes("y") == batch * 24 * 4


@pytest.mark.parametrize("op", ["ConstantOfShape", "Expand", "Tile"])
def test_what_is_large_is_measured_and_not_made(op: str) -> None:
    inputs = {"ConstantOfShape": ["dims"], "Expand": ["one", "dims"], "Tile": ["one", "dims"]}[op]
    large = node(op, inputs, "k")
    weights = [constant("dims", [1000, 1000, 100, 100]), constant("one", [[[[1]]]], np.float32)]
    graph = model(
        [large, node("Add", ["x", "k"], "y")], [port("x", ["n", 1, 1, 1])], [port("y", IMAGES)], weights
    )
    tracemalloc.start()
    found = resolve(graph, 1)
    assert tracemalloc.get_traced_memory()[1] < 2**24
    tracemalloc.stop()
    assert found.bytes("k") == 4 * 10**10
    assert "k" not in found.constants


def test_doubling_vectors_stop_growing() -> None:
    nodes = [node("Concat", [f"v{i}", f"v{i}"], f"v{i + 1}", axis=0) for i in range(40)]
    nodes.append(node("Reshape", ["x", "v40"], "y"))
    graph = model(nodes, [port("x", ["n", 4])], [port("y", [None])], [constant("v0", [1])])
    with pytest.raises(ArtifactError, match=r"cannot be known|do not fit"):
        resolve(graph, 1).bytes("y")


def test_large_weights_are_left_out() -> None:
    graph = model([node("MatMul", ["x", "w"], "y")], [port("x", ["n", 64])], [port("y", ["n", 64])],
                  [weight("w", 64, 64)])  # fmt: skip
    assert len(skeleton(graph).SerializeToString()) < 500
    assert resolve(graph, 7).tensors["y"][0] == (7, 64)


def test_shapes_that_contradict_each_other_are_refused() -> None:
    graph = model(
        [node("MatMul", ["x", "w"], "y")], [port("x", ["n", 5])], [port("y", ["n", 4])], [weight("w", 4, 4)]
    )
    with pytest.raises(ArtifactError, match="do not fit"):
        resolve(graph, 1)
