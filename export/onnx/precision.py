"""A float32 ONNX graph to a half-precision one, typed: the precision is in the graph, not in a flag.

TensorRT 11 has no other way, TensorRT 10 and ONNX Runtime follow the types as well. Input and output stay
float32, so that a caller never has to know. Nodes that are to stay float32 stand between casts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from dcgan_edge.errors import EdgeError, UsageError

from .graph import check_graph

HALF_MAX = 65504.0  # the largest finite half
FLOAT32_INPUTS = {"Resize": {1, 2}}  # operators whose inputs of these positions ONNX fixes to float32


def to_fp16(model: onnx.ModelProto, *, keep_fp32: Collection[str] = ()) -> onnx.ModelProto:
    """Return `model` with half weights and half arithmetic, float32 at its input and output.

    The nodes called `keep_fp32` keep their float32 weights and compute in float32; what they exchange with
    half nodes is cast on the way.

    Raises UsageError when there is no node of such a name, EdgeError when a weight is beyond the range of
    half precision, or a type does not fit any more.
    """
    half = onnx.ModelProto()
    half.CopyFrom(model)
    kept = set(keep_fp32)
    _require_nodes(half.graph, kept)
    floats = _float_tensors(onnx.shape_inference.infer_shapes(model).graph)
    _cast_between(half.graph, kept, floats, _narrow_weights(half.graph, kept))
    del half.graph.value_info[:]  # float32 types of before; the check infers the new ones
    return check_graph(half)


def _require_nodes(graph: onnx.GraphProto, names: Collection[str]) -> None:
    there = [node.name for node in graph.node]
    unknown = sorted(set(names) - set(there))
    if unknown:
        raise UsageError(f"The generator has no layer {', '.join(unknown)}; it has {', '.join(there)}.")


def _readers(graph: onnx.GraphProto) -> Iterable[tuple[onnx.NodeProto, int, str]]:
    """Yield (node, position, tensor) for each input whose precision is free."""
    for node in graph.node:
        for position, name in enumerate(node.input):
            if name and position not in FLOAT32_INPUTS.get(node.op_type, ()):
                yield node, position, name


def _narrow_weights(graph: onnx.GraphProto, kept: set[str]) -> set[str]:
    """Make weights half, but for those that ONNX fixes to float32 or that kept nodes alone read.

    Returns the names of the float32 tensors that are left.
    """
    free = {name for node, _, name in _readers(graph) if node.name not in kept}
    fixed = {
        name
        for node in graph.node
        for position, name in enumerate(node.input)
        if position in FLOAT32_INPUTS.get(node.op_type, ())
    }
    weights = [(tensor.name, tensor) for tensor in graph.initializer]
    for node in graph.node:
        if node.op_type == "Constant" and node.name not in kept:
            weights += [(node.output[0], item.t) for item in node.attribute if item.name == "value"]
    wide = set()
    for name, tensor in weights:
        if tensor.data_type == TensorProto.FLOAT and name in free - fixed:
            tensor.CopyFrom(_half_tensor(tensor, name))
        elif tensor.data_type == TensorProto.FLOAT:
            wide.add(name)
    return wide


def _half_tensor(tensor: TensorProto, name: str) -> TensorProto:
    values = numpy_helper.to_array(tensor)
    if not np.all(np.abs(values) <= HALF_MAX):
        raise EdgeError(
            f"Weight {name} reaches {np.abs(values).max():.3g}, half precision ends at {HALF_MAX:g}."
        )
    return numpy_helper.from_array(values.astype(np.float16), tensor.name)


def _cast_between(graph: onnx.GraphProto, kept: set[str], floats: set[str], wide: set[str]) -> None:
    """Insert a Cast wherever float32 meets half: at input and output, and around the `kept` nodes.

    `floats` were float32 tensors before, `wide` are the weights that still are.
    """
    source, result = graph.input[0].name, graph.output[0].name
    wide = {source, *wide, *(name for node in graph.node if node.name in kept for name in node.output)}
    if result not in wide:
        for node in graph.node:
            node.input[:] = ["images_half" if name == result else name for name in node.input]
            node.output[:] = ["images_half" if name == result else name for name in node.output]
        floats = floats | {"images_half"}
    casts: dict[str, onnx.NodeProto] = {}  # by the tensor that is cast
    for node, position, name in _readers(graph):
        if name in floats and (name in wide) != (node.name in kept):
            if name not in casts:
                casts[name] = _cast(name, to_half=name in wide, is_input=name == source)
            node.input[position] = casts[name].output[0]
    inner = list(graph.node)
    del graph.node[:]
    graph.node.extend(casts[name] for name in (source, *_weights(graph)) if name in casts)
    for node in inner:
        graph.node.append(node)
        graph.node.extend(casts[name] for name in node.output if name in casts)
    if result not in wide:
        graph.node.append(
            helper.make_node("Cast", ["images_half"], [result], "Cast_out", to=TensorProto.FLOAT)
        )


def _cast(name: str, *, to_half: bool, is_input: bool) -> onnx.NodeProto:
    if is_input:
        return helper.make_node("Cast", [name], ["latents_half"], "Cast_in", to=TensorProto.FLOAT16)
    new = f"{name}_{'half' if to_half else 'float32'}"
    kind = TensorProto.FLOAT16 if to_half else TensorProto.FLOAT
    return helper.make_node("Cast", [name], [new], f"Cast_{new}", to=kind)


def _weights(graph: onnx.GraphProto) -> list[str]:
    return [tensor.name for tensor in graph.initializer]


def _float_tensors(graph: onnx.GraphProto) -> set[str]:
    """The names of the float32 tensors of a graph whose types were inferred."""
    typed = (*graph.input, *graph.output, *graph.value_info)
    return {info.name for info in typed if info.type.tensor_type.elem_type == TensorProto.FLOAT} | {
        tensor.name for tensor in graph.initializer if tensor.data_type == TensorProto.FLOAT
    }
