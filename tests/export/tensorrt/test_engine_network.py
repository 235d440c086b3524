"""What the compiler's log says about layers, on NVIDIA's own network objects."""

from __future__ import annotations

import pytest

from dcgan_edge.artifact import Precision
from dcgan_edge.export.tensorrt.network import layers_without_half, read_graph
from dcgan_edge.runtime.tensorrt.library import load_tensorrt, process_logger
from tests.engine_models import needs_rtx, onnx_bytes

pytestmark = needs_rtx


def named_layers(line: str, precision: Precision = "fp16") -> list[str]:
    trt = load_tensorrt("rtx")
    builder = trt.Builder(process_logger(trt))
    graph = read_graph(trt, builder, onnx_bytes(precision), "test.onnx")
    return list(layers_without_half(trt, graph.network, [line]))


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
            ["ConvTranspose_0", "ConvTranspose_2"],
        ),
        ("Could not find any implementation for node Relu_11 or xRelu_1.", []),
        ("Skipping tactic for node Relu_1", []),
    ],
)
def test_the_log_names_the_layers(line: str, layers: list[str]) -> None:
    assert named_layers(line) == layers


@pytest.mark.parametrize("precision", ["fp32", "mixed"])
def test_layers_that_are_float32_anyway_are_not_named(precision: Precision) -> None:
    assert named_layers("Could not find any implementation for node ConvTranspose_2.", precision) == []
