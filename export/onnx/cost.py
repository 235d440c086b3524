"""How much arithmetic, memory traffic and memory one image needs, counted from the ONNX graph at export.

Rules. A multiply-add is 2 FLOPs, and only real ones count: a transposed convolution spreads each input
element over kernel x output channels / groups, less what padding cuts off; a convolution gathers likewise,
less what falls on padding. A bias is one addition for each output element, an elementwise function one FLOP
however hard it is; moving data is none. A normalisation is six for each element: one for the mean, three for
the variance, a factor and a sum; a softmax is five: the largest, the difference to it, its exponential, their
sum, and the quotient. Operations on constants alone are folded and count nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import onnx
from onnx import NodeProto, TensorProto, helper

from dcgan_edge.artifact import Cost
from dcgan_edge.errors import EdgeError

from .shapes import sized

ONE_FLOP = frozenset([
    "Abs", "Add", "And", "Ceil", "Clip", "Cos", "Div", "Elu", "Equal", "Erf", "Exp", "Floor", "Greater",
    "HardSigmoid", "LeakyRelu", "Less", "Log", "Max", "Min", "Mod", "Mul", "Neg", "Not", "Or", "PRelu", "Pow",
    "Reciprocal", "Relu", "Round", "Selu", "Sigmoid", "Sign", "Sin", "Softplus", "Sqrt", "Sub", "Sum",
    "Tanh", "Where",
])  # fmt: skip
TWO_FLOPS = frozenset(["BatchNormalization", "DequantizeLinear", "HardSwish", "QuantizeLinear"])
VIEWS = frozenset(["Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"])  # no traffic either
MOVES = frozenset([
    "Cast", "CastLike", "Concat", "Constant", "ConstantOfShape", "DepthToSpace", "Dropout", "Expand",
    "Gather", "Pad", "Resize", "Shape", "Slice", "SpaceToDepth", "Split", "Tile", "Transpose", "Upsample",
])  # fmt: skip
REDUCTIONS = frozenset([
    "ArgMax", "ArgMin", "GlobalAveragePool", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceSum",
])  # fmt: skip
NORMALISATIONS = frozenset(["GroupNormalization", "InstanceNormalization", "LayerNormalization"])


PACKED = {  # two elements to a byte, which NumPy's types do not say
    getattr(TensorProto, name) for name in ("INT4", "UINT4", "FLOAT4E2M1") if hasattr(TensorProto, name)
}


@dataclass(frozen=True)
class NodeCost:
    """Work of one operation for one image: FLOPs, and bytes read and written if nothing is fused."""

    name: str
    op: str
    flops: float
    bytes: float


def count(model: onnx.ModelProto) -> Cost:
    """Return the cost of one image of `model`, whose shapes are inferred (`graph.check_graph`).

    A batch that the graph fixes is divided out again.
    The peak of activation memory is that of the nodes in their order, each output a tensor of its own unless
    the operator only gives its input another shape.

    Raises EdgeError when the graph does not say the shapes of its tensors, or they do not fit together.
    """
    return _checked(model)[0]


def count_nodes(model: onnx.ModelProto) -> tuple[NodeCost, ...]:
    """Return the cost of each operation for one image, in the graph's order. Raises as `count` does."""
    return _checked(model)[1]


def _checked(model: onnx.ModelProto) -> tuple[Cost, tuple[NodeCost, ...]]:
    try:
        return _counted(_Counter.of(model if _is_sized(model) else sized(model, 1)))
    except (IndexError, ValueError, KeyError, ZeroDivisionError, TypeError) as error:
        raise EdgeError(f"The work of this graph cannot be counted: {error}.") from error


def _is_sized(model: onnx.ModelProto) -> bool:
    """Whether every tensor says its shape, but for the batch of the input."""
    open_axes = {
        axis.dim_param
        for value in (*model.graph.value_info, *model.graph.input)
        for axis in value.type.tensor_type.shape.dim
        if not axis.HasField("dim_value")
    }
    return len(open_axes) < 2


