"""Pixels out of the graph: scaling, rounding, clipping and turning of axes behind the generator's last node.

The arithmetic is `images.to_uint8`'s in the same float32, so the bytes are the host's own; a runtime that
fuses the product and the sum rounds once where the host rounds twice, and may give the next grey level to a
value that lies at a tie between two. NaN has no pixel: it is looked for at export, by parity.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from dcgan_edge.artifact import Layout

from .checking import check_graph
from .operators import fresh, taken_names


def with_uint8(model: onnx.ModelProto, layout: Layout) -> onnx.ModelProto:
    """Return `model`, which is checked, with its images as uint8 0..255, in `layout`.

    Its output keeps its name. The axes turn before the last node, which makes bytes: TensorRT has bytes
    nowhere but at the ends of a network.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    (output,) = graph.output
    images = output.name
    taken = taken_names(graph)
    source = fresh("images_float", taken)
    for node in graph.node:
        node.input[:] = [source if name == images else name for name in node.input]
        node.output[:] = [source if name == images else name for name in node.output]
    half, least, most = (
        _constant(graph, fresh(f"uint8_{name}", taken), value)
        for name, value in (("half", 127.5), ("least", 0.0), ("most", 255.0))
    )
    steps: list[tuple[str, list[str], dict[str, Any]]] = [
        ("Mul", [half], {}),
        ("Add", [half], {}),
        ("Round", [], {}),  # half to even, as np.rint
        ("Clip", [least, most], {}),
        ("Transpose", [], {"perm": [0, 2, 3, 1]}),
        ("Cast", [], {"to": TensorProto.UINT8}),
    ]
    if layout == "NCHW":
        del steps[-2]
    for number, (op, others, facts) in enumerate(steps, start=1):
        name = fresh(f"{op}_uint8", taken)
        made = images if number == len(steps) else fresh(f"uint8_{op.lower()}", taken)
        graph.node.append(helper.make_node(op, [source, *others], [made], name, **facts))
        source = made
    batch, *planes = output.type.tensor_type.shape.dim
    channels, height, width = (axis.dim_value for axis in planes)
    shape = [channels, height, width] if layout == "NCHW" else [height, width, channels]
    free = batch.dim_value if batch.HasField("dim_value") else batch.dim_param
    output.CopyFrom(helper.make_tensor_value_info(images, TensorProto.UINT8, [free, *shape]))
    return check_graph(result)


def _constant(graph: onnx.GraphProto, name: str, value: float) -> str:
    graph.initializer.append(numpy_helper.from_array(np.array(value, np.float32), name))
    return name
