"""An ONNX graph read without the onnx package: nodes, attributes and the shape and type of every value.

Just enough of the message types for counting work; weights are measured, not decoded. Source: onnx.proto
(ModelProto, GraphProto, NodeProto, AttributeProto, TensorProto, ValueInfoProto).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dcgan_edge.errors import ArtifactError
from dcgan_edge.onnx_file import GRAPH, fields, varint

BITS = {
    1: 32, 2: 8, 3: 8, 4: 16, 5: 16, 6: 32, 7: 64, 9: 8, 10: 16, 11: 64, 12: 32, 13: 64, 14: 64, 15: 128,
    16: 16, 17: 8, 18: 8, 19: 8, 20: 8, 21: 4, 22: 4, 23: 4,
}  # fmt: skip  # of an element, by TensorProto.DataType; a string (8) has no fixed size
Attribute = int | str | tuple[int, ...]


@dataclass(frozen=True)
class Tensor:
    """Shape and type of a value. A dimension is a number, or the name of one that is open ("batch")."""

    shape: tuple[int | str, ...]
    data_type: int

    def elements(self, batch: int, symbol: str) -> int:
        """Count of elements when the dimension called `symbol` is `batch`. Raises ArtifactError when a
        dimension of another name is open.
        """
        count = 1
        for dimension in self.shape:
            if isinstance(dimension, str) and dimension != symbol:
                raise ArtifactError(f"The graph has a dimension {dimension!r} whose size is not known.")
            count *= batch if isinstance(dimension, str) else dimension
        return count

    def bytes(self, batch: int, symbol: str) -> int:
        """Size in memory, packed. Raises ArtifactError for an unknown dimension or type."""
        if self.data_type not in BITS:
            raise ArtifactError(f"The graph has a tensor of unknown type {self.data_type}.")
        return -(-self.elements(batch, symbol) * BITS[self.data_type] // 8)


@dataclass(frozen=True)
class Node:
    """One operation. Attributes are kept if they are integers, lists of integers or text."""

    op: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Attribute]

    def integers(self, name: str, default: tuple[int, ...]) -> tuple[int, ...]:
        value = self.attributes.get(name, default)
        return value if isinstance(value, tuple) else default

    def integer(self, name: str, default: int) -> int:
        value = self.attributes.get(name, default)
        return value if isinstance(value, int) else default


@dataclass(frozen=True)
class Graph:
    """Nodes in order. `weights` are initializers and Constant nodes; `values` all with a known shape."""

    nodes: tuple[Node, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    weights: dict[str, Tensor]
    values: dict[str, Tensor]

    def tensor(self, name: str) -> Tensor:
        """Raises ArtifactError when the file does not say the shape of `name`."""
        if name not in self.values:
            raise ArtifactError(
                f"The graph does not say the shape of {name!r}; export it again: dcgan-edge export."
            )
        return self.values[name]


def read_graph(data: bytes, name: str = "The file") -> Graph:
    """The graph of an ONNX file. Raises ArtifactError when `data` is not a whole ONNX file with one."""
    try:
        graphs = [value for number, _, value in fields(data) if number == GRAPH]
        if not graphs:
            raise ValueError("no graph")
        return _graph(graphs[-1])
    except (ValueError, IndexError, KeyError) as error:
        raise ArtifactError(f"{name} is not a whole ONNX file ({error}).") from error


def _graph(data: bytes) -> Graph:
    nodes: list[Node] = []
    weights: dict[str, Tensor] = {}
    values: dict[str, Tensor] = {}
    inputs: list[str] = []
    outputs: list[str] = []
    for number, _, value in fields(data):
        if number == 1:
            node, constant = _node(value)
            nodes.append(node)
            if constant is not None:
                weights[node.outputs[0]] = constant
        elif number == 5:
            name, tensor = _tensor(value)
            weights[name] = tensor
        elif number in (11, 12, 13):
            name, described = _value_info(value)
            {11: inputs, 12: outputs, 13: []}[number].append(name)
            values |= {name: described} if described else {}
    fed = [name for name in inputs if name not in weights]  # old files list weights among the inputs
    return Graph(tuple(nodes), tuple(fed), tuple(outputs), weights, {**values, **weights})


def _node(data: bytes) -> tuple[Node, Tensor | None]:
    """The node and, of a Constant, its tensor."""
    texts: dict[int, list[str]] = {1: [], 2: [], 3: [], 4: []}  # inputs, outputs, name, operator
    attributes: dict[str, Attribute] = {}
    constant = None
    for number, _, value in fields(data):
        if number in texts:
            texts[number].append(value.decode())
        elif number == 5:
            name, attribute, tensor = _attribute(value)
            attributes |= {name: attribute} if attribute is not None else {}
            constant = tensor or constant
    name, op = ("".join(texts[number]) for number in (3, 4))
    node = Node(op, name, tuple(texts[1]), tuple(texts[2]), attributes)
    return node, constant if op == "Constant" else None


def _attribute(data: bytes) -> tuple[str, Attribute | None, Tensor | None]:
    """Name, and value if it is integer (3), text (4), tensor (5) or integers (8); which it is, 20 says."""
    name, kind = "", 0
    found: dict[int, list[bytes]] = {3: [], 4: [], 5: [], 8: []}
    for number, _, value in fields(data):
        if number == 1:
            name = value.decode()
        elif number == 20:
            kind = _integers(value)[0]
        elif number in found:
            found[number].append(value)
    if kind == 2:
        return name, _integers(b"".join(found[3]) or b"\0")[-1], None
    if kind == 3:
        return name, b"".join(found[4]).decode(errors="replace"), None
    if kind == 4 and found[5]:
        return name, None, _tensor(found[5][-1])[1]
    if kind == 7:
        return name, _integers(b"".join(found[8])), None
    return name, None, None


def _tensor(data: bytes) -> tuple[str, Tensor]:
    name, data_type = "", 0
    dimensions: list[int] = []
    for number, _, value in fields(data):
        if number == 1:
            dimensions += _integers(value)
        elif number == 2:
            data_type = _integers(value)[0]
        elif number == 8:
            name = value.decode()
    return name, Tensor(tuple(dimensions), data_type)


def _value_info(data: bytes) -> tuple[str, Tensor | None]:
    name, tensor = "", None
    for number, _, value in fields(data):
        if number == 1:
            name = value.decode()
        elif number == 2:
            for kind, _, described in fields(value):
                tensor = _tensor_type(described) if kind == 1 else None
    return name, tensor


def _tensor_type(data: bytes) -> Tensor | None:
    """None when the file does not say the shape."""
    data_type, shape = 0, None
    for number, _, value in fields(data):
        if number == 1:
            data_type = _integers(value)[0]
        elif number == 2:
            shape = tuple(_dimension(dimension) for _, _, dimension in fields(value))
    return None if shape is None else Tensor(shape, data_type)


def _dimension(data: bytes) -> int | str:
    for number, _, value in fields(data):
        if number == 1:
            return _integers(value)[0]
        if number == 2:
            return value.decode()
    return "?"


def _integers(data: bytes) -> tuple[int, ...]:
    """All varints in `data` as int64: one, or many where the file has packed them."""
    return tuple(_signed_varints(data))


def _signed_varints(data: bytes) -> Iterator[int]:
    position = 0
    while position < len(data):
        value, position = varint(data, position)
        yield value - 2**64 if value >= 2**63 else value
