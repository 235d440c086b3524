"""A float32 ONNX graph to a half-precision one, typed: the precision is in the graph, not in a flag.

TensorRT 11 has no other way, TensorRT 10 and ONNX Runtime follow the types as well. Input and output stay
float32, so that a caller never has to know.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from dcgan_edge.errors import EdgeError

from .graph import check_graph

HALF_MAX = 65504.0  # the largest finite half
FLOAT32_INPUTS = {"Resize": {1, 2}}  # operators whose inputs of these positions ONNX fixes to float32


def to_fp16(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return `model` with half weights and half arithmetic, float32 at its input and output.

    Raises EdgeError when a weight is beyond the range of half precision, or a type does not fit any more.
    """
    half = onnx.ModelProto()
    half.CopyFrom(model)
    graph = half.graph
    keep = {
        node.input[position]
        for node in graph.node
        for position in FLOAT32_INPUTS.get(node.op_type, ())
        if position < len(node.input)
    }
    for tensor in graph.initializer:
        if tensor.data_type == TensorProto.FLOAT and tensor.name not in keep:
            tensor.CopyFrom(_half_tensor(tensor, tensor.name))
    for node in graph.node:
        if node.op_type == "Constant" and node.output[0] not in keep:
            for attribute in node.attribute:
                if attribute.name == "value" and attribute.t.data_type == TensorProto.FLOAT:
                    attribute.t.CopyFrom(_half_tensor(attribute.t, node.output[0]))
    _cast_at_the_border(graph)
    del graph.value_info[:]  # float32 types of before; the check infers the new ones
    return check_graph(half)


def _half_tensor(tensor: TensorProto, name: str) -> TensorProto:
    values = numpy_helper.to_array(tensor)
    if not np.all(np.abs(values) <= HALF_MAX):
        raise EdgeError(
            f"Weight {name} reaches {np.abs(values).max():.3g}, half precision ends at {HALF_MAX:g}."
        )
    return numpy_helper.from_array(values.astype(np.float16), tensor.name)


def _cast_at_the_border(graph: onnx.GraphProto) -> None:
    """Insert a Cast to half behind the input and a Cast to float32 before the output."""
    source, result = graph.input[0].name, graph.output[0].name
    for node in graph.node:
        node.input[:] = ["latents_half" if name == source else name for name in node.input]
        node.output[:] = ["images_half" if name == result else name for name in node.output]
    inner = list(graph.node)
    del graph.node[:]
    graph.node.append(helper.make_node("Cast", [source], ["latents_half"], "Cast_in", to=TensorProto.FLOAT16))
    graph.node.extend(inner)
    graph.node.append(helper.make_node("Cast", ["images_half"], [result], "Cast_out", to=TensorProto.FLOAT))
