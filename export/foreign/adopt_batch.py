"""The batch of a stranger's graph: freed where an exporter wrote it down, settled in every shape, or fixed.

Shapes that an exporter computes or fixes become constants with one free axis, the batch, wherever two batch
sizes agree on the rest.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import NodeProto, helper, numpy_helper

from dcgan_edge.errors import ArtifactError

from ..onnx.checking import check_graph
from ..onnx.shapes import Resolved, resolve

PROBES = (1, 3)  # two batches that no constant of a graph means by chance


def free_batch(graph: onnx.GraphProto, fixed: Resolved, batch: int) -> None:
    """Take the batch that an exporter wrote down out of the shapes that nodes are told to make.

    Whether that was all is found by running other batches.
    """
    for value in graph.input:
        axes = value.type.tensor_type.shape.dim
        if len(axes) > 1 and axes[0].dim_value == batch:
            axes[0].dim_param = "batch"
    for node in graph.node:
        if node.op_type == "Reshape" and node.output[0] in fixed.tensors:
            shape = fixed.tensors[node.output[0]][0]
            if len(shape) > 1 and shape[0] == batch:
                node.input[1] = _new_constant(graph, node, [-1, *shape[1:]])
                del node.attribute[:]  # allowzero
        elif node.op_type == "Resize" and len(node.input) > 3 and node.input[3]:
            shape = fixed.tensors.get(node.output[0], ((), 0))[0]
            if (
                len(shape) == 4
                and shape[0] == batch
                and not any(item.name == "axes" for item in node.attribute)
            ):
                node.input[3] = _new_constant(graph, node, list(shape[2:]))
                node.attribute.append(helper.make_attribute("axes", [2, 3]))


def settle(graph: onnx.GraphProto, first: Resolved, second: Resolved) -> None:
    """Make constants of what is the same at two batch sizes; in a reshape one axis may differ: the batch."""
    made = {name for node in graph.node for name in node.output}
    same = {
        name
        for name in made & first.constants.keys() & second.constants.keys()
        if np.array_equal(first.constants[name], second.constants[name])
    }
    graph.initializer.extend(numpy_helper.from_array(first.constants[name], name) for name in sorted(same))
    kept = [node for node in graph.node if not all(name in same for name in node.output if name)]
    del graph.node[:]
    graph.node.extend(kept)
    weights = {tensor.name for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type != "Reshape" or node.input[1] in weights:
            continue
        shapes = [found.tensors[node.output[0]][0] for found in (first, second)]
        if len(shapes[0]) == len(shapes[1]):
            differ = [place for place, sizes in enumerate(zip(*shapes, strict=True)) if sizes[0] != sizes[1]]
            if len(differ) == 1:
                shape = [-1 if place in differ else size for place, size in enumerate(shapes[0])]
                node.input[1] = _new_constant(graph, node, shape)
                del node.attribute[:]


def probed(
    model: onnx.ModelProto, images: tuple[int, int, int], probes: tuple[int, int]
) -> tuple[Resolved, Resolved]:
    """What is known of the graph at two batch sizes. Raises ArtifactError unless it makes as many images."""
    first, second = (resolve(model, probe) for probe in probes)
    for probe, found in zip(probes, (first, second), strict=True):
        shape = (probe, *images)
        if found.tensors.get(model.graph.output[0].name, ((), 0))[0] != shape:
            raise ArtifactError(f"For {probe} images the graph makes a tensor of another shape than {shape}.")
    return first, second


def with_batch(model: onnx.ModelProto, batch: int) -> onnx.ModelProto:
    """Return the graph, made by `canonical` for any batch, fixed to `batch` images per call, checked."""
    fixed = onnx.ModelProto()
    fixed.CopyFrom(model)
    del fixed.graph.value_info[:]
    for value in (*fixed.graph.input, *fixed.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = batch
    return check_graph(fixed)


def _new_constant(graph: onnx.GraphProto, node: NodeProto, values: list[int]) -> str:
    name = f"{node.name}_shape"
    while any(tensor.name == name for tensor in graph.initializer):
        name += "_"
    graph.initializer.append(numpy_helper.from_array(np.array(values, np.int64), name))
    return name