def _counted(counter: _Counter) -> tuple[Cost, tuple[NodeCost, ...]]:
    graph, images = counter.graph, counter.images
    constant = {tensor.name for tensor in graph.initializer}
    nodes: list[NodeCost] = []
    moving: list[NodeProto] = []
    uncounted: dict[str, None] = {}
    for node in graph.node:
        if all(name in constant for name in node.input if name):
            constant.update(node.output)
            continue
        flops = counter.flops(node)
        if flops is None:
            uncounted[node.op_type] = None
        traffic = counter.traffic(node, constant) / images
        nodes.append(NodeCost(node.name, node.op_type, (flops or 0) / images, traffic))
        moving.append(node)
    used = {name for node in graph.node for name in node.input}
    cost = Cost(
        flops=sum(node.flops for node in nodes),
        weight_bytes=sum(counter.size(name) for name in counter.weights if name in used),
        image_bytes=sum(counter.size(name) for name in (*counter.fed, *(out.name for out in graph.output)))
        / images,
        activation_bytes=sum(node.bytes for node in nodes),
        peak_activation_bytes=_peak(counter, moving, constant) / images,
        uncounted=tuple(uncounted),
    )
    return cost, tuple(nodes)


def _peak(counter: _Counter, nodes: Sequence[NodeProto], constant: set[str]) -> int:
    """The most bytes of activations that are alive at once: made, and still to be read or given out."""
    owner = {name: name for name in counter.fed}  # a view's memory is that of what it shows
    for node in nodes:
        for name in filter(None, node.output):
            owner[name] = owner.get(node.input[0], name) if node.op_type in VIEWS else name
    end = len(nodes)
    last = {owner[name]: 0 for name in counter.fed}
    for index, node in enumerate(nodes):
        last |= {owner[name]: index for name in (*node.input, *node.output) if name in owner}
    last |= {owner[out.name]: end for out in counter.graph.output if out.name in owner}
    born = {owner[name]: 0 for name in counter.fed}
    for index, node in enumerate(nodes):
        for name in filter(None, node.output):
            born.setdefault(owner[name], index)
    alive = [0] * (end + 1)
    for name, first in born.items():
        for index in range(first, last[name] + 1):
            alive[index] += counter.size(name)
    return max(alive)


