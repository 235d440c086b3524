"""An ONNX graph as a TensorRT network, and the one change that is ever made to it: layers moved to float32.

The graph's types are binding (strongly typed). Where this GPU has no half-precision kernel for a layer, the
layer is wrapped: its inputs are cast to float32, its weights with them, and its outputs back to half.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from dcgan_edge.errors import EdgeError
from dcgan_edge.runtime.tensorrt.library import captured, process_logger

if TYPE_CHECKING:
    from tensorrt import (
        Builder,
        DataType,
        ICastLayer,
        IConvolutionLayer,
        IDeconvolutionLayer,
        ILayer,
        INetworkDefinition,
        IScaleLayer,
        ITensor,
        LayerType,
        OnnxParser,
        ParserError,
    )

NO_KERNEL = re.compile(
    r"could not find any implementation for node"
    r"|no (?:low|half|reduced)[- ]precision .*(?:kernel|implementation)",
    re.IGNORECASE,
)
RANGE = re.compile(r"ForeignNode\[(.+?)\.\.\.(.+?)\]")  # layers that were fused, first to last


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
    """The half layers that `log` says have no implementation, in the order of the network."""
    names = [layer.name for layer in _layers(network)]
    found: set[str] = set()
    for line in log:
        if not NO_KERNEL.search(line):
            continue
        found.update(name for name in names if re.search(rf"(?<![\w.]){re.escape(name)}(?![\w])", line))
        for first, last in RANGE.findall(line):
            if first in names and last in names:
                found.update(names[names.index(first) : names.index(last) + 1])
    half = {layer.name for layer in _layers(network) if _is_half(trt, layer)}
    return tuple(name for name in names if name in found & half)


def move_to_float32(trt: ModuleType, network: INetworkDefinition, names: Sequence[str]) -> list[Any]:
    """Compute the layers called `names` in float32, half tensors around them unchanged.

    Returns the new weights: TensorRT only points to them, so keep them until the engine is built.
    """
    kept: list[Any] = []
    for layer in _layers(network):
        if layer.name in names:
            half_outputs = [tensor for tensor in _outputs(layer) if tensor.dtype == trt.DataType.HALF]
            _widen_inputs(trt, network, layer)
            kept += _widen_weights(trt, layer)
            for tensor in half_outputs:
                _narrow_again(trt, network, layer, tensor)
    return kept


def _is_half(trt: ModuleType, layer: ILayer) -> bool:
    return any(tensor.dtype == trt.DataType.HALF for tensor in _outputs(layer))


def _complaints(parser: OnnxParser) -> list[str]:
    """What the parser has against the graph, each with its node."""
    complaints = []
    for index in range(parser.num_errors):
        error: ParserError = parser.get_error(index)
        complaints.append(f"node {error.node_name()} ({error.node_operator()}): {error.desc()}")
    return complaints


def _layers(network: INetworkDefinition) -> list[ILayer]:
    return [network.get_layer(index) for index in range(network.num_layers)]


def _inputs(layer: ILayer) -> list[tuple[int, ITensor]]:
    """The inputs that are there, with their positions; optional ones may be missing."""
    inputs = [(index, layer.get_input(index)) for index in range(layer.num_inputs)]
    return [(index, tensor) for index, tensor in inputs if tensor is not None]


def _outputs(layer: ILayer) -> list[ITensor]:
    return [layer.get_output(index) for index in range(layer.num_outputs)]


def _widen_inputs(trt: ModuleType, network: INetworkDefinition, layer: ILayer) -> None:
    index: int
    tensor: ITensor
    for index, tensor in _inputs(layer):
        if tensor.dtype == trt.DataType.HALF:
            wide = _cast(network, tensor, trt.DataType.FLOAT, f"{layer.name}/to_float32/{index}")
            layer.set_input(index, wide)


def _widen_weights(trt: ModuleType, layer: ILayer) -> list[Any]:
    """Give the layer's own weights, where it has some, in float32. The class is what opens them to Python."""
    kind: LayerType = layer.type
    if kind == trt.LayerType.DECONVOLUTION:
        layer.__class__ = trt.IDeconvolutionLayer
        deconvolution: IDeconvolutionLayer = layer
        kept = _wide(deconvolution.kernel, deconvolution.bias)
        deconvolution.kernel, deconvolution.bias = kept
    elif kind == trt.LayerType.CONVOLUTION:
        layer.__class__ = trt.IConvolutionLayer
        convolution: IConvolutionLayer = layer
        kept = _wide(convolution.kernel, convolution.bias)
        convolution.kernel, convolution.bias = kept
    elif kind == trt.LayerType.SCALE:
        layer.__class__ = trt.IScaleLayer
        scale: IScaleLayer = layer
        kept = _wide(scale.shift, scale.scale, scale.power)
        scale.shift, scale.scale, scale.power = kept
    else:
        kept = []
    return kept


def _wide(*weights: Any) -> list[Any]:
    return [np.asarray(values, np.float32) for values in weights]


def _narrow_again(trt: ModuleType, network: INetworkDefinition, layer: ILayer, tensor: ITensor) -> None:
    """Cast `tensor`, an output of `layer`, back to half for everybody who reads it."""
    cast_name = f"{layer.name}/to_half"
    narrow = _cast(network, tensor, trt.DataType.HALF, cast_name)
    name: str = tensor.name
    reader: ILayer
    for reader in _layers(network):
        index: int
        source: ITensor
        for index, source in _inputs(reader):
            if source.name == name and reader.name != cast_name:
                reader.set_input(index, narrow)
    if tensor.is_network_output:
        network.unmark_output(tensor)
        tensor.name = f"{name}/float32"
        narrow.name = name
        network.mark_output(narrow)


def _cast(network: INetworkDefinition, tensor: ITensor, kind: DataType, name: str) -> ITensor:
    cast: ICastLayer | None = network.add_cast(tensor, kind)
    if cast is None:
        raise EdgeError(f"TensorRT does not cast {tensor.name} to {kind}.")
    cast.name = name
    return cast.get_output(0)
