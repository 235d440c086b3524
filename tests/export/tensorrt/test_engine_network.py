"""The change that a network may need: layers in float32 between casts, on NVIDIA's own network objects."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from dcgan_edge.export.onnx.precision import to_fp16
from dcgan_edge.export.tensorrt.network import layers_without_half, move_to_float32, read_graph
from dcgan_edge.runtime.tensorrt.library import captured, load_tensorrt, process_logger
from tests.engine_models import generator_nodes, model, needs_rtx, onnx_bytes

pytestmark = needs_rtx


class Opened:
    """A parsed network with everything that must live as long as it does, and questions to it."""

    def __init__(self, data: bytes) -> None:
        self.trt: ModuleType = load_tensorrt("rtx")
        self.builder: Any = self.trt.Builder(process_logger(self.trt))
        self.graph = read_graph(self.trt, self.builder, data, "test.onnx")
        self.network: Any = self.graph.network
        self.kept: list[Any] = []

    def move(self, *names: str) -> None:
        self.kept += move_to_float32(self.trt, self.network, names)

    def layer(self, name: str) -> Any:
        found = [self.network.get_layer(i) for i in range(self.network.num_layers)]
        return next(layer for layer in found if layer.name == name)

    def types(self, name: str) -> tuple[str, str]:
        """Of a layer's first input and output."""
        layer = self.layer(name)
        return layer.get_input(0).dtype.name, layer.get_output(0).dtype.name

    def build(self) -> bool:
        """Whether the compiler takes the network."""
        trt, config = self.trt, self.builder.create_builder_config()
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, 2**26)
        config.num_compute_capabilities = 1
        config.set_compute_capability(trt.ComputeCapability.SM86, 0)
        profile = self.builder.create_optimization_profile()
        profile.set_shape("latents", (1, 16, 1, 1), (2, 16, 1, 1), (4, 16, 1, 1))
        config.add_optimization_profile(profile)
        with captured() as log:
            built = self.builder.build_serialized_network(self.network, config)
        assert built is not None, list(log)
        return True


def test_only_the_named_layers_change() -> None:
    net = Opened(onnx_bytes())
    net.move("ConvTranspose_2")
    assert net.types("ConvTranspose_2") == ("FLOAT", "FLOAT")
    assert {net.types(name) for name in ("ConvTranspose_0", "Relu_1", "Tanh_3")} == {("HALF", "HALF")}
    assert net.layer("Tanh_3").get_input(0).name == net.layer("ConvTranspose_2/to_half").get_output(0).name
    assert net.build()


def test_weights_keep_their_values() -> None:
    net, untouched = Opened(onnx_bytes()), Opened(onnx_bytes())
    net.move("ConvTranspose_0")
    wide, half = net.layer("ConvTranspose_0"), untouched.layer("ConvTranspose_0")
    wide.__class__ = half.__class__ = net.trt.IDeconvolutionLayer
    for found, before in ((wide.kernel, half.kernel), (wide.bias, half.bias)):
        assert (found.dtype, before.dtype) == (np.float32, np.float16)
        np.testing.assert_array_equal(found, before.astype(np.float32))


def test_neighbours_may_both_be_moved() -> None:
    net = Opened(onnx_bytes())
    net.move("ConvTranspose_0", "Relu_1", "ConvTranspose_2", "Tanh_3")
    assert {net.types(n) for n in ("ConvTranspose_0", "Relu_1", "ConvTranspose_2", "Tanh_3")} == {
        ("FLOAT", "FLOAT")
    }
    assert net.build()


def test_moving_nothing_changes_nothing() -> None:
    net = Opened(onnx_bytes())
    layers = net.network.num_layers
    net.move()
    net.move("nothing of that name")
    assert net.network.num_layers == layers


def test_a_half_output_of_the_network_stays_what_it_is() -> None:
    graph = to_fp16(model())
    nodes = list(graph.graph.node)
    nodes[-2].output[0] = "images"  # the last Cast goes, and images become half
    del graph.graph.node[-1]
    graph.graph.output[0].type.tensor_type.elem_type = TensorProto.FLOAT16
    net = Opened(graph.SerializeToString())
    net.move("Tanh_3")
    output = net.network.get_output(0)
    assert (net.network.num_outputs, output.name, output.dtype.name) == (1, "images", "HALF")
    assert net.build()


OTHERS: dict[str, list[onnx.NodeProto]] = {
    "no bias": [helper.make_node("ConvTranspose", ["latents", "w0"], ["a"], "X"), *generator_nodes()[1:]],
    "batch norm": [
        generator_nodes()[0],
        helper.make_node("BatchNormalization", ["a", "scale", "scale", "scale", "var"], ["n"], "X"),
        helper.make_node("Relu", ["n"], ["b"], "Relu_1"),
        *generator_nodes()[2:],
    ],
    "convolution": [
        generator_nodes()[0],
        helper.make_node("Conv", ["a", "w2", "b0"], ["b"], "X", pads=[1, 1, 1, 1]),
        *generator_nodes()[2:],
    ],
    "two readers": [
        helper.make_node("ConvTranspose", ["latents", "w0", "b0"], ["a"], "X"),
        helper.make_node("Relu", ["a"], ["r"], "Relu_1"),
        helper.make_node("Add", ["a", "r"], ["b"], "Add_2"),
        *generator_nodes()[2:],
    ],
}


@pytest.mark.parametrize("case", OTHERS)
def test_other_layers_can_be_moved_as_well(case: str) -> None:
    net = Opened(to_fp16(model(OTHERS[case])).SerializeToString())
    net.move("X")
    assert net.types("X") == ("FLOAT", "FLOAT")
    assert net.types("Tanh_3") == ("HALF", "HALF")
    assert net.build()


@pytest.mark.parametrize(
    ("line", "layers"),
    [
        ("Error Code 10: Internal Error (Could not find any implementation for node Relu_1.)", ["Relu_1"]),
        (
            "Could not find any implementation for node ConvTranspose_2 + Tanh_3.",
            ["ConvTranspose_2", "Tanh_3"],
        ),
        (
            "Could not find any implementation for node {ForeignNode[ConvTranspose_0...ConvTranspose_2]}.",
            ["ConvTranspose_0", "Relu_1", "ConvTranspose_2"],
        ),
        ("No low-precision deconvolution kernel available for node ConvTranspose_2", ["ConvTranspose_2"]),
        ("Could not find any implementation for node Relu_11 or xRelu_1.", []),
        ("Skipping tactic for node Relu_1", []),
    ],
)
def test_the_log_names_the_layers(line: str, layers: list[str]) -> None:
    net = Opened(onnx_bytes())
    assert list(layers_without_half(net.trt, net.network, [line])) == layers


def test_layers_that_are_float32_anyway_are_not_named() -> None:
    net = Opened(onnx_bytes("fp32"))
    line = "Could not find any implementation for node Relu_1."
    assert layers_without_half(net.trt, net.network, [line]) == ()