@dataclass(frozen=True)
class _Counter:
    """Counts nodes of `graph` with its open batch `symbol` taken as 1; `images` is a fixed batch."""

    graph: onnx.GraphProto
    tensors: dict[str, tuple[tuple[int | str, ...], int]]  # shape and type by name
    weights: tuple[str, ...]
    fed: tuple[str, ...]
    symbol: str
    images: int

    @classmethod
    def of(cls, model: onnx.ModelProto) -> _Counter:
        """Return the counter of `model`. Raises ValueError when it has no input with a batch axis."""
        graph = model.graph
        tensors = {
            value.name: (_dimensions(value), value.type.tensor_type.elem_type)
            for value in (*graph.value_info, *graph.input, *graph.output)
            if value.type.tensor_type.HasField("shape")
        }
        made = {tensor.name: (tuple(tensor.dims), tensor.data_type) for tensor in graph.initializer}
        for node in graph.node:
            if node.op_type == "Constant":
                value = _attribute(node, "value", None)
                made |= {node.output[0]: (tuple(value.dims), value.data_type)} if value else {}
        tensors |= made
        fed = tuple(value.name for value in graph.input if value.name not in made)
        if not fed or not tensors[fed[0]][0]:
            raise ValueError("it has no input with a batch axis")
        batch = tensors[fed[0]][0][0]
        symbol, images = (batch, 1) if isinstance(batch, str) else ("", batch)
        return cls(graph, tensors, tuple(made), fed, symbol, images)

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of a tensor. Raises ValueError when the graph does not say it."""
        if name not in self.tensors:
            raise ValueError(f"it does not say the shape of {name!r}")
        sizes = []
        for size in self.tensors[name][0]:
            if isinstance(size, str) and size != self.symbol:
                raise ValueError(f"the size of the dimension {size!r} is not known")
            sizes.append(1 if isinstance(size, str) else size)
        return tuple(sizes)

    def elements(self, name: str) -> int:
        """Return the number of elements of a tensor."""
        return math.prod(self.shape(name))

    def size(self, name: str) -> int:
        """Return the bytes of a tensor in memory, packed."""
        return -(-self.elements(name) * _bits(self.tensors[name][1]) // 8)

    def traffic(self, node: NodeProto, constant: set[str]) -> int:
        """Return the bytes of activations that go in and out; weights are counted once for the batch."""
        if node.op_type in VIEWS:
            return 0
        moving = [name for name in node.input if name and name not in constant]
        return sum(self.size(name) for name in (*moving, *filter(None, node.output)))

    def flops(self, node: NodeProto) -> int | None:
        """Return the FLOPs of an operation, None when no rule covers the operator."""
        op = node.op_type
        if op in ("Conv", "ConvTranspose"):
            return self._convolution(node)
        if op in ("Gemm", "MatMul"):
            return self._product(node)
        if op in REDUCTIONS:
            return self.elements(node.input[0])
        if op in NORMALISATIONS:
            return 6 * self.elements(node.output[0])
        if op == "Softmax":
            return 5 * self.elements(node.output[0])
        if op in ONE_FLOP or op in TWO_FLOPS:
            return (1 if op in ONE_FLOP else 2) * self.elements(node.output[0])
        return 0 if op in VIEWS or op in MOVES else None

    def _convolution(self, node: NodeProto) -> int:
        """Pairs of an input and an output pixel that a tap connects, times channels in x out / groups.

        A weight is (out, in / groups, *kernel) in Conv and (in, out / groups, *kernel) in ConvTranspose: its
        first two sizes multiplied are that product either way.
        """
        transposed = node.op_type == "ConvTranspose"
        source, result = self.shape(node.input[0]), self.shape(node.output[0])
        weight = self.shape(node.input[1])
        # A transposed convolution is the convolution from its output to its input, run backwards.
        small, large = (source, result) if transposed else (result, source)
        pairs = source[0] * weight[0] * weight[1]
        for axis, kernel in enumerate(weight[2:]):
            pairs *= _connected(node, axis, kernel, small[2 + axis], large[2 + axis], len(weight) - 2)
        bias = self.elements(node.output[0]) if len(node.input) > 2 and node.input[2] else 0
        return 2 * pairs + bias

    def _product(self, node: NodeProto) -> int:
        left, rows = self.shape(node.input[0]), self.elements(node.output[0])
        transposed = node.op_type == "Gemm" and _attribute(node, "transA", 0) == 1
        inner = left[-2] if transposed else left[-1]
        bias = rows if node.op_type == "Gemm" and len(node.input) > 2 and node.input[2] else 0
        return 2 * rows * inner + bias


def _connected(node: NodeProto, axis: int, kernel: int, small: int, large: int, axes: int) -> int:
    """Along one axis, (i, k) with i of `small` pixels and k of `kernel` taps such that i * stride +
    k * dilation - padding is one of the `large` pixels.
    """
    stride = _attribute(node, "strides", (1,) * axes)[axis]
    dilation = _attribute(node, "dilations", (1,) * axes)[axis]
    padding = _padding(node, axis, kernel, small, large, axes, stride, dilation)
    taps = [k * dilation - padding for k in range(kernel)]
    return sum(0 <= i * stride + tap < large for i in range(small) for tap in taps)


def _padding(
    node: NodeProto, axis: int, kernel: int, small: int, large: int, axes: int, stride: int, dilation: int
) -> int:
    """Padding before the first pixel: as written, or what auto_pad or output_shape make of the sizes."""
    mode = _attribute(node, "auto_pad", b"NOTSET").decode()
    derived = mode in ("SAME_UPPER", "SAME_LOWER") or any(
        each.name == "output_shape" for each in node.attribute
    )
    if not derived:
        pads: Sequence[int] = (
            (0,) * 2 * axes if mode == "VALID" else _attribute(node, "pads", (0,) * 2 * axes)
        )
        return pads[axis]
    extra: int = _attribute(node, "output_padding", (0,) * axes)[axis]
    total = max(0, (small - 1) * stride + extra + (kernel - 1) * dilation + 1 - large)
    return total // 2 if mode == "SAME_UPPER" else (total + 1) // 2  # where the odd pixel goes


def _attribute(node: NodeProto, name: str, default: Any) -> Any:
    found = [helper.get_attribute_value(each) for each in node.attribute if each.name == name]
    return found[0] if found else default


def _dimensions(value: onnx.ValueInfoProto) -> tuple[int | str, ...]:
    return tuple(
        axis.dim_value if axis.HasField("dim_value") else axis.dim_param or "?"
        for axis in value.type.tensor_type.shape.dim
    )


def _bits(data_type: int) -> int:
    """Bits of one element: four-bit types are packed, a string has no size."""
    if data_type in PACKED:
        return 4
    if data_type == TensorProto.STRING:
        raise ValueError("it has a tensor of strings")
    kind = helper.tensor_dtype_to_np_dtype(data_type)
    return int(8 * kind.itemsize)
