"""The shape of every tensor of a graph at one batch size, found without running it and without its weights.

Exporters leave chains of Shape, Gather and Concat that compute what is constant once the batch is known. Only
such small constants are computed here, in rounds with ONNX's own shape inference; nothing is ever made that
is larger than CONSTANT elements, whatever the graph asks for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from dcgan_edge.errors import ArtifactError

from .operators import SHAPE_ONLY, opset

Constant = npt.NDArray[np.generic]
CONSTANT = 256  # elements: more than any shape has
MOST_INPUTS = 64  # of a node that is computed
ROUNDS = 30
STEADY = frozenset([  # their results are no larger than their inputs, or as the product of two of them
    "Abs", "Add", "And", "Cast", "Ceil", "Concat", "Div", "Equal", "Floor", "Gather", "Greater",
    "GreaterOrEqual", "Identity", "Less", "LessOrEqual", "Max", "Min", "Mod", "Mul", "Neg", "Not", "Or",
    "ReduceMax", "ReduceMin", "ReduceProd", "ReduceSum", "Reshape", "Round", "Sign", "Slice", "Sqrt",
    "Squeeze", "Sub", "Sum", "Transpose", "Unsqueeze", "Where",
])  # fmt: skip
GROWING = frozenset(["ConstantOfShape", "Expand", "Pad", "Range", "Tile"])  # only where the size is known


@dataclass(frozen=True)
class Resolved:
    """What is known of a graph at one batch size: (shape, element type) of each tensor whose shape is known,
    and the values of small tensors that do not depend on the latents.
    """

    tensors: Mapping[str, tuple[tuple[int, ...], int]]
    constants: Mapping[str, Constant]

    def bytes(self, name: str) -> int:
        """Return the memory of a tensor. Raises ArtifactError when its shape is not known."""
        if name not in self.tensors:
            raise ArtifactError(f"The size of the tensor {name[:80]!r} cannot be known without running it.")
        shape, kind = self.tensors[name]
        return math.prod(shape) * helper.tensor_dtype_to_np_dtype(kind).itemsize


def resolve(model: onnx.ModelProto, batch: int) -> Resolved:
    """Return what is known of `model` when the open first axis of each of its inputs is `batch`.

    Raises ArtifactError when shapes contradict each other.
    """
    bare = skeleton(model)
    for value in bare.graph.input:
        axes = value.type.tensor_type.shape.dim
        if axes and not axes[0].HasField("dim_value"):
            axes[0].dim_value = batch
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in bare.graph.initializer}
    given = set(constants)
    tensors = _inferred(bare)
    for _ in range(ROUNDS):
        found = _computed(bare, tensors, constants)
        if not found:
            break
        constants |= found
        bare.graph.initializer.extend(numpy_helper.from_array(each, name) for name, each in found.items())
        kept = [
            node for node in bare.graph.node if not all(name in constants for name in node.output if name)
        ]
        del bare.graph.node[:]
        bare.graph.node.extend(kept)
        tensors |= _inferred(bare)
    return Resolved(tensors, {name: each for name, each in constants.items() if name not in given})


def sized(model: onnx.ModelProto, batch: int) -> onnx.ModelProto:
    """Return `model` with the shape of each tensor at that batch. Raises ArtifactError as `resolve` does."""
    found = resolve(model, batch)
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    values = (*copy.graph.input, *copy.graph.output)
    ends = {value.name for value in values}
    for value in values:
        shape, kind = found.tensors[value.name]
        value.CopyFrom(helper.make_tensor_value_info(value.name, kind, shape))
    del copy.graph.value_info[:]
    made = [name for node in copy.graph.node for name in node.output if name in found.tensors]
    copy.graph.value_info.extend(
        helper.make_tensor_value_info(name, found.tensors[name][1], found.tensors[name][0])
        for name in made
        if name not in ends
    )
    return copy


def skeleton(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return `model` without what its large weights hold: they become inputs, of their types and shapes."""
    bare = onnx.ModelProto(ir_version=max(model.ir_version, 4))
    bare.opset_import.extend(model.opset_import)
    graph = model.graph
    bare.graph.name = graph.name or "graph"
    bare.graph.node.extend(graph.node)
    weights = {tensor.name for tensor in graph.initializer}
    bare.graph.input.extend(value for value in graph.input if value.name not in weights)
    bare.graph.output.extend(graph.output)
    for tensor in graph.initializer:
        if math.prod(tensor.dims) <= CONSTANT:
            bare.graph.initializer.add().CopyFrom(tensor)
        else:
            bare.graph.input.append(
                helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))
            )
    return bare


