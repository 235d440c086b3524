"""What a stranger's graph takes and gives, read from its types and shapes: latents, perhaps a class, images.

Nothing is run here. What types and shapes do not say is asked for by option.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import onnx
from onnx import TensorProto, helper

from dcgan_edge.errors import ArtifactError, UsageError
from dcgan_edge.names import shown

from ..onnx.shapes import Resolved, resolve

Layout = Literal["NCHW", "NHWC", "CHW", "HWC", "NHW", "HW"]
FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE)
INTEGERS = (TensorProto.INT64, TensorProto.INT32)
LABEL_WORDS = ("class", "label", "cond", "categ")
MOST_CHANNELS = 4
LARGEST_TENSOR = 2**30  # bytes, for one image
LARGEST_SUM = 2**35  # bytes of all tensors together, most of which are not alive at once


@dataclass(frozen=True)
class Port:
    """An input: its name and element type, and its `shape` with None where a free batch goes."""

    name: str
    kind: int
    shape: tuple[int | None, ...]

    def at(self, count: int) -> tuple[int, ...]:
        """Return the shape for `count` images."""
        return tuple(count if size is None else size for size in self.shape)


@dataclass(frozen=True)
class Ports:
    """How the graph is fed and read.

    `latent` takes the latents, and the one-hot class after them where `classes` are known and `label` is
    None; `label` takes the class by its number, or as one weight for each class when it is of floats.
    `batch` is the number of images that the graph is fixed to, None when that is open.
    """

    latent: Port
    label: Port | None
    output: str
    output_kind: int
    layout: Layout
    latent_dim: int
    classes: int
    channels: int
    size: int
    batch: int | None


@dataclass(frozen=True)
class Asked:
    """What the user says of the graph: names of tensors, latent size, number of classes."""

    output_name: str | None = None
    class_input: str | None = None
    classes: int = 0
    latent_dim: int | None = None


def find_ports(model: onnx.ModelProto, asked: Asked, kinds: Mapping[str, int]) -> Ports:
    """Return what `model`, which is converted, takes and gives; `kinds` are the element types before that.

    Raises ArtifactError for graphs that are no generator of square images, and for those whose tensors would
    be too large for one image; UsageError where an option is needed, or names what is not there.
    """
    graph = model.graph
    label = _label(graph, asked)
    rest = [value for value in graph.input if label is None or value.name != label.name]
    if len(rest) != 1:
        raise ArtifactError(
            f"This graph has the inputs {_listed(graph.input)}; a generator takes latents and at most one "
            "class. Export it with the others as constants, or name the class: --class-input NAME."
        )
    if asked.latent_dim is not None:
        _state_length(rest[0], asked)
    resolved = resolve(model, 1)
    _check_memory(graph, resolved)
    latent, length, batch = _latent(rest[0], kinds)
    classes = _classes(graph, label, asked, length)
    output = _output(graph, asked, resolved)
    shape, kind = resolved.tensors[output]
    layout, channels, size = _layout(output, shape, batch or 1)
    return Ports(
        latent=latent,
        label=_port(label, kinds) if label is not None else None,
        output=output,
        output_kind=kinds.get(output, kind),
        layout=layout,
        latent_dim=length - (classes if label is None else 0),
        classes=classes,
        channels=channels,
        size=size,
        batch=1 if batch is None and _is_fixed_within(model, output, shape) else batch,
    )


def _is_fixed_within(model: onnx.ModelProto, output: str, shape: tuple[int, ...]) -> bool:
    """Whether the graph makes one image whatever batch it says that it takes: traced with one, as often."""
    try:
        found = resolve(model, 2).tensors.get(output)
    except ArtifactError:
        return True
    return found is None or found[0] != (2 * shape[0], *shape[1:])


def _label(graph: onnx.GraphProto, asked: Asked) -> onnx.ValueInfoProto | None:
    """The input that takes the class, None if there is none."""
    if asked.class_input is not None:
        for candidate in graph.input:
            if candidate.name == asked.class_input:
                label: onnx.ValueInfoProto = candidate
                return label
        raise UsageError(f"There is no input {asked.class_input!r}; this graph has {_listed(graph.input)}.")
    if len(graph.input) != 2:
        return None
    integer = [value for value in graph.input if value.type.tensor_type.elem_type in INTEGERS]
    named = [value for value in graph.input if _names_a_class(value.name)]
    found = integer or named
    return found[0] if len(found) == 1 else None


def _names_a_class(name: str) -> bool:
    return name.lower() in ("c", "y") or any(word in name.lower() for word in LABEL_WORDS)


def _state_length(value: onnx.ValueInfoProto, asked: Asked) -> None:
    """Write the latent size into an input whose graph leaves it open."""
    axes = value.type.tensor_type.shape.dim
    combined = (asked.latent_dim or 0) + (asked.classes if asked.class_input is None else 0)
    if len(axes) > 1 and not axes[1].HasField("dim_value"):
        axes[1].dim_value = combined


def _latent(value: onnx.ValueInfoProto, kinds: Mapping[str, int]) -> tuple[Port, int, int | None]:
    """The latents' input, the numbers in it for one image, and the batch it is fixed to."""
    port = _port(value, kinds)
    if port.kind not in FLOATS:
        raise ArtifactError(f"The input {shown(port.name)} does not take floats, so it takes no latents.")
    if len(port.shape) == 1 and port.shape[0] is not None:
        return port, port.shape[0], 1
    inner = port.shape[1:]
    if not inner or None in inner:
        raise UsageError(
            f"The input {shown(port.name)} has the shape {_words(port.shape)}; say how long a latent is: "
            "--latent-dim N."
        )
    long = [size for size in inner if size is not None and size != 1]
    if len(long) > 1:
        raise ArtifactError(
            f"The input {shown(port.name)} has the shape {_words(port.shape)}; a latent is a row of numbers."
        )
    return port, long[0] if long else 1, port.shape[0]


