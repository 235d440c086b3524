"""A stranger's graph between this program's own input and output: `latents` in, `images` out.

What has to happen at the ends is written into the graph as nodes: reshaping, the class from its one-hot part,
the order of the axes, the range.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

from dcgan_edge.errors import ArtifactError, EdgeError

from ..onnx.checking import check_graph
from ..onnx.shapes import resolve
from .adopt_batch import PROBES, free_batch, probed, settle
from .adopt_ports import FLOATS, Port, Ports
from .adopt_range import MOVES, Reading

SOURCE, RESULT = "latents", "images"


def canonical(
    model: onnx.ModelProto, ports: Ports, reading: Reading, *, batch: int | None
) -> onnx.ModelProto:
    """Return `model`, which is converted, with `latents` and `images` as its only input and output, checked.

    `batch` is the number of images per call, None for any. Images that may leave their range are clipped.

    Raises ArtifactError when the graph cannot be brought to that.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    if batch is None and ports.batch is not None:
        free_batch(graph, resolve(model, ports.batch), ports.batch)
    names = _make_room(graph)
    before = _Nodes(graph)
    _feed(before, ports, names, batch)
    after = _Nodes(graph)
    _read(after, ports, names, reading, batch=batch)
    inner = list(graph.node)
    del graph.node[:], graph.input[:], graph.output[:]
    graph.node.extend([*before.nodes, *inner, *after.nodes])
    free: int | str = "batch" if batch is None else batch
    ends = (
        (SOURCE, (ports.latent_dim + ports.classes, 1, 1)),
        (RESULT, (ports.channels, ports.size, ports.size)),
    )
    source, output = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [free, *shape]) for name, shape in ends
    )
    graph.input.append(source)
    graph.output.append(output)
    _tidy(result)
    _prune(graph)
    images = (ports.channels, ports.size, ports.size)
    settle(graph, *probed(result, images, PROBES if batch is None else (batch, batch)))
    _prune(graph)
    try:
        return check_graph(result)
    except EdgeError as error:
        raise ArtifactError(str(error)) from error


class _Nodes:
    """Nodes that are made one after the other, with their constants put into the graph."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self._graph = graph
        self.nodes: list[NodeProto] = []

    def add(self, op: str, inputs: Iterable[str], output: str, **attributes: Any) -> str:
        """Add a node and return the name of what it makes."""
        self.nodes.append(helper.make_node(op, list(inputs), [output], f"adopt_{output}", **attributes))
        return output

    def round_down(self, name: str) -> bool:
        """Let the Cast to whole numbers that `name` is from round down instead, in floats: TensorRT has no
        uint8 between layers. Returns whether there is one, on positive values, as which images come.
        """
        made_by = {result: node for node in self._graph.node for result in node.output}
        node = made_by.get(name)
        while node is not None and node.op_type in MOVES and node.op_type != "Cast":
            node = made_by.get(node.input[0])
        if node is None or node.op_type != "Cast":
            return False
        node.op_type = "Floor"
        del node.attribute[:]
        return True

    def constant(self, name: str, values: object, kind: type) -> str:
        """Add a constant and return its name."""
        self._graph.initializer.append(numpy_helper.from_array(np.asarray(values, kind), f"adopt_{name}"))
        return f"adopt_{name}"


def _make_room(graph: onnx.GraphProto) -> dict[str, str]:
    """Rename what is called like this program's own tensors; return the new name of each."""
    taken = {name for node in graph.node for name in (*node.input, *node.output)}
    names = {}
    for name in sorted(taken | {value.name for value in (*graph.input, *graph.output)}):
        if name in (SOURCE, RESULT) or name.startswith("adopt_"):
            names[name] = f"own_{name}"
            while names[name] in taken:
                names[name] += "_"
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    for tensor in graph.initializer:
        tensor.name = names.get(tensor.name, tensor.name)
    return names


def _feed(nodes: _Nodes, ports: Ports, names: dict[str, str], batch: int | None) -> None:
    """From `latents` to the inputs that the graph has."""
    port, label = ports.latent, ports.label
    if label is None:
        _reshape(nodes, SOURCE, names.get(port.name, port.name), port, batch)
        return
    axis = nodes.constant("axis", [1], np.int64)
    border = [ports.latent_dim], [ports.latent_dim + ports.classes]
    start, middle, end = (nodes.constant(f"cut_{i}", at, np.int64) for i, at in enumerate(([0], *border)))
    latent = nodes.add("Slice", [SOURCE, start, middle, axis], "adopt_latent")
    _reshape(nodes, latent, names.get(port.name, port.name), port, batch)
    weights = nodes.add("Slice", [SOURCE, middle, end, axis], "adopt_class")
    if label.kind in FLOATS:
        _reshape(nodes, weights, names.get(label.name, label.name), label, batch)
        return
    number = nodes.add("ArgMax", [weights], "adopt_number", axis=1, keepdims=0)
    if label.kind != TensorProto.INT64:
        number = nodes.add("Cast", [number], "adopt_typed", to=label.kind)
    _reshape(nodes, number, names.get(label.name, label.name), label, batch)


