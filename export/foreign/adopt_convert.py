"""A stranger's graph in the form that everything here works on: opset 18, one kind of weight, float32.

Functions are written out, constants become weights, half and double become float32, other opsets are
converted. What a conversion changes by mistake is found later, by parity with the file as it was.
"""

from __future__ import annotations

import numpy as np
import onnx
import onnx.inliner
from onnx import AttributeProto, TensorProto, helper, numpy_helper, version_converter

from dcgan_edge.errors import ArtifactError

from ..onnx.checking import NEWEST_IR, OPSET
from ..onnx.operators import find_schema, lift_constants, opset, refuse_operators

OLDEST_OPSET = 7
WIDER = {TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE}
CHANGED = frozenset(["GroupNormalization"])  # what opset 18 has, but means otherwise by the same words


def plain(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return `model` without functions, and without weights among its inputs; the operators are checked.

    Raises ArtifactError naming the node that an artifact cannot have, or what the ONNX checker says.
    """
    try:
        onnx.checker.check_model(model)
        if model.functions:
            model = onnx.inliner.inline_local_functions(model)
    except (onnx.checker.ValidationError, RuntimeError, ValueError) as error:
        raise ArtifactError(f"This is not valid ONNX: {_reason(error)}") from error
    lift_constants(model)
    _name_nodes(model.graph)
    refuse_operators(model)
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in weights]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    return model


def converted(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return `model`, which is `plain`, in opset 18, with IR version 10, and in float32.

    Raises ArtifactError naming the node that has no counterpart there.
    """
    version = opset(model)
    if version < OLDEST_OPSET:
        raise ArtifactError(f"Opset {version} is too old to be converted; {OLDEST_OPSET} is the oldest.")
    model = _older(model) if version > OPSET else _newer(model) if version < OPSET else model
    lift_constants(model)
    _widen(model)
    model.ir_version = NEWEST_IR
    del model.graph.value_info[:]
    _name_nodes(model.graph)
    refuse_operators(model)
    return model


def has_half(model: onnx.ModelProto) -> bool:
    """Whether the graph holds half-precision weights, inputs, outputs or casts: it computes in half."""
    half = (TensorProto.FLOAT16, TensorProto.BFLOAT16)
    ports = (*model.graph.input, *model.graph.output)
    return (
        any(tensor.data_type in half for tensor in model.graph.initializer)
        or any(port.type.tensor_type.elem_type in half for port in ports)
        or any(
            item.i in half for node in model.graph.node if node.op_type == "Cast" for item in node.attribute
        )
    )


def _newer(model: onnx.ModelProto) -> onnx.ModelProto:
    """Convert up to opset 18, by ONNX's own converter."""
    model.ir_version = max(model.ir_version, 4)  # from where on weights need not be inputs
    try:
        return version_converter.convert_version(model, OPSET)
    except Exception as error:  # its own exception type, or RuntimeError
        raise ArtifactError(
            f"Opset {opset(model)} could not be converted to {OPSET}: {_reason(error)} Export the model "
            f"again with opset {OPSET}."
        ) from error


def _older(model: onnx.ModelProto) -> onnx.ModelProto:
    """Write what opset 18 does not have in its operators, and call the graph one of opset 18.

    The operators that both have mean the same, or have a new attribute for what is new, which is refused.
    """
    version = opset(model)
    lacking = {
        node.op_type
        for node in model.graph.node
        if find_schema(node, OPSET) is None or node.op_type in CHANGED
    }
    if lacking:
        try:
            typed = onnx.shape_inference.infer_shapes(_with_weight_types(model))
            model = onnx.inliner.inline_selected_functions(
                typed, [("", name) for name in sorted(lacking)], inline_schema_functions=True
            )
        except RuntimeError as error:
            raise ArtifactError(
                f"Opset {version} could not be converted to {OPSET}: {_reason(error)}"
            ) from error
    for node in model.graph.node:
        schema = find_schema(node, OPSET)
        named = f"Node {node.name or node.output[0]!r} is a {node.op_type} of opset {version}"
        if schema is None:
            raise ArtifactError(f"{named}, which opset {OPSET} does not have.")
        for item in list(node.attribute):
            if item.name in schema.attributes:
                continue
            if not _says_nothing(node, item, version):
                raise ArtifactError(f"{named}, and its {item.name} is unknown to opset {OPSET}.")
            node.attribute.remove(item)
    del model.opset_import[:]
    model.opset_import.append(helper.make_opsetid("", OPSET))
    return model


def _says_nothing(node: onnx.NodeProto, item: AttributeProto, version: int) -> bool:
    """Whether an attribute only repeats what its operator does without it."""
    schema = find_schema(node, version)
    default = (
        schema.attributes[item.name].default_value if schema and item.name in schema.attributes else None
    )
    return default is not None and helper.get_attribute_value(item) == helper.get_attribute_value(default)


def _with_weight_types(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy that states the type of each weight, which the inliner asks for."""
    typed = onnx.ModelProto()
    typed.CopyFrom(model)
    known = {value.name for value in typed.graph.value_info}
    typed.graph.value_info.extend(
        helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))
        for tensor in typed.graph.initializer
        if tensor.name not in known
    )
    return typed


def _widen(model: onnx.ModelProto) -> None:
    """Make half, bfloat16 and double float32: weights, inputs, outputs, and what nodes are told to make."""
    graph = model.graph
    for tensor in graph.initializer:
        if tensor.data_type in WIDER:
            tensor.CopyFrom(_float32(tensor))
    for port in (*graph.input, *graph.output):
        if port.type.tensor_type.elem_type in WIDER:
            port.type.tensor_type.elem_type = TensorProto.FLOAT
    for node in graph.node:
        for item in node.attribute:
            if item.name in ("to", "dtype") and item.i in WIDER:
                item.i = TensorProto.FLOAT
            elif item.HasField("t") and item.t.data_type in WIDER:
                item.t.CopyFrom(_float32(item.t))


def _float32(tensor: TensorProto) -> TensorProto:
    values = numpy_helper.to_array(tensor)
    with np.errstate(over="ignore"):  # what is too large becomes infinite, and parity sees to it
        return numpy_helper.from_array(np.asarray(values, np.float32), tensor.name)


def _name_nodes(graph: onnx.GraphProto) -> None:
    """Give each node a name of its own: those that have one keep it, for messages and --keep-fp32."""
    taken: set[str] = set()
    for index, node in enumerate(graph.node):
        if not node.name or node.name in taken:
            node.name = f"{node.op_type}_{index}"
        taken.add(node.name)


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
