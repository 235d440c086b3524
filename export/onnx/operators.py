"""What ONNX says of an operator: where it takes half precision; and which operators no artifact may have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import onnx
from onnx import AttributeProto, NodeProto, TensorProto, defs, helper, numpy_helper

from dcgan_edge.errors import ArtifactError

OWN_DOMAINS = ("", "ai.onnx")
RANDOM = frozenset([
    "Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike",
])  # fmt: skip
SHAPE_ONLY = frozenset(["EyeLike", "Shape", "Size"])  # they read the shape of their input, not its values
HALF = "tensor(float16)"


def refuse_operators(model: onnx.ModelProto) -> None:
    """Raise ArtifactError naming the first node that an artifact cannot have.

    Those are operators of another domain than ONNX's own, control flow (If, Loop, Scan), sequences and
    optionals, random numbers (an image would not depend on its seed alone), and operators that the graph's
    opset does not have.
    """
    version = opset(model)
    training = _true_weights(model.graph)
    for node in model.graph.node:
        named = f"Node {node.name or node.output[0]!r} is a {node.op_type}"
        if node.domain not in OWN_DOMAINS:
            raise ArtifactError(f"{named} of the domain {node.domain}, which is not ONNX's own.")
        if any(item.type in (AttributeProto.GRAPH, AttributeProto.GRAPHS) for item in node.attribute):
            raise ArtifactError(f"{named}: control flow is not typed or verified here; export without it.")
        if node.op_type in RANDOM:
            raise ArtifactError(
                f"{named}: it draws random numbers, so a seed would not be one image. Export the generator "
                "with constant noise."
            )
        if node.op_type == "Dropout" and not training.isdisjoint(node.input[2:]):
            raise ArtifactError(f"{named} in training mode; export in eval mode.")
        schema = find_schema(node, version)
        if schema is None:
            raise ArtifactError(f"{named}, which opset {version} of ONNX does not have.")
        if "Sequence" in node.op_type or node.op_type.startswith("Optional"):
            raise ArtifactError(f"{named}: sequences and optional values are not supported.")


def _true_weights(graph: onnx.GraphProto) -> set[str]:
    """The names of the weights that are one boolean, and true."""
    single = (each for each in graph.initializer if each.data_type == TensorProto.BOOL and not each.dims)
    return {tensor.name for tensor in single if numpy_helper.to_array(tensor)}


def opset(model: onnx.ModelProto) -> int:
    """Return the version of ONNX's own operators that `model` imports, 1 when it says none."""
    return max((int(each.version) for each in model.opset_import if each.domain in OWN_DOMAINS), default=1)


def find_schema(node: NodeProto, version: int) -> defs.OpSchema | None:
    """Return what ONNX says of the node's operator in opset `version`; None when it has no such one."""
    if node.domain not in OWN_DOMAINS or not defs.has(node.op_type, version, ""):
        return None
    return defs.get_schema(node.op_type, version, "")


def half_inputs(node: NodeProto, schema: defs.OpSchema) -> list[bool]:
    """Return for each input of the node whether its operator takes half there."""
    return [_takes_half(schema, formal) for formal in _formals(schema.inputs, len(node.input))]


def half_outputs(node: NodeProto, schema: defs.OpSchema) -> list[bool]:
    """Return for each output of the node whether its operator can make half there."""
    return [_takes_half(schema, formal) for formal in _formals(schema.outputs, len(node.output))]


def _formals(
    parameters: Sequence[defs.OpSchema.FormalParameter], count: int
) -> Iterator[defs.OpSchema.FormalParameter]:
    """The declared parameter of each position; the last one stands for all that follow."""
    return (parameters[min(position, len(parameters) - 1)] for position in range(count))


def _takes_half(schema: defs.OpSchema, formal: defs.OpSchema.FormalParameter) -> bool:
    allowed = {each.type_param_str: each.allowed_type_strs for each in schema.type_constraints}
    return HALF in allowed.get(formal.type_str, [formal.type_str])


def taken_names(graph: onnx.GraphProto) -> set[str]:
    """Return every name that a node, a weight or another tensor of `graph` has."""
    taken = {name for node in graph.node for name in (*node.input, *node.output, node.name)}
    return taken | {tensor.name for tensor in graph.initializer}


def fresh(name: str, taken: set[str]) -> str:
    """Return `name`, lengthened until it is none of `taken`, and take it."""
    while name in taken:
        name += "_"
    taken.add(name)
    return name


def lift_constants(model: onnx.ModelProto) -> None:
    """Make the value of every Constant node an initializer, so that there is one kind of weight.

    Raises ArtifactError for a sparse constant, or one of strings.
    """
    graph = model.graph
    nodes = list(graph.node)
    constants = [node for node in nodes if node.op_type == "Constant" and node.domain in OWN_DOMAINS]
    if constants:
        graph.initializer.extend(_constant(node) for node in constants)
        del graph.node[:]
        graph.node.extend(
            node for node in nodes if node.op_type != "Constant" or node.domain not in OWN_DOMAINS
        )


def _constant(node: NodeProto) -> TensorProto:
    (item,) = node.attribute
    kinds = {"value_float": np.float32, "value_floats": np.float32, "value_int": np.int64,
             "value_ints": np.int64}  # fmt: skip
    if item.name == "value":
        tensor = TensorProto()
        tensor.CopyFrom(item.t)
        tensor.name = node.output[0]
        return tensor
    if item.name not in kinds:
        raise ArtifactError(f"Node {node.name or node.output[0]!r} is a Constant of a kind not supported.")
    return numpy_helper.from_array(
        np.array(helper.get_attribute_value(item), kinds[item.name]), node.output[0]
    )
