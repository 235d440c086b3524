from __future__ import annotations

import onnx
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dcgan_edge.export.onnx.few_channels import few_channels_by_subpixels, few_channels_transposed
from dcgan_edge.export.onnx.subpixel import to_subpixel

from .exact import assert_same, graph, layer, operators, short


def convolution(
    rows: int, columns: int, kernel: tuple[int, int], channels: int, pads: list[int], *, bias: bool = True
) -> onnx.ModelProto:
    made = layer("Conv", ["x", "w", "b"] if bias else ["x", "w"], pads=pads)
    weights = [short("w", channels, 3, *kernel), *([short("b", channels)] if bias else [])]
    return graph([made], ["n", 3, rows, columns], weights)


def upscaling(
    rows: int, columns: int, kernel: int, stride: int, channels: int, pads: list[int]
) -> onnx.ModelProto:
    made = layer("ConvTranspose", ["x", "w", "b"], strides=[stride] * 2, pads=pads)
    weights = [short("w", 3, channels, kernel, kernel), short("b", channels)]
    return graph([made], ["n", 3, rows, columns], weights)


@pytest.mark.parametrize(
    ("channels", "stride", "found"),
    [
        (1, 2, ["Conv", "DepthToSpace"]),
        (2, 2, ["Conv", "DepthToSpace", "Slice"]),
        (4, 2, ["Conv", "DepthToSpace", "Slice"]),
        (5, 2, ["ConvTranspose"]),
        (1, 4, ["Conv", "DepthToSpace"]),  # no border: its kernel is its stride
        (1, 1, ["Conv", "DepthToSpace"]),
        (5, 1, ["ConvTranspose"]),
    ],
)
def test_few_channels_are_those_whose_pixels_fit_into_a_vector(
    channels: int, stride: int, found: list[str]
) -> None:
    before = upscaling(8, 8, 4, stride, channels, {1: [0, 1, 3, 2], 2: [1] * 4, 4: [0] * 4}[stride])
    after = few_channels_by_subpixels(before)
    assert (operators(after), after.graph.node[0].name) == (found, "layer")
    assert_same(before, after)


@settings(max_examples=40)
@given(
    rows=st.integers(1, 6),
    columns=st.integers(1, 6),
    kernel=st.integers(1, 5),
    stride=st.integers(1, 3),
    channels=st.integers(1, 4),
    pads=st.lists(st.integers(0, 4), min_size=4, max_size=4),
)
def test_a_transposed_convolution_paints_the_same_pixels_at_once(
    rows: int, columns: int, kernel: int, stride: int, channels: int, pads: list[int]
) -> None:
    assume(kernel > max(pads))
    assume((rows - 1) * stride + kernel > pads[0] + pads[2])
    assume((columns - 1) * stride + kernel > pads[1] + pads[3])
    before = upscaling(rows, columns, kernel, stride, channels, pads)
    assert_same(before, few_channels_by_subpixels(before))


@settings(max_examples=40)
@given(
    rows=st.integers(1, 8),
    columns=st.integers(1, 8),
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    channels=st.integers(1, 4),
    pads=st.lists(st.integers(0, 4), min_size=4, max_size=4),
)
def test_a_convolution_paints_the_same_pixels_in_either_form(
    rows: int, columns: int, kernel: tuple[int, int], channels: int, pads: list[int]
) -> None:
    high, wide = rows + pads[0] + pads[2] - kernel[0] + 1, columns + pads[1] + pads[3] - kernel[1] + 1
    assume(high > 0 and wide > 0)
    before = convolution(rows, columns, kernel, channels, pads)
    at_once = few_channels_by_subpixels(before)
    fits = any(high % side == 0 and wide % side == 0 and side**2 * channels <= 16 for side in (2, 3, 4))
    assert operators(at_once) == (["Conv", "DepthToSpace"] if fits else ["Conv"])
    assert_same(before, at_once)
    spread = few_channels_transposed(before)
    outside = any(pad >= taps for pad, taps in zip(pads, kernel * 2, strict=True))
    assert operators(spread) == (["Conv"] if outside else ["ConvTranspose"])
    assert_same(before, spread)


@pytest.mark.parametrize(("channels", "side"), [(1, 4), (3, 2), (4, 2)])
def test_as_many_pixels_are_made_at_once_as_fit_into_a_vector(channels: int, side: int) -> None:
    before = convolution(12, 12, (3, 3), channels, [1, 1, 1, 1], bias=False)
    after = few_channels_by_subpixels(before)
    (weight,) = [each for each in after.graph.initializer if each.name == after.graph.node[0].input[1]]
    assert list(weight.dims) == [side**2 * channels, 3, 2 + side, 2 + side]
    assert after.graph.node[0].name == "layer"
    assert_same(before, after)


def test_as_a_transposed_convolution_it_comes_back_for_int8() -> None:
    before = convolution(4, 5, (3, 3), 1, [1, 1, 1, 1])
    there = few_channels_transposed(before)
    back = to_subpixel(there)
    assert (operators(there), operators(back)) == (["ConvTranspose"], ["Conv"])
    assert_same(before, back)


@pytest.mark.parametrize(
    ("facts", "channels"),
    [({}, 0), ({}, 5), ({"group": 3}, 3), ({"dilations": [2, 2]}, 1), ({"strides": [2, 2]}, 1)],
)
def test_other_convolutions_stay_as_they_are(facts: dict[str, object], channels: int) -> None:
    inputs = 1 if "group" in facts else 3
    before = graph([layer("Conv", ["x", "w"], **facts)], ["n", 3, 8, 8], [short("w", channels, inputs, 3, 3)])
    for rewritten in (few_channels_by_subpixels(before), few_channels_transposed(before)):
        assert rewritten is before
