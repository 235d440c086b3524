"""An ONNX graph as a TensorRT network, strongly typed: what is half in the graph is half in the engine."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING

from dcgan_edge.errors import EdgeError
from dcgan_edge.runtime.tensorrt.library import captured, process_logger

if TYPE_CHECKING:
    from tensorrt import Builder, ILayer, INetworkDefinition, ITensor, OnnxParser, ParserError

NO_IMPLEMENTATION = "implementation for node"  # what TensorRT logs begins "Could not find any"


@dataclass(frozen=True)
class ParsedNetwork:
    """A network and the parser that owns its weights: the parser must live until the engine is built."""

    network: INetworkDefinition
    parser: OnnxParser


def read_graph(trt: ModuleType, builder: Builder, data: bytes, name: str) -> ParsedNetwork:
    """Parse the ONNX file `data`, typed as it is. Raises EdgeError naming the nodes that do not compile."""
    with captured() as log:
        network: INetworkDefinition | None = builder.create_network(
            1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
        )
        if network is None:
            raise EdgeError(f"{trt.__name__} made no network: {' | '.join(log)}")
        parser: OnnxParser = trt.OnnxParser(network, process_logger(trt))
        if not parser.parse(data):
            raise EdgeError(f"{name} cannot be compiled: {'; '.join(_complaints(parser)) or ' | '.join(log)}")
    return ParsedNetwork(network, parser)


def layers_without_half(trt: ModuleType, network: INetworkDefinition, log: Iterable[str]) -> tuple[str, ...]:
    """Return the half-precision layers that `log` names as without an implementation, in network order.

    Of layers that were fused, the log names the first and the last.
    """
    named = {word for line in log if NO_IMPLEMENTATION in line for word in re.split(r"\W+", line)}
    layers: list[ILayer] = [network.get_layer(index) for index in range(network.num_layers)]
    return tuple(layer.name for layer in layers if layer.name in named and _is_half(trt, layer))


def _is_half(trt: ModuleType, layer: ILayer) -> bool:
    outputs: list[ITensor] = [layer.get_output(index) for index in range(layer.num_outputs)]
    return any(tensor.dtype == trt.DataType.HALF for tensor in outputs)


def _complaints(parser: OnnxParser) -> list[str]:
    """What the parser has against the graph, each with its node."""
    complaints = []
    for index in range(parser.num_errors):
        error: ParserError = parser.get_error(index)
        complaints.append(f"node {error.node_name()} ({error.node_operator()}): {error.desc()}")
    return complaints