def _classes(graph: onnx.GraphProto, label: onnx.ValueInfoProto | None, asked: Asked, length: int) -> int:
    if label is None:
        if asked.classes >= length:
            raise UsageError(f"{asked.classes} classes leave nothing of an input of {length} numbers.")
        return asked.classes
    port = _port(label, {})
    sizes = [size for size in port.shape[1:] if size is not None and size != 1]
    if port.kind in FLOATS and len(sizes) == 1:
        found = sizes[0]
    elif port.kind in INTEGERS and not sizes:
        found = _table_rows(graph, port.name)
    else:
        raise ArtifactError(
            f"The input {shown(port.name)} of shape {_words(port.shape)} takes no class: that is one "
            "integer, or one float for each class."
        )
    if found and asked.classes not in (0, found):
        raise UsageError(f"The graph has {found} classes, not {asked.classes}.")
    if not found and not asked.classes:
        raise UsageError(f"The input {shown(port.name)} takes a class; say how many there are: --classes N.")
    return found or asked.classes


def _table_rows(graph: onnx.GraphProto, name: str) -> int:
    """The rows of the table that the label looks up, 0 if it is used otherwise."""
    weights = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        axis = next((item.i for item in node.attribute if item.name == "axis"), 0)
        if node.op_type == "Gather" and axis == 0 and node.input[1] == name and node.input[0] in weights:
            return int(weights[node.input[0]].dims[0])
    return 0


def _output(graph: onnx.GraphProto, asked: Asked, resolved: Resolved) -> str:
    names: list[str] = [value.name for value in graph.output]
    if asked.output_name is not None:
        if asked.output_name not in names:
            raise UsageError(
                f"There is no output {asked.output_name!r}; this graph has {_listed(graph.output)}."
            )
        return asked.output_name
    if len(names) == 1:
        return names[0]
    images: list[str] = [name for name in names if _reading(resolved.tensors[name][0])]
    if len(images) != 1:
        raise UsageError(
            f"This graph has the outputs {_listed(graph.output)}; which are the images? --output-name NAME."
        )
    return images[0]


def _reading(shape: tuple[int, ...]) -> tuple[Layout, int, int] | None:
    """(layout, channels, size) of a tensor that may be square images, None of another."""
    few = range(1, MOST_CHANNELS + 1)
    if len(shape) == 4 and shape[2] == shape[3] and shape[1] in few:
        return "NCHW", shape[1], shape[2]
    if len(shape) == 4 and shape[1] == shape[2] and shape[3] in few:
        return "NHWC", shape[3], shape[1]
    if len(shape) == 3 and shape[1] == shape[2] and shape[0] in few:
        return ("CHW", shape[0], shape[1])
    if len(shape) == 3 and shape[0] == shape[1] and shape[2] in few:
        return ("HWC", shape[2], shape[0])
    if len(shape) == 2 and shape[0] == shape[1]:
        return "HW", 1, shape[0]
    return None


def _layout(name: str, shape: tuple[int, ...], batch: int) -> tuple[Layout, int, int]:
    if len(shape) == 3 and shape[0] == batch and shape[1] == shape[2]:
        return "NHW", 1, shape[1]  # one channel, without an axis of its own
    reading = _reading(shape)
    batched = reading is not None and (reading[0] in ("CHW", "HWC", "HW") or shape[0] == batch)
    if reading is None or not batched or reading[2] < 2:
        raise ArtifactError(
            f"The output {shown(name)} has the shape {_words(shape)}, which is no square image of 1 to "
            f"{MOST_CHANNELS} channels. --output-name names another one."
        )
    return reading


def _check_memory(graph: onnx.GraphProto, resolved: Resolved) -> None:
    """Raise ArtifactError when the tensors for one image do not fit into a device's memory."""
    total = 0
    for node in graph.node:
        for name in filter(None, node.output):
            size = resolved.bytes(name)
            total += size
            if size > LARGEST_TENSOR or total > LARGEST_SUM:
                raise ArtifactError(
                    f"Node {shown(node.name)} ({node.op_type}) makes {size / 2**30:,.1f} GiB for one image; "
                    f"{LARGEST_TENSOR // 2**30} GiB is the most."
                )


def _port(value: onnx.ValueInfoProto, kinds: Mapping[str, int]) -> Port:
    kind = value.type.tensor_type
    if not kind.HasField("shape"):
        raise ArtifactError(f"The graph does not say the shape of its input {shown(value.name)}.")
    sizes = (axis.dim_value if axis.HasField("dim_value") else None for axis in kind.shape.dim)
    return Port(value.name, kinds.get(value.name, kind.elem_type), tuple(sizes))


def _listed(values: Sequence[onnx.ValueInfoProto]) -> str:
    def described(value: onnx.ValueInfoProto) -> str:
        kind = value.type.tensor_type
        try:
            dtype = str(helper.tensor_dtype_to_np_dtype(kind.elem_type))
        except (KeyError, ValueError):
            dtype = "unknown"
        sizes = (axis.dim_value if axis.HasField("dim_value") else None for axis in kind.shape.dim)
        return f"{shown(value.name, longest=40)} ({dtype} {_words(tuple(sizes))})"

    return ", ".join(described(value) for value in list(values)[:8])


def _words(shape: tuple[int | None, ...]) -> str:
    return " x ".join("any" if size is None else str(size) for size in shape) or "scalar"