def _inferred(model: onnx.ModelProto) -> dict[str, tuple[tuple[int, ...], int]]:
    try:
        graph = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True).graph
    except (onnx.shape_inference.InferenceError, RuntimeError, ValueError) as error:
        raise ArtifactError(f"The shapes of this graph do not fit: {_reason(error)}") from error
    found = {tensor.name: (tuple(tensor.dims), tensor.data_type) for tensor in graph.initializer}
    for value in (*graph.value_info, *graph.input, *graph.output):
        kind = value.type.tensor_type
        if kind.HasField("shape") and all(axis.HasField("dim_value") for axis in kind.shape.dim):
            shape = tuple(axis.dim_value for axis in kind.shape.dim)
            if min(shape, default=0) >= 0:
                found[value.name] = (shape, kind.elem_type)
    return found


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def _computed(
    model: onnx.ModelProto,
    tensors: Mapping[str, tuple[tuple[int, ...], int]],
    known: Mapping[str, Constant],
) -> dict[str, Constant]:
    """The values of small tensors that follow from `known` ones and from shapes, by name."""
    found: dict[str, Constant] = {}
    for node in model.graph.node:
        if node.op_type in SHAPE_ONLY - {"EyeLike"} and node.input[0] in tensors:
            found[node.output[0]] = _shape(node, tensors[node.input[0]][0])
        elif node.op_type in STEADY or _is_small(node, tensors):
            given = {name: found.get(name, known.get(name)) for name in node.input if name}
            values = {name: each for name, each in given.items() if each is not None}
            if len(values) == len(given) <= MOST_INPUTS and all(
                each.size <= CONSTANT for each in values.values()
            ):
                found |= _run(node, opset(model), values)
    return found


def _is_small(node: NodeProto, tensors: Mapping[str, tuple[tuple[int, ...], int]]) -> bool:
    shapes = [tensors[name][0] for name in node.output if name in tensors]
    return (
        node.op_type in GROWING
        and len(shapes) == len(node.output)
        and all(math.prod(each) <= CONSTANT for each in shapes)
    )


def _shape(node: NodeProto, shape: tuple[int, ...]) -> Constant:
    if node.op_type == "Size":
        return np.array(math.prod(shape), np.int64)
    limits = {item.name: item.i for item in node.attribute}
    return np.array(shape[limits.get("start", 0) : limits.get("end", len(shape))], np.int64)


def _run(node: NodeProto, version: int, values: Mapping[str, Constant]) -> dict[str, Constant]:
    """What one node makes of constants; nothing where that is not small, or it fails: shapes then say so."""
    graph = helper.make_graph(
        [node],
        "node",
        [_port(name, helper.np_dtype_to_tensor_dtype(each.dtype)) for name, each in values.items()],
        [_port(name, TensorProto.UNDEFINED) for name in node.output if name],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", version)])
    try:
        with np.errstate(all="ignore"):
            made = ReferenceEvaluator(model).run(None, dict(values))
    except Exception:  # whatever a malformed node provokes in an evaluator of pure NumPy
        return {}
    names = [name for name in node.output if name]
    results = {name: np.asarray(each) for name, each in zip(names, made, strict=True)}
    return results if all(each.size <= CONSTANT for each in results.values()) else {}


def _port(name: str, kind: int) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, None)
