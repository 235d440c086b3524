"""How much arithmetic and how much memory traffic one image needs, counted from the ONNX graph.

Rules. A multiply-add is 2 FLOPs, and only real ones count: a transposed convolution spreads each input
element over kernel x output channels / groups, less what padding cuts off; a convolution gathers likewise,
less what falls on padding. A bias is one addition for each output element, an elementwise function one FLOP
however hard it is; moving data is none. Operations on constants alone are folded and count nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from dcgan_edge.errors import ArtifactError

from .graph import Graph, Node, read_graph

ONE_FLOP = frozenset([
    "Abs", "Add", "And", "Ceil", "Clip", "Cos", "Div", "Elu", "Equal", "Erf", "Exp", "Floor", "Greater",
    "HardSigmoid", "LeakyRelu", "Less", "Log", "Max", "Min", "Mod", "Mul", "Neg", "Not", "Or", "PRelu", "Pow",
    "Reciprocal", "Relu", "Round", "Selu", "Sigmoid", "Sign", "Sin", "Softplus", "Sqrt", "Sub", "Tanh",
    "Where",
])  # fmt: skip
TWO_FLOPS = frozenset(["BatchNormalization", "DequantizeLinear", "HardSwish", "QuantizeLinear"])
VIEWS = frozenset(["Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"])  # no traffic either
MOVES = frozenset([
    "Cast", "Concat", "Constant", "ConstantOfShape", "DepthToSpace", "Dropout", "Expand", "Gather", "Pad",
    "Resize", "Shape", "Slice", "Split", "Tile", "Transpose", "Upsample",
])  # fmt: skip
REDUCTIONS = frozenset(["GlobalAveragePool", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceSum"])


@dataclass(frozen=True)
class NodeCost:
    """Work of one operation for one image: FLOPs, and bytes read and written if nothing is fused."""

    name: str
    op: str
    flops: float
    bytes: float


@dataclass(frozen=True)
class GraphCost:
    """Work for one image, and what is read once for a whole batch.

    `uncounted` names the operators that no rule covers; with any, the figures are too low.
    """

    flops: float
    weight_bytes: int
    image_bytes: float
    activation_bytes: float
    nodes: tuple[NodeCost, ...]
    uncounted: tuple[str, ...]

    def minimum_bytes(self, batch: int) -> float:
        """Traffic that no fusion can avoid: weights once, latents in, images out."""
        return self.weight_bytes + batch * self.image_bytes

    def unfused_bytes(self, batch: int) -> float:
        """Traffic when every operation reads its inputs from memory and writes its output there."""
        return self.weight_bytes + batch * self.activation_bytes


def count(data: bytes, name: str = "The file") -> GraphCost:
    """The cost of the ONNX file `data`. A batch that the file fixes is divided out again.

    Raises ArtifactError when it is not a whole ONNX file, or does not say the shapes of its values.
    """
    graph = read_graph(data, name)
    try:
        return count_graph(graph)
    except (IndexError, ValueError, ZeroDivisionError) as error:
        raise ArtifactError(f"{name} holds a graph whose shapes do not fit together ({error}).") from error


def count_graph(graph: Graph) -> GraphCost:
    """As `count`, of a graph that is already read."""
    if not graph.inputs or not graph.tensor(graph.inputs[0]).shape:
        raise ArtifactError("The graph has no input with a batch axis.")
    batch = graph.tensor(graph.inputs[0]).shape[0]
    counter = _Counter(graph, batch if isinstance(batch, str) else "", 1)
    images = 1 if isinstance(batch, str) else batch
    constant = set(graph.weights)
    nodes: list[NodeCost] = []
    uncounted: dict[str, None] = {}
    for node in graph.nodes:
        if all(name in constant for name in node.inputs if name):
            constant.update(node.outputs)
            continue
        flops = counter.flops(node)
        if flops is None:
            uncounted[node.op] = None
        nodes.append(
            NodeCost(node.name, node.op, (flops or 0) / images, counter.traffic(node, constant) / images)
        )
    return GraphCost(
        flops=sum(node.flops for node in nodes),
        weight_bytes=sum(counter.size(name) for name in _used_weights(graph)),
        image_bytes=sum(counter.size(name) for name in (*graph.inputs, *graph.outputs)) / images,
        activation_bytes=sum(node.bytes for node in nodes),
        nodes=tuple(nodes),
        uncounted=tuple(uncounted),
    )


def _used_weights(graph: Graph) -> list[str]:
    used = {name for node in graph.nodes for name in node.inputs}
    return [name for name in graph.weights if name in used]


@dataclass(frozen=True)
class _Counter:
    """Counts nodes of `graph` with its open dimension `symbol` set to `batch`."""

    graph: Graph
    symbol: str
    batch: int

    def shape(self, name: str) -> tuple[int, ...]:
        tensor = self.graph.tensor(name)
        tensor.elements(self.batch, self.symbol)  # refuses open dimensions other than the batch
        return tuple(self.batch if isinstance(size, str) else size for size in tensor.shape)

    def elements(self, name: str) -> int:
        return math.prod(self.shape(name))

    def size(self, name: str) -> int:
        return self.graph.tensor(name).bytes(self.batch, self.symbol)

    def traffic(self, node: Node, constant: set[str]) -> int:
        """Bytes of activations that go in and out; weights are counted once for the batch, not here."""
        if node.op in VIEWS:
            return 0
        moving = [name for name in node.inputs if name and name not in constant]
        return sum(self.size(name) for name in (*moving, *filter(None, node.outputs)))

    def flops(self, node: Node) -> int | None:
        """None when no rule covers the operator."""
        if node.op in ("Conv", "ConvTranspose"):
            return self._convolution(node)
        if node.op in ("Gemm", "MatMul"):
            return self._product(node)
        if node.op in REDUCTIONS:
            return self.elements(node.inputs[0])
        if node.op in ONE_FLOP or node.op in TWO_FLOPS:
            return (1 if node.op in ONE_FLOP else 2) * self.elements(node.outputs[0])
        return 0 if node.op in VIEWS or node.op in MOVES else None

    def _convolution(self, node: Node) -> int:
        """Pairs of an input and an output pixel that a tap connects, times channels in x out / groups.

        A weight is (out, in / groups, *kernel) in Conv and (in, out / groups, *kernel) in ConvTranspose: its
        first two sizes multiplied are that product either way.
        """
        transposed = node.op == "ConvTranspose"
        source, result = self.shape(node.inputs[0]), self.shape(node.outputs[0])
        weight = self.shape(node.inputs[1])
        # A transposed convolution is the convolution from its output to its input, run backwards.
        small, large = (source, result) if transposed else (result, source)
        pairs = source[0] * weight[0] * weight[1]
        for axis, kernel in enumerate(weight[2:]):
            pairs *= _connected(node, axis, kernel, small[2 + axis], large[2 + axis], len(weight) - 2)
        bias = self.elements(node.outputs[0]) if len(node.inputs) > 2 and node.inputs[2] else 0
        return 2 * pairs + bias

    def _product(self, node: Node) -> int:
        left, rows = self.shape(node.inputs[0]), self.elements(node.outputs[0])
        transposed = node.op == "Gemm" and node.integer("transA", 0) == 1
        inner = left[-2] if transposed else left[-1]
        bias = rows if node.op == "Gemm" and len(node.inputs) > 2 and node.inputs[2] else 0
        return 2 * rows * inner + bias


def _connected(node: Node, axis: int, kernel: int, small: int, large: int, axes: int) -> int:
    """Along one axis, (i, k) with i of `small` pixels and k of `kernel` taps such that i * stride +
    k * dilation - padding is one of the `large` pixels.
    """
    stride = node.integers("strides", (1,) * axes)[axis]
    dilation = node.integers("dilations", (1,) * axes)[axis]
    padding = _padding(node, axis, kernel, small, large, axes, stride, dilation)
    taps = [k * dilation - padding for k in range(kernel)]
    return sum(0 <= i * stride + tap < large for i in range(small) for tap in taps)


def _padding(
    node: Node, axis: int, kernel: int, small: int, large: int, axes: int, stride: int, dilation: int
) -> int:
    """Padding before the first pixel: as written, or what auto_pad or output_shape make of the sizes."""
    mode = node.attributes.get("auto_pad", "NOTSET")
    derived = mode in ("SAME_UPPER", "SAME_LOWER") or "output_shape" in node.attributes
    if not derived:
        return 0 if mode == "VALID" else node.integers("pads", (0,) * 2 * axes)[axis]
    extra = node.integers("output_padding", (0,) * axes)[axis]
    total = max(0, (small - 1) * stride + extra + (kernel - 1) * dilation + 1 - large)
    return total // 2 if mode == "SAME_UPPER" else (total + 1) // 2  # where the odd pixel goes
