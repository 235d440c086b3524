"""FLOPs and bytes against figures computed by hand; test_cost_torch.py has an independent count."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from dcgan_edge.errors import EdgeError
from dcgan_edge.export.onnx.cost import count, count_nodes


def model(
    nodes: list[onnx.NodeProto],
    values: dict[str, list[int | str]],
    weights: dict[str, tuple[int, ...]],
    types: dict[str, int] | None = None,
) -> onnx.ModelProto:
    """A graph from `x` to `y` with the shapes given; the weights are float32 zeros."""
    kinds = types or {}
    infos = [
        helper.make_tensor_value_info(name, kinds.get(name, TensorProto.FLOAT), shape)
        for name, shape in values.items()
    ]
    source, result = ([info for info in infos if info.name == name] for name in "xy")
    inner = [info for info in infos if info.name not in "xy"]
    tensors = [numpy_helper.from_array(np.zeros(shape, np.float32), name) for name, shape in weights.items()]
    graph = helper.make_graph(nodes, "g", source, result, tensors, value_info=inner)
    return helper.make_model(graph)


def single(
    op: str, x: list[int | str], y: list[int | str], *weights: tuple[int, ...], **attributes: Any
) -> onnx.ModelProto:
    names = [f"w{number}" for number in range(len(weights))]
    node = helper.make_node(op, ["x", *names], ["y"], **attributes)
    return model([node], {"x": x, "y": y}, dict(zip(names, weights, strict=True)))


def test_a_small_graph_has_the_cost_computed_by_hand() -> None:
    """x (b, 2, 1, 1) -ConvTranspose 4x4-> h (b, 3, 4, 4) -Relu-> r -ConvTranspose 4x4 s2 p1-> y (b, 1, 8, 8).

    First: 1 pixel x 16 taps x 2 x 3 channels = 96 multiply-adds. Relu: 48. Second: along an axis 4 pixels x
    4 taps reach 16 places, 2 of which padding cuts off: 14 x 14 x 3 x 1 = 588 multiply-adds, and 64 biases.
    """
    nodes = [
        helper.make_node("ConvTranspose", ["x", "w"], ["h"]),
        helper.make_node("Relu", ["h"], ["r"]),
        helper.make_node("ConvTranspose", ["r", "v", "b"], ["y"], strides=[2, 2], pads=[1, 1, 1, 1]),
    ]
    shapes: dict[str, list[int | str]] = {
        "x": ["batch", 2, 1, 1], "h": ["batch", 3, 4, 4], "r": ["batch", 3, 4, 4], "y": ["batch", 1, 8, 8],
    }  # fmt: skip
    graph = model(nodes, shapes, {"w": (2, 3, 4, 4), "v": (3, 1, 4, 4), "b": (1,)})
    cost, layers = count(graph), count_nodes(graph)
    assert [node.flops for node in layers] == [2 * 96, 48, 2 * 588 + 64]
    assert cost.flops == 1480
    assert cost.weight_bytes == 4 * (96 + 48 + 1)
    assert cost.image_bytes == 4 * (2 + 64)
    assert [node.bytes for node in layers] == [4 * (2 + 48), 4 * (48 + 48), 4 * (48 + 64)]
    assert cost.minimum_bytes(10) == 580 + 10 * 264
    assert cost.unfused_bytes(10) == 580 + 10 * 1032
    assert cost.peak_activation_bytes == 4 * (48 + 64)  # r and y live together
    assert cost.uncounted == ()


@pytest.mark.parametrize(
    ("data", "flops"),
    [
        (single("Gemm", ["batch", 5], ["batch", 7], (5, 7), (7,)), 2 * 5 * 7 + 7),
        (single("Gemm", ["batch", 5], ["batch", 7], (7, 5), transB=1), 2 * 5 * 7),
        (single("MatMul", ["batch", 6, 5], ["batch", 6, 7], (5, 7)), 2 * 6 * 5 * 7),
        (single("Conv", ["batch", 4, 9], ["batch", 6, 4], (6, 4, 3), strides=[2]), 2 * 4 * 6 * 3 * 4),
        (single("Conv", ["batch", 4, 8, 8], ["batch", 8, 8, 8], (8, 2, 1, 1), group=2), 2 * 64 * 8 * 2),
        (single("BatchNormalization", ["batch", 4, 3, 3], ["batch", 4, 3, 3], *[(4,)] * 4), 2 * 36),
        (single("Tanh", ["batch", 3, 8, 8], ["batch", 3, 8, 8]), 192),
        (single("ReduceMean", ["batch", 3, 8, 8], ["batch", 3, 1, 1]), 192),
        (single("Resize", ["batch", 3, 4, 4], ["batch", 3, 8, 8]), 0),
        (single("Reshape", ["batch", 48], ["batch", 3, 4, 4]), 0),
    ],
)
def test_rules_by_operator(data: onnx.ModelProto, flops: int) -> None:
    assert count(data).flops == flops


@pytest.mark.parametrize(
    ("op", "x", "y", "weight", "attributes", "padding"),
    [
        ("Conv", 5, 5, (1, 1, 4), {"auto_pad": "SAME_UPPER"}, (1, 2)),
        ("Conv", 5, 5, (1, 1, 4), {"auto_pad": "SAME_LOWER"}, (2, 1)),
        ("Conv", 5, 2, (1, 1, 4), {"auto_pad": "VALID"}, (0, 0)),
        ("ConvTranspose", 5, 10, (1, 1, 5), {"auto_pad": "SAME_UPPER", "strides": [2]}, (1, 2)),
        ("ConvTranspose", 5, 10, (1, 1, 5), {"auto_pad": "SAME_LOWER", "strides": [2]}, (2, 1)),
        ("ConvTranspose", 5, 10, (1, 1, 5), {"output_shape": [10], "strides": [2]}, (2, 1)),
        (
            "ConvTranspose",
            4,
            9,
            (1, 1, 3),
            {"output_shape": [9], "output_padding": [1], "strides": [2]},
            (1, 0),
        ),
    ],
)
def test_automatic_padding_counts_as_the_padding_that_onnx_makes_of_it(
    op: str, x: int, y: int, weight: tuple[int, ...], attributes: dict[str, Any], padding: tuple[int, int]
) -> None:
    """The explicit figures are those of the ONNX operators' documentation, "total_padding"."""
    explicit = {name: value for name, value in attributes.items() if name == "strides"}
    shapes: tuple[list[int | str], list[int | str]] = ([1, 1, x], [1, 1, y])
    automatic = count(single(op, *shapes, weight, **attributes))
    assert automatic.flops == count(single(op, *shapes, weight, pads=list(padding), **explicit)).flops


