"""A float32 ONNX graph to a half-precision one, typed: the precision is in the graph, not in a flag.

TensorRT 11 has no other way, TensorRT 10 and ONNX Runtime follow the types as well. Input and output stay
float32, so that a caller never has to know. Nodes that are to stay float32 stand between casts; so does what
ONNX itself fixes to float32 (the scales of Resize), and what is computed from shapes and constants alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

from dcgan_edge.errors import EdgeError, UsageError

from .checking import check_graph
from .operators import (
    SHAPE_ONLY,
    find_schema,
    fresh,
    half_inputs,
    half_outputs,
    lift_constants,
    opset,
    refuse_operators,
    taken_names,
)

HALF_MAX = 65504.0  # the largest finite half
BOUNDS = frozenset(["Clip", "Max", "Min", "Pad", "Where"])  # a bound beyond half is one that never binds


def to_fp16(model: onnx.ModelProto, *, keep_fp32: Collection[str] = ()) -> onnx.ModelProto:
    """Return `model` with half weights and half arithmetic, float32 at its input and output.

    The nodes called `keep_fp32` keep their float32 weights and compute in float32; what they exchange with
    half nodes is cast on the way.

    Raises UsageError when there is no node of such a name, ArtifactError for operators that cannot be typed
    (`refuse_operators`), EdgeError when a weight is beyond the range of half precision, or a type does not
    fit any more.
    """
    refuse_operators(model)
    half = onnx.ModelProto()
    half.CopyFrom(model)
    lift_constants(half)
    _require_nodes(half.graph, keep_fp32)
    floats = _float_tensors(onnx.shape_inference.infer_shapes(half).graph)
    _cast_between(half.graph, _typed(half, frozenset(keep_fp32), floats))
    del half.graph.value_info[:]  # float32 types of before; the check infers the new ones
    return check_graph(half)


@dataclass(frozen=True)
class _Types:
    """`floats` were float32 tensors before, `wide` are those of them that stay so. `kept` are the indices of
    the nodes that compute in float32, `fixed` the inputs (node, position) that are float32 by ONNX's rules.
    """

    floats: frozenset[str]
    wide: frozenset[str]
    kept: frozenset[int]
    fixed: frozenset[tuple[int, int]]

    def is_wide_input(self, index: int, position: int) -> bool:
        """Whether this input of this node wants float32."""
        return index in self.kept or (index, position) in self.fixed

    def needs_cast(self, index: int, position: int, name: str) -> bool:
        """Whether the tensor `name` has another precision than this input of this node."""
        return name in self.floats and (name in self.wide) != self.is_wide_input(index, position)


def _typed(model: onnx.ModelProto, names: frozenset[str], floats: frozenset[str]) -> _Types:
    """Decide what stays float32, and make the rest half where the type is written down: weights and casts."""
    graph, version = model.graph, opset(model)
    computed = _computed_from_input(graph)
    kept = {index for index, node in enumerate(graph.node) if node.name in names or index not in computed}
    fixed, wide = set(), {graph.input[0].name}
    for index, node in enumerate(graph.node):
        schema = find_schema(node, version)
        assert schema is not None, "refuse_operators let an unknown operator pass"
        fixed |= {(index, place) for place, free in enumerate(half_inputs(node, schema)) if not free}
        outputs = zip(node.output, half_outputs(node, schema), strict=True)
        wide |= {name for name, free in outputs if index in kept or not free}
        if node.op_type == "Cast" and index not in kept:
            for item in node.attribute:
                item.i = TensorProto.FLOAT16 if item.i == TensorProto.FLOAT else item.i
    types = _Types(floats, frozenset(wide), frozenset(kept), frozenset(fixed))
    weights = _narrow_weights(graph, types)
    return _Types(floats, types.wide | weights, types.kept, types.fixed)


def _computed_from_input(graph: onnx.GraphProto) -> set[int]:
    """The indices of the nodes whose values depend on the latents; the others' on shapes and constants."""
    moving, found = {graph.input[0].name}, set()
    for index, node in enumerate(graph.node):
        if node.op_type not in SHAPE_ONLY and moving.intersection(node.input):
            found.add(index)
            moving.update(filter(None, node.output))
    return found