def _reshape(nodes: _Nodes, given: str, made: str, port: Port, batch: int | None) -> None:
    """Bring (batch, n, 1, 1) into the shape of an input, whose first axis is the batch where it is free."""
    if len(port.shape) == 4 and port.shape[2:] == (1, 1):
        nodes.add("Identity", [given], made)
        return
    shape = list(port.at(-1)) if batch is not None or not port.shape else [-1, *port.shape[1:]]
    nodes.add("Reshape", [given, nodes.constant(f"shape_{made}", shape, np.int64)], made)


def _read(nodes: _Nodes, ports: Ports, names: dict[str, str], reading: Reading, *, batch: int | None) -> None:
    """From the output that the graph has to `images`."""
    made = names.get(ports.output, ports.output)
    if ports.output_kind not in FLOATS and not nodes.round_down(made):
        made = nodes.add("Cast", [made], "adopt_float", to=TensorProto.FLOAT)
    if ports.layout in ("NHWC", "HWC"):
        order = [0, 3, 1, 2] if ports.layout == "NHWC" else [2, 0, 1]
        made = nodes.add("Transpose", [made], "adopt_planes", perm=order)
    if ports.layout not in ("NCHW", "NHWC"):
        shape = [-1 if batch is None else batch, ports.channels, ports.size, ports.size]
        made = nodes.add("Reshape", [made, nodes.constant("image_shape", shape, np.int64)], "adopt_batch")
    factor, summand = reading.affine
    if (factor, summand) != (1.0, 0.0):
        made = nodes.add("Mul", [made, nodes.constant("factor", factor, np.float32)], "adopt_scaled")
        made = nodes.add("Add", [made, nodes.constant("summand", summand, np.float32)], "adopt_shifted")
    if not reading.certain:
        bounds = [nodes.constant("least", -1, np.float32), nodes.constant("most", 1, np.float32)]
        made = nodes.add("Clip", [made, *bounds], "adopt_clipped")
    nodes.add("Identity", [made], RESULT)


def _tidy(model: onnx.ModelProto) -> None:
    """Drop notes of whoever wrote the file: documentation, metadata, sizes of before, training."""
    graph = model.graph
    del graph.value_info[:], graph.quantization_annotation[:], graph.metadata_props[:]
    del model.metadata_props[:], model.training_info[:]
    for holder in (*graph.node, *graph.initializer):
        holder.doc_string = ""
        del holder.metadata_props[:]
    graph.doc_string = model.doc_string = model.domain = ""
    graph.name, model.model_version = "generator", 0
    imports = [each for each in model.opset_import if each.domain in ("", "ai.onnx")]
    del model.opset_import[:]
    model.opset_import.append(helper.make_opsetid("", imports[0].version))


def _prune(graph: onnx.GraphProto) -> None:
    """Drop the nodes and weights that the images do not come from, and nodes that pass on what they get."""
    _shorten(graph)
    wanted, kept = {output.name for output in graph.output}, []
    for node in reversed(graph.node):
        if wanted.intersection(node.output):
            kept.append(node)
            wanted.update(node.input)
    kept.reverse()
    weights = [tensor for tensor in graph.initializer if tensor.name in wanted]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(kept)
    graph.initializer.extend(weights)


def _shorten(graph: onnx.GraphProto) -> None:
    """Take out Identity and Dropout; what makes the last one's input makes `images` itself."""
    passes = [
        node for node in graph.node if node.op_type in ("Identity", "Dropout") and not any(node.output[1:])
    ]
    through = {node.output[0]: node.input[0] for node in passes}

    def origin(name: str) -> str:
        while name in through:
            name = through[name]
        return name

    ends, made = (
        {RESULT: origin(RESULT)},
        {name for node in graph.node for name in node.output} - through.keys(),
    )
    kept = [node for node in graph.node if node.output[0] not in through]
    if ends[RESULT] not in made:  # an input or a weight given out as it is
        kept += [node for node in passes if node.output[0] == RESULT]
        ends = {}
    renamed = dict.fromkeys(ends.values(), RESULT)
    for node in kept:
        node.input[:] = [renamed.get(origin(name), origin(name)) for name in node.input]
        node.output[:] = [renamed.get(name, name) for name in node.output]
    del graph.node[:]
    graph.node.extend(kept)