def test_reshaping_moves_nothing_and_casting_does() -> None:
    nodes = [helper.make_node("Reshape", ["x", "s"], ["r"]), helper.make_node("Cast", ["r"], ["y"], to=10)]
    shapes: dict[str, list[int | str]] = {"x": ["batch", 8], "r": ["batch", 2, 4], "y": ["batch", 2, 4]}
    graph = model(nodes, shapes, {"s": (3,)}, {"y": TensorProto.FLOAT16})
    assert [(node.op, node.flops, node.bytes) for node in count_nodes(graph)] == [
        ("Reshape", 0, 0),
        ("Cast", 0, 8 * 4 + 8 * 2),
    ]
    assert count(graph).peak_activation_bytes == 8 * 4 + 8 * 2  # the reshaped x is x


def test_what_is_read_again_later_stays_alive() -> None:
    """x -Relu-> a -Relu-> b -Relu-> c, and y = c + a: at the third Relu a, b and c are there, of 20 bytes."""
    nodes = [
        *(helper.make_node("Relu", [before], [after]) for before, after in ("xa", "ab", "bc")),
        helper.make_node("Add", ["c", "a"], ["y"]),
    ]
    shapes: dict[str, list[int | str]] = {name: ["batch", 5] for name in "xabcy"}
    assert count(model(nodes, shapes, {})).peak_activation_bytes == 3 * 4 * 5


def test_work_on_constants_alone_is_folded() -> None:
    nodes = [helper.make_node("Mul", ["w", "w"], ["v"]), helper.make_node("Add", ["x", "v"], ["y"])]
    graph = model(nodes, {"x": ["batch", 4], "v": [4], "y": ["batch", 4]}, {"w": (4,)})
    (add,) = count_nodes(graph)
    assert add.op == "Add"
    assert (count(graph).flops, add.bytes) == (4, 4 * (4 + 4))


def test_operators_without_a_rule_are_named() -> None:
    data = model(
        [helper.make_node("Loop", ["x"], ["h"]), helper.make_node("Relu", ["h"], ["y"])],
        {"x": ["batch", 4], "h": ["batch", 4], "y": ["batch", 4]},
        {},
    )
    assert (count(data).uncounted, count(data).flops) == (("Loop",), 4)


def test_a_fixed_batch_is_divided_out() -> None:
    fixed, free = (single("Relu", [batch, 6], [batch, 6]) for batch in (8, "batch"))
    ours, theirs = count(fixed), count(free)
    assert (ours.flops, ours.image_bytes, ours.activation_bytes) == (
        theirs.flops, theirs.image_bytes, theirs.activation_bytes,
    )  # fmt: skip


@pytest.mark.parametrize(
    "data",
    [
        single("Relu", ["batch", "width"], ["batch", "width"]),
        single("Conv", ["batch", 4, 8], ["batch", 6], (6, 4, 3)),
        single("Relu", [0, 4], [0, 4]),
        single("Relu", [], []),
    ],
    ids=["open width", "too few dimensions", "no images", "no batch axis"],
)
def test_shapes_that_cannot_be_counted_are_refused(data: onnx.ModelProto) -> None:
    with pytest.raises(EdgeError):
        count(data)
