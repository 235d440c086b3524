from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcgan_edge.export.onnx.checking import check_graph
from dcgan_edge.export.onnx.upsampling import fuse_upsampling
from tests.foreign_graphs import constant, node

from .exact import assert_same, graph, layer, operators, short


def enlarged(
    conv: dict[str, Any], weight: tuple[int, ...], *, scales: tuple[float, ...] = (1, 1, 2, 2), size: int = 4,
    **facts: Any,
) -> onnx.ModelProto:  # fmt: skip
    """`x` (n, 4, size, size + 1), enlarged, and a convolution of it."""
    facts = {
        "mode": "nearest",
        "coordinate_transformation_mode": "asymmetric",
        "nearest_mode": "floor",
        **facts,
    }
    nodes = [
        node("Resize", ["x", "", "scales"], "large", "enlarge", **facts),
        layer("Conv", ["large", "w", "b"], **conv),
    ]
    weights = [constant("scales", scales, np.float32), short("w", *weight), short("b", weight[0])]
    return graph(nodes, ["n", 4, size, size + 1], weights)


PAD = {"pads": [1, 1, 1, 1]}


def test_doubling_and_3x3_is_one_4x4_of_stride_2_and_the_same_at_the_borders() -> None:
    before = enlarged(PAD, (3, 4, 3, 3))
    after = fuse_upsampling(before)
    (made,) = after.graph.node
    assert (made.op_type, made.name) == ("ConvTranspose", "layer")
    facts = {each.name: onnx.helper.get_attribute_value(each) for each in made.attribute}
    assert (facts["kernel_shape"], facts["strides"], facts["pads"]) == ([4, 4], [2, 2], [1, 1, 1, 1])
    assert_same(before, after)


@settings(max_examples=20)
@given(
    kernel=st.integers(2, 5),
    rows=st.integers(1, 3),
    columns=st.integers(2, 3),
    pads=st.lists(st.integers(0, 4), min_size=4, max_size=4),
    groups=st.sampled_from([1, 2, 4]),
    size=st.integers(1, 3),
)
def test_it_holds_for_every_factor_kernel_padding_and_grouping(
    kernel: int, rows: int, columns: int, pads: list[int], groups: int, size: int
) -> None:
    pads = [min(pad, kernel - 1) for pad in pads]
    if rows * size + pads[0] + pads[2] < kernel or columns * (size + 1) + pads[1] + pads[3] < kernel:
        return
    before = enlarged(
        {"pads": pads, "group": groups},
        (4, 4 // groups, kernel, kernel),
        scales=(1, 1, rows, columns),
        size=size,
    )
    after = fuse_upsampling(before)
    assert operators(after) == ["ConvTranspose"]
    assert_same(before, after)


@pytest.mark.parametrize("nearest", ["round_prefer_floor", "round_prefer_ceil"])
@pytest.mark.parametrize("coordinates", ["half_pixel", "pytorch_half_pixel"])
def test_other_ways_to_say_repeat_are_the_same(coordinates: str, nearest: str) -> None:
    before = enlarged(PAD, (3, 4, 3, 3), coordinate_transformation_mode=coordinates, nearest_mode=nearest)
    after = fuse_upsampling(before)
    assert operators(after) == ["ConvTranspose"]
    assert_same(before, after)


@pytest.mark.parametrize("mode", ["SAME_UPPER", "SAME_LOWER", "VALID"])
@pytest.mark.parametrize("kernel", [2, 3])
def test_automatic_padding_is_meant_as_written(mode: str, kernel: int) -> None:
    before = enlarged({"auto_pad": mode}, (3, 4, kernel, kernel))
    after = fuse_upsampling(before)
    assert operators(after) == ["ConvTranspose"]
    assert_same(before, after)


KEPT: dict[str, tuple[dict[str, Any], tuple[int, ...], dict[str, Any]]] = {
    "shifted by half a pixel": (PAD, (3, 4, 3, 3), {"nearest_mode": "ceil"}),
    "corners aligned": (PAD, (3, 4, 3, 3), {"coordinate_transformation_mode": "align_corners"}),
    "interpolated": (PAD, (3, 4, 3, 3), {"mode": "linear"}),
    "by one and a half": (PAD, (3, 4, 3, 3), {"scales": (1, 1, 1.5, 1.5)}),
    "by a little more than two": (PAD, (3, 4, 3, 3), {"scales": (1, 1, 2.1, 2.1)}),
    "strides": ({**PAD, "strides": [2, 2]}, (3, 4, 3, 3), {}),
    "dilations": ({**PAD, "dilations": [2, 2]}, (3, 4, 3, 3), {}),
    "padded beyond the kernel": ({"pads": [3, 3, 3, 3]}, (3, 4, 3, 3), {}),
    "1x1, which is no less arithmetic": ({}, (3, 4, 1, 1), {}),
}


@pytest.mark.parametrize("case", KEPT)
def test_what_is_no_repetition_or_no_gain_stays(case: str) -> None:
    conv, weight, facts = KEPT[case]
    assert operators(fuse_upsampling(enlarged(conv, weight, **facts))) == ["Resize", "Conv"]


def test_scales_that_are_no_weights_are_not_guessed() -> None:
    before = enlarged(PAD, (3, 4, 3, 3), scales=(1, 1, 2.1, 2.1))  # 4x5 pixels become 8x10, as by 2
    before.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    del before.graph.value_info[:], before.graph.output[0].type.tensor_type.shape.dim[:]
    before.graph.output[0].type.tensor_type.shape.dim.extend([onnx.TensorShapeProto.Dimension()] * 4)
    value = before.graph.initializer.pop(0)
    before.graph.node.insert(0, onnx.helper.make_node("Constant", [], ["scales"], "made", value=value))
    assert operators(fuse_upsampling(check_graph(before))) == ["Constant", "Resize", "Conv"]


def test_an_enlargement_that_others_read_too_stays_for_them() -> None:
    sizes = constant("sizes", [1, 4, 6, 6])
    nodes = [
        node("Resize", ["x", "", "", "sizes"], "large", "enlarge", mode="nearest"),
        node("Conv", ["large", "w"], "c", "conv", **PAD),
        node("Add", ["c", "large"], "y", "sum"),
    ]
    before = graph(nodes, [1, 4, 3, 3], [sizes, short("w", 4, 4, 3, 3)])
    after = fuse_upsampling(before)
    assert operators(after) == ["Resize", "ConvTranspose", "Add"]
    assert_same(before, after)
