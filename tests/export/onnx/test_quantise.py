"""INT8 graphs: scales where every library wants them, and a check that finds those that are elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import NodeProto, TensorProto, helper, numpy_helper

from dcgan_edge.artifact import Architecture
from dcgan_edge.errors import EdgeError, UsageError
from dcgan_edge.export.int8 import to_int8
from dcgan_edge.export.onnx.calibration import METHODS, Method, calibrate, run_graph
from dcgan_edge.export.onnx.checking import check_graph
from dcgan_edge.export.onnx.cost import count
from dcgan_edge.export.onnx.precision import to_fp16
from dcgan_edge.export.onnx.quantise import ASYMMETRIC, FITTING, Scheme, check_scales, quantisable, quantise
from dcgan_edge.images import psnr
from dcgan_edge.latents import FloatArray, latents
from tests.foreign_graphs import constant, model, node, port, weight

DIM, BYTES = 8, 10_000.0
LAYERS = ("gemm", "matmul", "up", "conv")
CHANNELS = {"gemm": (0, 16), "matmul": (1, 64), "up": (1, 6), "conv": (0, 3)}  # axis and number, of outputs
BY_HAND = {"up": (1, 0, 2, 3), "conv": (0, 1, 2, 3), "gemm": (0, 1), "matmul": (1, 0)}  # outputs first


@pytest.fixture(scope="module")
def graph() -> onnx.ModelProto:
    """One layer of each kind that is quantised, and a transposed convolution in groups, which is not."""
    nodes = [
        node("Flatten", ["latents"], "flat", "flatten"),
        node("Gemm", ["flat", "wg", "bg"], "g", "gemm", transB=1),
        node("Relu", ["g"], "gr", "relu"),
        node("MatMul", ["gr", "wm"], "m", "matmul"),
        node("Reshape", ["m", "to4"], "m4", "reshape"),
        node("ConvTranspose", ["m4", "wu"], "u", "up", strides=[2, 2], pads=[1, 1, 1, 1]),
        node("Relu", ["u"], "ur", "relu2"),
        node("ConvTranspose", ["ur", "wd"], "d", "groups", group=6),
        node("Conv", ["d", "wc", "bc"], "c", "conv", pads=[1, 1, 1, 1]),
        node("Tanh", ["c"], "images", "tanh"),
    ]
    weights = [
        weight("wg", 16, DIM), weight("bg", 16), weight("wm", 16, 64), constant("to4", [-1, 4, 4, 4]),
        weight("wu", 4, 6, 4, 4), weight("wd", 6, 1, 1, 1, scale=1.0), weight("wc", 3, 6, 3, 3),
        weight("bc", 3),
    ]  # fmt: skip
    ports = [port("latents", ["n", DIM, 1, 1])], [port("images", ["n", 3, 8, 8])]
    return check_graph(model(nodes, *ports, weights))


@pytest.fixture(scope="module")
def z() -> FloatArray:
    return latents(range(32), DIM, "normal")


@pytest.fixture(scope="module")
def quantised(graph: onnx.ModelProto, z: FloatArray) -> onnx.ModelProto:
    return quantise(graph, LAYERS, calibrate(graph, z, "min-max", image_bytes=BYTES))


def constants(made: onnx.ModelProto) -> dict[str, Any]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in made.graph.initializer}


def dequantiser(made: onnx.ModelProto, layer: str, place: int = 1) -> NodeProto:
    """What makes the weight, or the input with `place` 0, of `layer`."""
    (name,) = (each.input[place] for each in made.graph.node if each.name == layer)
    found: NodeProto = next(each for each in made.graph.node if name in each.output)
    return found


def worst(made: onnx.ModelProto, like: onnx.ModelProto, z: FloatArray) -> float:
    return float(psnr(run_graph(made, z, BYTES), run_graph(like, z, BYTES)).min())


def test_layers_with_constant_weights_can_be_int8_but_no_groups(graph: onnx.ModelProto) -> None:
    assert quantisable(graph) == LAYERS


@pytest.mark.parametrize("layer", LAYERS)
def test_a_weight_has_a_scale_for_each_output_channel(
    graph: onnx.ModelProto, quantised: onnx.ModelProto, layer: str
) -> None:
    held, made = constants(quantised), dequantiser(quantised, layer)
    axis, channels = CHANNELS[layer]
    assert helper.get_node_attr_value(made, "axis") == axis
    values, scales, zeros = (held[name] for name in made.input)
    assert (scales.shape, values.dtype, zeros.any()) == ((channels,), np.int8, np.False_)
    before = next(each.input[1] for each in graph.graph.node if each.name == layer)
    rows = constants(graph)[before].transpose(BY_HAND[layer]).reshape(channels, -1)
    # Symmetric: the largest weight of a channel is 127 or 128 steps from 0.
    assert scales == pytest.approx(np.abs(rows).max(1) / 127, rel=0.01)
    assert np.abs(values.transpose(BY_HAND[layer]).reshape(channels, -1)).max(1).min() >= 127


def test_inputs_have_one_scale_and_biases_stay_float(quantised: onnx.ModelProto) -> None:
    held = constants(quantised)
    for layer in LAYERS:
        made = dequantiser(quantised, layer, 0)
        assert held[made.input[1]].shape == ()
        assert (held[made.input[2]].dtype, int(held[made.input[2]])) == (np.int8, 0)
    assert {held[name].dtype for name in ("bg", "bc")} == {np.dtype(np.float32)}


def test_what_is_kept_is_as_it_was(graph: onnx.ModelProto, z: FloatArray) -> None:
    some = quantise(graph, ("matmul", "up"), calibrate(graph, z, "min-max", image_bytes=BYTES))
    by_name = {each.name: each for each in some.graph.node}
    for each in graph.graph.node:
        if each.name not in ("matmul", "up"):
            assert by_name[each.name] == each
    assert count(some).weight_bytes < count(graph).weight_bytes


def test_layers_that_share_a_weight_each_get_scales_of_their_own(z: FloatArray) -> None:
    nodes = [
        node("Reshape", ["latents", "to4"], "x", "reshape"),
        node("ConvTranspose", ["x", "w"], "u", "up", pads=[1, 1, 1, 1]),
        node("Conv", ["u", "w"], "c", "conv", pads=[1, 1, 1, 1]),
        node("Conv", ["c", "w"], "images", "kept", pads=[1, 1, 1, 1]),
    ]
    ports = [port("latents", ["n", DIM, 1, 1])], [port("images", ["n", 2, 2, 2])]
    shared = check_graph(model(nodes, *ports, [weight("w", 2, 2, 3, 3), constant("to4", [-1, 2, 2, 2])]))
    made = quantise(shared, ("up", "conv"), calibrate(shared, z, "min-max", image_bytes=BYTES))
    check_scales(made, ("up", "conv"))
    assert next(each for each in made.graph.node if each.name == "kept").input[1] == "w"
    np.testing.assert_array_equal(constants(made)["w"], constants(shared)["w"])


def test_a_layer_may_be_half_among_int8(quantised: onnx.ModelProto, z: FloatArray) -> None:
    others = [each.name for each in quantised.graph.node if each.name != "groups"]
    mixed = to_fp16(quantised, keep_fp32=others)
    kinds = {tensor.name: tensor.data_type for tensor in mixed.graph.initializer}
    assert kinds["wd"] == TensorProto.FLOAT16
    check_scales(mixed, LAYERS)
    # 48 dB: what half rounds may fall on the next step of the layer behind; 35 dB is what all steps cost.
    assert worst(mixed, quantised, z) > 45


@pytest.mark.parametrize("method", METHODS)
def test_ranges_are_the_same_each_time_and_hold_what_goes_in(
    graph: onnx.ModelProto, z: FloatArray, method: Method
) -> None:
    found = [calibrate(graph, z, method, image_bytes=BYTES) for _ in range(2)]
    assert found[0] == found[1]
    if method == "min-max":
        few_at_once = calibrate(graph, z, method, image_bytes=2.0**25)
        assert few_at_once == found[0]
        assert found[0]["flat"] == (float(z.min()), float(z.max()))
    low, high = found[0]["gr"]
    assert low <= 0 < high


def planted_axis(made: onnx.ModelProto, layer: str) -> onnx.ModelProto:
    """`made` with the weight of `layer`, a ConvTranspose, quantised for each *input* channel."""
    wrong = onnx.ModelProto()
    wrong.CopyFrom(made)
    each = dequantiser(wrong, layer)
    held = constants(wrong)
    values = held[each.input[0]] * held[each.input[1]].reshape(1, -1, 1, 1)
    scales = (np.abs(values).max((1, 2, 3)) / 127).astype(np.float32)
    new = [
        np.rint(values / scales.reshape(-1, 1, 1, 1)).astype(np.int8),
        scales,
        np.zeros(len(scales), np.int8),
    ]
    for name, array in zip(each.input, new, strict=True):
        next(t for t in wrong.graph.initializer if t.name == name).CopyFrom(
            numpy_helper.from_array(np.asarray(array), name)
        )
    each.attribute[0].i = 0
    return wrong


def test_scales_along_the_wrong_axis_are_found_though_the_images_are_good(
    quantised: onnx.ModelProto, graph: onnx.ModelProto, z: FloatArray
) -> None:
    wrong = planted_axis(quantised, "up")
    assert worst(wrong, graph, z) > worst(quantised, graph, z) - 1  # dB: no gate of images finds it
    check_scales(quantised, LAYERS)
    with pytest.raises(EdgeError, match=r"before up, has scales of shape \(4,\) along axis 0"):
        check_scales(wrong, LAYERS)


def changed(name_of: Callable[[NodeProto], str], array: Any) -> Callable[[onnx.ModelProto], None]:
    def change(made: onnx.ModelProto) -> None:
        name = name_of(dequantiser(made, "up"))
        tensor = next(each for each in made.graph.initializer if each.name == name)
        tensor.CopyFrom(numpy_helper.from_array(array, name))

    return change


@pytest.mark.parametrize(
    "change",
    [
        changed(lambda each: each.input[2], np.full(6, 1, np.int8)),
        changed(lambda each: each.input[2], np.zeros(6, np.uint8)),
        changed(lambda each: each.input[1], np.ones(4, np.float32)),
        lambda made: made.graph.node.remove(dequantiser(made, "up")),
    ],
    ids=["a zero point of 1", "unsigned", "scales of the input channels", "no dequantiser"],
)
def test_other_settings_than_every_library_takes_are_found(
    quantised: onnx.ModelProto, change: Callable[[onnx.ModelProto], None]
) -> None:
    copy = onnx.ModelProto()
    copy.CopyFrom(quantised)
    change(copy)
    with pytest.raises(EdgeError, match="up"):
        check_scales(copy, LAYERS)


@pytest.fixture(scope="module")
def for_onnxruntime(graph: onnx.ModelProto, z: FloatArray) -> onnx.ModelProto:
    ranges = calibrate(graph, z, "min-max", image_bytes=BYTES)
    return quantise(graph, ("gemm", "conv"), ranges, ASYMMETRIC)


def test_onnxruntime_computes_the_layers_of_its_scheme_in_int8(
    for_onnxruntime: onnx.ModelProto, tmp_path: Path
) -> None:
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    options.log_severity_level = 4
    onnxruntime.InferenceSession(
        for_onnxruntime.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    kinds = [each.op_type for each in onnx.load(tmp_path / "optimised.onnx").graph.node]
    assert {"QGemm", "QLinearConv"} <= set(kinds)
    assert {"Gemm", "Conv", "FusedGemm"}.isdisjoint(kinds)


def test_the_schemes_are_told_apart(quantised: onnx.ModelProto, for_onnxruntime: onnx.ModelProto) -> None:
    check_scales(for_onnxruntime, ("gemm", "conv"), ASYMMETRIC)
    with pytest.raises(EdgeError, match="int8"):
        check_scales(for_onnxruntime, ("gemm", "conv"))
    with pytest.raises(EdgeError, match="uint8"):
        check_scales(quantised, LAYERS, ASYMMETRIC)
    check_scales(quantised, LAYERS, FITTING)
    with pytest.raises(EdgeError, match="int8 or uint8"):
        check_scales(for_onnxruntime, ("gemm",), FITTING)
    with pytest.raises(EdgeError, match="axis 0"):
        check_scales(planted_axis(quantised, "up"), ("up",), Scheme("int8", outputs=True))


def test_what_has_no_sign_spends_no_bit_on_it(
    graph: onnx.ModelProto, quantised: onnx.ModelProto, z: FloatArray
) -> None:
    ranges = calibrate(graph, z, "min-max", image_bytes=BYTES)
    fitting = quantise(graph, LAYERS, ranges, FITTING)
    held, signed = constants(fitting), constants(quantised)
    for layer, source in {"gemm": "flat", "matmul": "gr", "up": "m4", "conv": "d"}.items():
        _, scale, zero = dequantiser(fitting, layer, 0).input
        assert held[zero].dtype == (np.uint8 if ranges[source][0] == 0 else np.int8)
        assert held[zero] == 0
        if held[zero].dtype == np.uint8:  # 255 steps for 127
            np.testing.assert_allclose(held[scale], signed[scale] * 127 / 255, rtol=1e-5)
    assert {held[dequantiser(fitting, layer, 0).input[2]].dtype.name for layer in LAYERS} == {"int8", "uint8"}
    assert worst(fitting, graph, z) >= worst(quantised, graph, z)


def branching(bias: float) -> onnx.ModelProto:
    """Two layers side by side, the first of which adds `bias` to what goes into a third."""
    nodes = [
        node("Flatten", ["latents"], "flat", "flatten"),
        node("Gemm", ["flat", "wa", "bias"], "a", "far"),
        node("Relu", ["a"], "r", "relu"),
        node("Gemm", ["r", "wb"], "b", "behind"),
        node("Gemm", ["flat", "wb8"], "c", "beside"),
        node("Add", ["b", "c"], "sum", "add"),
        node("Reshape", ["sum", "to4"], "images", "reshape"),
    ]
    weights = [
        weight("wa", DIM, 8), constant("bias", [bias] * 8, np.float32), weight("wb", 8, 64),
        weight("wb8", DIM, 64), constant("to4", [-1, 1, 8, 8]),
    ]  # fmt: skip
    ports = [port("latents", ["n", DIM, 1, 1])], [port("images", ["n", 1, 8, 8])]
    return check_graph(model(nodes, *ports, weights))


def test_a_method_that_has_no_range_leaves_it_to_the_others() -> None:
    made = to_int8(branching(-1e6), Architecture("custom", 8, 1, 0, DIM))
    assert "percentile" not in made.psnr_db  # 2048 bins between values that are almost the same
    assert made.psnr_db["min-max"] > 35


@pytest.mark.parametrize("bias", [np.inf, np.nan])
def test_values_that_are_not_finite_have_no_range(bias: float, z: FloatArray) -> None:
    with pytest.raises(EdgeError, match="INT8"):
        calibrate(branching(bias), z, "min-max", image_bytes=BYTES)
    with pytest.raises(EdgeError, match="--precision int8"):
        to_int8(branching(bias), Architecture("custom", 8, 1, 0, DIM))


def test_without_a_layer_there_is_nothing_to_do(graph: onnx.ModelProto) -> None:
    with pytest.raises(UsageError, match="--precision int8"):
        quantise(graph, (), {})