def _require_nodes(graph: onnx.GraphProto, names: Collection[str]) -> None:
    there = [node.name for node in graph.node]
    unknown = sorted(set(names) - set(there))
    if unknown:
        raise UsageError(f"The generator has no layer {', '.join(unknown)}; it has {', '.join(there)}.")


def _inputs(graph: onnx.GraphProto) -> Iterator[tuple[int, int, str]]:
    """Yield (node, position, tensor) for each input that is there."""
    for index, node in enumerate(graph.node):
        for position, name in enumerate(node.input):
            if name:
                yield index, position, name


def _narrow_weights(graph: onnx.GraphProto, types: _Types) -> set[str]:
    """Make the weights half that no input wants in float32. Returns the names of those that are left."""
    readers: dict[str, list[NodeProto]] = {}
    wanted_wide = set()
    for index, position, name in _inputs(graph):
        readers.setdefault(name, []).append(graph.node[index])
        if types.is_wide_input(index, position):
            wanted_wide.add(name)
    left = set()
    for tensor in graph.initializer:
        if tensor.data_type != TensorProto.FLOAT:
            continue
        if tensor.name in wanted_wide or tensor.name not in readers:
            left.add(tensor.name)
        else:
            tensor.CopyFrom(_half_tensor(tensor, readers[tensor.name]))
    return left


def _half_tensor(tensor: TensorProto, readers: list[NodeProto]) -> TensorProto:
    values = numpy_helper.to_array(tensor)
    if all(node.op_type in BOUNDS for node in readers):  # infinities stay what they are
        values = np.where(np.isfinite(values), np.clip(values, -HALF_MAX, HALF_MAX), values)
    elif not np.all(np.abs(values) <= HALF_MAX):
        raise EdgeError(
            f"Weight {tensor.name} reaches {np.abs(values).max():.3g}, half precision ends at {HALF_MAX:g}. "
            f"Keep it in float32: {' '.join(f'--keep-fp32 {node.name}' for node in readers)}"
        )
    return numpy_helper.from_array(values.astype(np.float16), tensor.name)


def _cast_between(graph: onnx.GraphProto, types: _Types) -> None:
    """Insert a Cast wherever float32 meets half: at input and output, and around what stays float32."""
    source, result = graph.input[0].name, graph.output[0].name
    taken = taken_names(graph)
    images = result
    if result not in types.wide:
        images = fresh("images_half", taken)
        for node in graph.node:
            node.input[:] = [images if name == result else name for name in node.input]
            node.output[:] = [images if name == result else name for name in node.output]
        types = _Types(types.floats | {images}, types.wide, types.kept, types.fixed)
    casts: dict[str, NodeProto] = {}  # by the tensor that is cast
    for index, position, name in _inputs(graph):
        if types.needs_cast(index, position, name):
            if name not in casts:
                casts[name] = _cast(name, taken, to_half=name in types.wide, is_input=name == source)
            graph.node[index].input[position] = casts[name].output[0]
    inner = list(graph.node)
    del graph.node[:]
    graph.node.extend(casts[name] for name in (source, *_weights(graph)) if name in casts)
    for node in inner:
        graph.node.append(node)
        graph.node.extend(casts[name] for name in node.output if name in casts)
    if images != result:
        graph.node.append(helper.make_node("Cast", [images], [result], "Cast_out", to=TensorProto.FLOAT))


def _cast(name: str, taken: set[str], *, to_half: bool, is_input: bool) -> NodeProto:
    new = fresh("latents_half" if is_input else f"{name}_{'half' if to_half else 'float32'}", taken)
    label = fresh("Cast_in" if is_input else f"Cast_{new}", taken)
    kind = TensorProto.FLOAT16 if to_half else TensorProto.FLOAT
    return helper.make_node("Cast", [name], [new], label, to=kind)


def _weights(graph: onnx.GraphProto) -> list[str]:
    return [tensor.name for tensor in graph.initializer]


def _float_tensors(graph: onnx.GraphProto) -> frozenset[str]:
    """The names of the float32 tensors of a graph whose types were inferred."""
    typed = (*graph.input, *graph.output, *graph.value_info)
    return frozenset(
        [info.name for info in typed if info.type.tensor_type.elem_type == TensorProto.FLOAT]
        + [tensor.name for tensor in graph.initializer if tensor.data_type == TensorProto.FLOAT]
    )
