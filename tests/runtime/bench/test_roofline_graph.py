from __future__ import annotations

import contextlib
import re

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from dcgan_edge.errors import ArtifactError
from dcgan_edge.export.onnx.precision import to_fp16
from dcgan_edge.runtime.bench.roofline.cost import count
from dcgan_edge.runtime.bench.roofline.graph import BITS, Tensor, read_graph
from tests.runtime.bench.test_roofline_torch import exported


def described(value: onnx.ValueInfoProto) -> Tensor:
    kind = value.type.tensor_type
    shape = tuple(d.dim_param if d.HasField("dim_param") else d.dim_value for d in kind.shape.dim)
    return Tensor(shape, kind.elem_type)


@pytest.mark.parametrize("half", [False, True])
def test_a_generator_is_read_as_onnx_reads_it(half: bool) -> None:
    model = to_fp16(exported()) if half else exported()
    graph = read_graph(model.SerializeToString())
    assert graph.inputs == ("latents",)
    assert graph.outputs == ("images",)
    weights = {
        tensor.name: Tensor(tuple(tensor.dims), tensor.data_type) for tensor in model.graph.initializer
    }
    assert graph.weights == weights
    values = [*model.graph.value_info, *model.graph.input, *model.graph.output]
    assert graph.values == {value.name: described(value) for value in values} | weights
    for ours, theirs in zip(graph.nodes, model.graph.node, strict=True):
        assert (ours.op, ours.name, ours.inputs, ours.outputs) == (
            theirs.op_type, theirs.name, tuple(theirs.input), tuple(theirs.output),
        )  # fmt: skip
        for attribute in theirs.attribute:
            value = helper.get_attribute_value(attribute)
            expected = (
                value.decode()
                if isinstance(value, bytes)
                else tuple(value)
                if isinstance(value, list)
                else value
            )
            assert ours.attributes[attribute.name] == expected


def test_attributes_and_constants_of_other_types() -> None:
    constant = numpy_helper.from_array(np.zeros((2, 3), np.int64), "c")
    node = helper.make_node("Constant", [], ["c"], value=constant)
    other = helper.make_node(
        "Foo", ["x", "", "c"], ["y"], alpha=0.5, axis=-3, axes=[-1, 2], names=["a"], mode="up"
    )
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 2]) for name in "xy"]
    graph = read_graph(
        helper.make_model(helper.make_graph([node, other], "g", value[:1], value[1:])).SerializeToString()
    )
    assert graph.weights == {"c": Tensor((2, 3), TensorProto.INT64)}
    assert graph.nodes[1].inputs == ("x", "", "c")
    assert graph.nodes[1].attributes == {"axis": -3, "axes": (-1, 2), "mode": "up"}
    assert graph.tensor("c").bytes(1, "") == 48


def test_packed_and_unpacked_integers_are_the_same() -> None:
    """proto3 writers pack repeated integers into one field, proto2 writers give each one of its own."""
    unpacked = bytes([0x08, 3, 0x08, 0xAC, 0x02, 0x10, 1, 0x42, 1]) + b"w"  # dims 3 and 300, float, "w"
    packed = bytes([0x0A, 3, 3, 0xAC, 0x02, 0x10, 1, 0x42, 1]) + b"w"

    def model(tensor: bytes) -> bytes:
        field = bytes([0x2A, len(tensor)]) + tensor  # GraphProto.initializer
        return bytes([0x3A, len(field)]) + field  # ModelProto.graph

    assert (
        read_graph(model(unpacked)).weights == read_graph(model(packed)).weights == {"w": Tensor((3, 300), 1)}
    )


@pytest.mark.parametrize("data_type", sorted(set(BITS) & set(helper.get_all_tensor_dtypes())))
def test_sizes_are_onnx_own(data_type: int) -> None:
    name = TensorProto.DataType.Name(data_type)
    bits = re.match(r"[A-Z]+(\d+)", name)  # FLOAT8E4M3FN: the first number
    known = {"FLOAT": 32, "DOUBLE": 64, "BOOL": 8}
    assert BITS[data_type] == (int(bits[1]) if bits else known[name])


def test_four_bit_weights_are_packed() -> None:
    assert Tensor((3, 3), TensorProto.INT4).bytes(1, "") == 5


@pytest.mark.parametrize(
    ("tensor", "reason"),
    [
        (Tensor(("n", 2), 1), "'n' whose size"),
        (Tensor((2,), 8), "unknown type 8"),
        (Tensor(("?",), 1), "'[?]'"),
    ],
)
def test_what_has_no_size_is_refused(tensor: Tensor, reason: str) -> None:
    with pytest.raises(ArtifactError, match=reason):
        tensor.bytes(1, "batch")


def test_a_value_without_shape_is_refused_by_name() -> None:
    graph = read_graph(bytes([0x3A, 0]))
    with pytest.raises(ArtifactError, match="shape of 'images'"):
        graph.tensor("images")


@pytest.mark.parametrize("data", [b"", b"hello, I am a text file\n", b"\x07", b"\x3a\x05ab"])
def test_what_is_no_whole_onnx_file_is_refused(data: bytes) -> None:
    with pytest.raises(ArtifactError):
        read_graph(data)


def small_model() -> bytes:
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 3, 4, 4]) for name in "xy"]
    weight = numpy_helper.from_array(np.zeros((3, 1, 3, 3), np.float32), "w")
    node = helper.make_node("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1], group=3)
    return bytes(
        helper.make_model(
            helper.make_graph([node], "g", values[:1], values[1:], [weight])
        ).SerializeToString()
    )


SMALL = small_model()


@given(
    st.binary(max_size=200)
    | st.tuples(st.integers(0, len(SMALL) - 1), st.binary(min_size=1, max_size=2)).map(
        lambda change: SMALL[: change[0]] + change[1] + SMALL[change[0] + len(change[1]) :]
    )
)
def test_damaged_files_are_refused_or_read_but_never_crash(data: bytes) -> None:
    with contextlib.suppress(ArtifactError):
        read_graph(data)


def test_the_small_model_counts() -> None:
    # 3 channels x (taps of 3 that stay inside 4 pixels: 2 + 3 + 3 + 2 = 10) squared, 2 FLOPs each
    assert count(SMALL).flops == 2 * 3 * 10 * 10
