from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from dcgan_edge.artifact import BatchProfile, Manifest, generator_tensors
from dcgan_edge.errors import EdgeError, UsageError
from dcgan_edge.export.onnx.checking import NEWEST_IR, OPSET, check_graph
from dcgan_edge.export.onnx.graph import build_graph
from dcgan_edge.export.onnx.precision import to_fp16
from dcgan_edge.latents import latents
from dcgan_edge.runtime.onnxruntime_session import OnnxRuntimeSession
from tests.prepared import TINY


@pytest.fixture(scope="module")
def model(generator: nn.Module) -> onnx.ModelProto:
    return build_graph(generator, TINY, BatchProfile())


def run(model: onnx.ModelProto, count: int, batch: BatchProfile | None = None) -> np.ndarray:
    source, result = generator_tensors(TINY)
    manifest = Manifest("onnx", TINY, "fp32", (source,), (result,), batch or BatchProfile(), "", "test")
    return OnnxRuntimeSession(manifest, model.SerializeToString(), device="cpu").run(
        latents(range(count), 16)
    )


def test_the_graph_is_plain_and_dynamic(model: onnx.ModelProto) -> None:
    assert [node.op_type for node in model.graph.node] == [
        "ConvTranspose", "Relu", "ConvTranspose", "Relu", "ConvTranspose", "Tanh",
    ]  # fmt: skip
    assert (model.opset_import[0].version, model.ir_version) == (OPSET, NEWEST_IR)
    shapes = [
        [axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim]
        for value in (model.graph.input[0], model.graph.output[0])
    ]
    assert shapes == [["batch", 16, 1, 1], ["batch", 1, 28, 28]]
    for count in (1, 2, 5):
        assert run(model, count).shape == (count, 1, 28, 28)


def test_nothing_of_the_exporting_machine_is_in_the_file(model: onnx.ModelProto) -> None:
    content = model.SerializeToString()
    for trace in (str(Path.cwd()), "site-packages", ".py", "stack_trace", "torch.nn"):
        assert trace.encode() not in content


def test_a_fixed_batch_gives_a_static_graph(generator: nn.Module) -> None:
    static = build_graph(generator, TINY, BatchProfile(3, 3, 3))
    assert static.graph.input[0].type.tensor_type.shape.dim[0].dim_value == 3
    assert run(static, 7, BatchProfile(3, 3, 3)).shape == (7, 1, 28, 28)


def test_the_same_generator_gives_the_same_bytes(generator: nn.Module, model: onnx.ModelProto) -> None:
    again = build_graph(generator, TINY, BatchProfile())
    assert again.SerializeToString(deterministic=True) == model.SerializeToString(deterministic=True)


def test_half_precision_is_in_the_types(model: onnx.ModelProto) -> None:
    half = to_fp16(model)
    assert {tensor.data_type for tensor in half.graph.initializer} == {TensorProto.FLOAT16}
    assert {value.type.tensor_type.elem_type for value in half.graph.value_info} == {TensorProto.FLOAT16}
    borders = (half.graph.input[0], half.graph.output[0])
    assert {value.type.tensor_type.elem_type for value in borders} == {TensorProto.FLOAT}
    assert model.graph.initializer[0].data_type == TensorProto.FLOAT, "the original is untouched"
    # Half has 11 bits: rounding errors of a few 2**-11 through three layers and a tanh.
    np.testing.assert_allclose(run(half, 4), run(model, 4), atol=8 * 2**-11)


@pytest.mark.parametrize(
    "kept", [("ConvTranspose_2",), ("ConvTranspose_0",), ("ConvTranspose_4", "Tanh_5"), ("Relu_1", "Relu_3")]
)
def test_layers_that_are_kept_compute_in_float32(model: onnx.ModelProto, kept: tuple[str, ...]) -> None:
    mixed = to_fp16(model, keep_fp32=kept)
    types = {
        **{value.name: value.type.tensor_type.elem_type for value in mixed.graph.value_info},
        **{tensor.name: tensor.data_type for tensor in mixed.graph.initializer},
        "latents": TensorProto.FLOAT,
        "images": TensorProto.FLOAT,
    }
    for node in mixed.graph.node:
        wanted = TensorProto.FLOAT if node.name in kept else TensorProto.FLOAT16
        if node.op_type != "Cast":
            assert {types[name] for name in (*node.input, *node.output)} == {wanted}, node.name
    casts = [node for node in mixed.graph.node if node.op_type == "Cast"]
    assert len(casts) == (2 if kept[0] in ("ConvTranspose_0", "ConvTranspose_4") else 2 + 2 * len(kept))
    exact = run(model, 4)
    assert np.abs(run(mixed, 4) - exact).max() <= 8 * 2**-11
    everything = to_fp16(model, keep_fp32=[node.name for node in model.graph.node])
    np.testing.assert_array_equal(run(everything, 4), exact)


def test_a_layer_that_is_not_there_is_refused_with_the_names_that_are(model: onnx.ModelProto) -> None:
    with pytest.raises(UsageError) as refused:
        to_fp16(model, keep_fp32=["main.0", "Relu_1"])
    assert all(node.name in str(refused.value) for node in model.graph.node)


def test_resize_keeps_its_float32_scales() -> None:
    scales = numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), "scales")
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 1, 2, 2])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 1, 4, 4])
    node = helper.make_node("Resize", ["x", "", "scales"], ["y"], mode="nearest")
    graph = helper.make_graph([node], "g", [x], [y], [scales])
    opset = [helper.make_opsetid("", OPSET)]
    half = to_fp16(helper.make_model(graph, opset_imports=opset, ir_version=NEWEST_IR))
    assert half.graph.initializer[0].data_type == TensorProto.FLOAT


def test_a_weight_beyond_half_precision_is_an_error(model: onnx.ModelProto) -> None:
    large = onnx.ModelProto()
    large.CopyFrom(model)
    weights = numpy_helper.to_array(large.graph.initializer[0]).copy()
    weights.flat[0] = 1e6
    large.graph.initializer[0].CopyFrom(numpy_helper.from_array(weights, large.graph.initializer[0].name))
    with pytest.raises(EdgeError, match=r"1e\+06, half precision ends at 65504"):
        to_fp16(large)


def test_an_invalid_graph_is_an_error(model: onnx.ModelProto) -> None:
    broken = onnx.ModelProto()
    broken.CopyFrom(model)
    broken.graph.node[0].op_type = "NoSuchOperator"
    with pytest.raises(EdgeError, match="not valid ONNX"):
        check_graph(broken)
    newer = onnx.ModelProto()
    newer.CopyFrom(model)
    newer.ir_version = NEWEST_IR + 1
    with pytest.raises(EdgeError, match="IR version"):
        check_graph(newer)
