from __future__ import annotations

import numpy as np
import onnx
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from onnx import numpy_helper

from dcgan_edge.export.onnx.subpixel import to_subpixel
from tests.foreign_graphs import node

from .exact import assert_same, graph, layer, operators, short


def transposed(size: int, kernel: int, stride: int, pads: list[int], extra: int = 0) -> onnx.ModelProto:
    made = layer(
        "ConvTranspose", ["x", "w", "b"], strides=[stride] * 2, pads=pads, output_padding=[extra] * 2
    )
    return graph([made], ["n", 3, size, size + 1], [short("w", 3, 2, kernel, kernel), short("b", 2)])


@settings(max_examples=25)
@given(
    size=st.integers(1, 4),
    kernel=st.integers(1, 5),
    stride=st.integers(1, 3),
    pads=st.lists(st.integers(0, 3), min_size=4, max_size=4),
    extra=st.integers(0, 2),
)
def test_it_makes_the_same_images_of_any_kernel_stride_and_padding(
    size: int, kernel: int, stride: int, pads: list[int], extra: int
) -> None:
    assume(extra < stride and kernel > max(pads))
    assume((size - 1) * stride + kernel + extra > max(pads[0] + pads[2], pads[1] + pads[3]))
    before = transposed(size, kernel, stride, pads, extra)
    after = to_subpixel(before)
    assert "ConvTranspose" not in operators(after)
    assert_same(before, after)


def test_what_a_dcgan_doubles_with_costs_nothing_more_than_its_border() -> None:
    after = to_subpixel(transposed(7, 4, 2, [1, 1, 1, 1]))
    assert operators(after) == ["Conv", "DepthToSpace", "Slice"]
    (weight,) = [each for each in after.graph.initializer if each.name == after.graph.node[0].input[1]]
    assert list(weight.dims) == [4 * 2, 3, 2, 2]  # 2x2 kernels: as many multiply-adds for each pixel
    assert (after.graph.node[0].name, onnx.helper.get_node_attr_value(after.graph.node[0], "pads")) == (
        "layer", [1, 1, 1, 1],
    )  # fmt: skip


def test_weights_and_biases_are_the_very_numbers_of_before() -> None:
    before = transposed(4, 4, 2, [1, 1, 1, 1])
    after = to_subpixel(before)
    old, new = (
        np.sort(numpy_helper.to_array(each.graph.initializer[0]), axis=None) for each in (before, after)
    )
    np.testing.assert_array_equal(new, old)


def test_an_activation_stays_behind_its_layer_and_others_at_the_end() -> None:
    doubling = {"strides": [2, 2], "pads": [1, 1, 1, 1], "kernel_shape": [4, 4]}
    nodes = [
        node("ConvTranspose", ["x", "w", "b"], "a", "first", **doubling),
        node("LeakyRelu", ["a"], "c", "act", alpha=0.3),
        node("ConvTranspose", ["c", "v"], "d", "second", **doubling),
        node("Tanh", ["d"], "y", "end"),
    ]
    before = graph(nodes, ["n", 3, 3, 3], [short("w", 3, 2, 4, 4), short("b", 2), short("v", 2, 1, 4, 4)])
    after = to_subpixel(before)
    assert operators(after) == [
        "Conv",
        "LeakyRelu",
        "DepthToSpace",
        "Slice",
        "Conv",
        "DepthToSpace",
        "Slice",
        "Tanh",
    ]
    assert_same(before, after)


@pytest.mark.parametrize(
    "facts",
    [
        {"group": 3},
        {"dilations": [2, 2]},
        {"strides": [1, 2]},
        {"output_shape": [7, 7]},
        {"auto_pad": "SAME_UPPER"},
    ],
)
def test_others_stay_as_they_are(facts: dict[str, object]) -> None:
    before = graph([layer("ConvTranspose", ["x", "w"], **facts)], ["n", 3, 3, 3], [short("w", 3, 2, 3, 3)])
    assert operators(to_subpixel(before)) == ["ConvTranspose"]
