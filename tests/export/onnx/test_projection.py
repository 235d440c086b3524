from __future__ import annotations

import pytest

from dcgan_edge.export.onnx.projection import project_by_product, project_with_channels_last
from tests.foreign_graphs import node

from .exact import assert_same, graph, layer, operators, short


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("facts", [{}, {"pads": [1, 0, 2, 1]}, {"strides": [3, 3]}, {"auto_pad": "VALID"}])
def test_a_single_pixel_meets_each_tap_once(facts: dict[str, object], bias: bool) -> None:
    made = layer("ConvTranspose", ["x", "w", "b"] if bias else ["x", "w"], **facts)
    weights = [short("w", 5, 3, 4, 4), *([short("b", 3)] if bias else [])]
    before = graph([made], ["n", 5, 1, 1], weights)
    after = project_by_product(before)
    assert operators(after) == ["Flatten", "Gemm", "Reshape"]
    assert after.graph.node[1].name == "layer"
    assert_same(before, after)
    last = project_with_channels_last(before)
    assert operators(last) == ["Flatten", "Gemm", "Reshape", "Transpose"]
    assert_same(before, last)


def test_an_activation_comes_before_the_pixels_and_a_fixed_batch_is_kept() -> None:
    nodes = [
        node("ConvTranspose", ["x", "w"], "a", "first"),
        node("Relu", ["a"], "c", "act"),
        node("ConvTranspose", ["c", "v"], "y", "second", strides=[2, 2]),
    ]
    before = graph(nodes, [3, 5, 1, 1], [short("w", 5, 2, 3, 3), short("v", 2, 1, 2, 2)])
    after = project_by_product(before)
    assert operators(after) == ["Flatten", "Gemm", "Relu", "Reshape", "ConvTranspose"]
    assert_same(before, after)
    last = project_with_channels_last(before)
    assert operators(last) == ["Flatten", "Gemm", "Relu", "Reshape", "Transpose", "ConvTranspose"]
    assert_same(before, last)


@pytest.mark.parametrize(
    ("facts", "source"),
    [
        ({}, ["n", 4, 2, 1]),
        ({"group": 2}, ["n", 4, 1, 1]),
        ({"dilations": [2, 2]}, ["n", 4, 1, 1]),
        ({"strides": [2, 2], "output_padding": [1, 1]}, ["n", 4, 1, 1]),
        ({"auto_pad": "SAME_UPPER", "strides": [2, 2]}, ["n", 4, 1, 1]),
    ],
)
def test_others_stay_as_they_are(facts: dict[str, object], source: list[object]) -> None:
    before = graph([layer("ConvTranspose", ["x", "w"], **facts)], source, [short("w", 4, 3, 4, 4)])
    for project in (project_by_product, project_with_channels_last):
        assert operators(project(before)) == ["ConvTranspose"]
