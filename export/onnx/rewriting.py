"""What the exact rewrites of a graph have in common: its weights, shapes and readers, and a copy to change.

A rewrite replaces nodes by others that compute the same images faster somewhere. A layer keeps its name in
whatever form it gets, so that --keep-fp32 means the same layer in every file. Arithmetic is in float64.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

from .checking import check_graph
from .operators import fresh, taken_names

Values = npt.NDArray[np.float64]
Shape = tuple[int | str, ...]
ACTIVATIONS = ("LeakyRelu", "Relu")  # which runtimes fuse into the layer before them
NO_END = 2**63 - 1  # of a Slice: to the end


def rewrite(
    model: onnx.ModelProto, operator: str, replace: Callable[[Rewriting, NodeProto], bool]
) -> onnx.ModelProto:
    """Return `model`, which is checked, with nodes of `operator` replaced; itself where none was.

    `replace` is given each such node. It adds what takes the node's place to the graph, or returns False.
    """
    graph = Rewriting(model)
    for node in graph.before:
        if node.name in graph.placed:
            continue
        if node.op_type != operator or not replace(graph, node):
            graph.nodes.append(node)
    return graph.result()


class Rewriting:
    """A graph that is being rewritten: `nodes` are those of the result so far, in order, and `placed` the
    names of nodes that are among them before their turn.

    The model that it was made of is left as it is.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        """`model` is checked, with the inferred shapes of its tensors."""
        self._model = model
        graph = model.graph
        self.before = list(graph.node)
        self.nodes: list[NodeProto] = []
        self.placed: set[str] = set()
        self._weights = {tensor.name: tensor for tensor in graph.initializer}
        self._made_by = {name: node for node in graph.node for name in node.output}
        self._ends = {value.name for value in graph.output}
        self._shapes = {
            value.name: _shape(value) for value in (*graph.value_info, *graph.input, *graph.output)
        }
        self._taken = taken_names(graph)

    def maker(self, name: str) -> NodeProto | None:
        """Return the node that made the tensor `name` before; None for inputs and weights."""
        return self._made_by.get(name)

    def shape(self, name: str) -> Shape:
        """Return the shape of a tensor, open axes by their symbol; () where it is not known."""
        return self._shapes.get(name, ())

    def values(self, name: str) -> Values | None:
        """Return the float32 weight `name`; None where it is none."""
        tensor = self._weights.get(name)
        if tensor is None or tensor.data_type != TensorProto.FLOAT:
            return None
        return numpy_helper.to_array(tensor).astype(np.float64)

    def take_activation(self, name: str) -> NodeProto | None:
        """Return the activation that alone reads the tensor `name`, for its caller to place; None where
        something else does.
        """
        readers = [node for node in self.before if name in node.input]
        alone = len(readers) == 1 and name not in self._ends and readers[0].op_type in ACTIVATIONS
        if not alone:
            return None
        activation: NodeProto = readers[0]
        self.placed.add(activation.name)
        return activation

    def weight(self, name: str, values: npt.ArrayLike, kind: type = np.float32) -> str:
        """Add a weight called `name`, or longer, and return what it is called."""
        name = self.fresh(name)
        with np.errstate(over="ignore"):  # what is too large becomes infinite, and parity sees to it
            self._weights[name] = numpy_helper.from_array(np.asarray(values).astype(kind), name)
        return name

    def fresh(self, name: str) -> str:
        """Return `name`, lengthened until no tensor and no node has it, and take it."""
        return fresh(name, self._taken)

    def add(
        self, op: str, inputs: Iterable[str], output: str | None = None, *, name: str, **facts: Any
    ) -> str:
        """Add a node called `name` and return its output, a new tensor where `output` is None."""
        made = output or self.fresh(f"{name}_made")
        self.nodes.append(helper.make_node(op, list(inputs), [made], name, **facts))
        return made

    def result(self) -> onnx.ModelProto:
        """Return the graph of `nodes` without what nothing reads, checked, with its shapes; where nothing was
        rewritten, the model itself.
        """
        if self.nodes == self.before:
            return self._model
        wanted, kept = set(self._ends), []
        for node in reversed(self.nodes):
            if wanted.intersection(node.output):
                kept.append(node)
                wanted.update(node.input)
        result = onnx.ModelProto()
        result.CopyFrom(self._model)
        graph = result.graph
        made = {name for node in kept for name in node.output}
        known = [value for value in graph.value_info if value.name in made]
        del graph.node[:], graph.initializer[:], graph.value_info[:]
        graph.value_info.extend(known)
        graph.node.extend(reversed(kept))
        graph.initializer.extend(each for name, each in self._weights.items() if name in wanted)
        return check_graph(result)


def facts_of(node: NodeProto) -> dict[str, Any]:
    """Return the attributes of a node by name, texts decoded."""
    found = {item.name: helper.get_attribute_value(item) for item in node.attribute}
    return {name: value.decode() if isinstance(value, bytes) else value for name, value in found.items()}


def padding(facts: dict[str, Any], kernel: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """Return what a layer of stride 1 pads before and after each axis; None where it pads by other rules."""
    mode = facts.get("auto_pad", "NOTSET")
    axes = len(kernel)
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        less = tuple((size - 1) // 2 for size in kernel)
        more = tuple(size // 2 for size in kernel)
        return (less, more) if mode == "SAME_UPPER" else (more, less)
    pads = tuple(facts.get("pads", (0,) * 2 * axes)) if mode == "NOTSET" else (0,) * 2 * axes
    return None if min(pads) < 0 else (pads[:axes], pads[axes:])


def _shape(value: onnx.ValueInfoProto) -> Shape:
    return tuple(
        axis.dim_value if axis.HasField("dim_value") else axis.dim_param
        for axis in value.type.tensor_type.shape.dim
    )
