"""Where half precision ends: the nodes whose values are too large for it, found by running the graph.

ONNX Runtime computes half nodes in float32 on a CPU, and leaves out a rounding to half between two of them: a
value beyond half would not show in its images. So the values themselves are looked at.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto

from dcgan_edge.latents import FloatArray

from .precision import HALF_MAX

IMAGES = 8  # as many show it
MOST_BYTES = 2**30  # of all values of these images
MOST_NAMED = 8


def half_overflow(
    model: onnx.ModelProto, half: onnx.ModelProto, latents: FloatArray, image_bytes: float
) -> str:
    """Return the sentence that names the nodes which reach values beyond half, "" when there are none.

    `model` is the float32 graph and `half` what `to_fp16` made of it: what stays float32 there is not looked
    at. `image_bytes` is what all values of one image take. A node that makes such a value is named, and those
    that read it, with the options that keep them in float32.
    """
    count = int(min(IMAGES, max(1, MOST_BYTES // max(image_bytes, 1.0))))
    found = _largest(model, _half_tensors(half), latents[:count])
    beyond = {name: value for name, value in found.items() if not value <= HALF_MAX}
    if not beyond:
        return ""
    nodes = [
        node.name for node in model.graph.node if not beyond.keys().isdisjoint((*node.input, *node.output))
    ]
    worst = max(beyond, key=lambda name: beyond[name])
    maker = next(node.name for node in model.graph.node if worst in node.output)
    options = " ".join(f"--keep-fp32 {name}" for name in nodes[:MOST_NAMED])
    more = f" and {len(nodes) - MOST_NAMED} more" if len(nodes) > MOST_NAMED else ""
    return (
        f"Half precision ends at {HALF_MAX:g}, and {maker} reaches {beyond[worst]:.3g}. Keep what is too "
        f"large in float32: {options}{more}"
    )


def _half_tensors(half: onnx.ModelProto) -> set[str]:
    """The names of what is half in the graph, or made half on its way to a node."""
    values = half.graph.value_info
    typed = {value.name for value in values if value.type.tensor_type.elem_type == TensorProto.FLOAT16}
    return typed | {
        node.input[0]
        for node in half.graph.node
        if node.op_type == "Cast" and any(item.i == TensorProto.FLOAT16 for item in node.attribute)
    }


def _largest(model: onnx.ModelProto, names: set[str], latents: FloatArray) -> dict[str, float]:
    """The largest absolute value of each of the float32 tensors `names` that nodes of `model` make."""
    import onnxruntime

    shown = onnx.ModelProto()
    shown.CopyFrom(model)
    made = {name for node in shown.graph.node for name in node.output} - {shown.graph.output[0].name}
    values = [
        value
        for value in shown.graph.value_info
        if value.name in made & names and value.type.tensor_type.elem_type == TensorProto.FLOAT
    ]
    if not values:
        return {}
    shown.graph.output.extend(values)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(
        shown.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    fixed = shown.graph.input[0].type.tensor_type.shape.dim[0].dim_value
    given = np.resize(latents, (fixed, *latents.shape[1:])) if fixed else latents
    wanted = [value.name for value in values]
    results = session.run(wanted, {shown.graph.input[0].name: given})
    return {name: float(np.abs(each).max()) for name, each in zip(wanted, results, strict=True) if each.size}
