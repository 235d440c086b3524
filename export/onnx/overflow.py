"""Where half precision ends: the nodes whose values are too large for it, found by running the graph."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto

from dcgan_edge.latents import FloatArray

from .precision import HALF_MAX

IMAGES = 4  # as many show it
MOST_NAMED = 8


def half_advice(model: onnx.ModelProto, latents: FloatArray) -> str:
    """Return the sentence that names the nodes of the float32 `model` which reach values beyond half, with
    the options that keep them in float32; "" when there are none.

    Both the node that makes such a value and those that read it are named.
    """
    found = _largest(model, latents[:IMAGES])
    beyond = {name: value for name, value in found.items() if not value <= HALF_MAX}
    nodes = {
        node.name: None
        for node in model.graph.node
        if not beyond.keys().isdisjoint((*node.input, *node.output))
    }
    if not nodes:
        return ""
    worst = max(beyond, key=lambda name: beyond[name])
    maker = next(node.name for node in model.graph.node if worst in node.output)
    options = " ".join(f"--keep-fp32 {name}" for name in list(nodes)[:MOST_NAMED])
    more = f" and {len(nodes) - MOST_NAMED} more" if len(nodes) > MOST_NAMED else ""
    return (
        f" Half precision ends at {HALF_MAX:g}, and {maker} reaches {beyond[worst]:.3g}: keep what is too "
        f"large in float32: {options}{more}"
    )


def _largest(model: onnx.ModelProto, latents: FloatArray) -> dict[str, float]:
    """The largest absolute value of each float32 tensor that the nodes of `model` make of `latents`."""
    import onnxruntime

    shown = onnx.ModelProto()
    shown.CopyFrom(model)
    known = {value.name: value for value in shown.graph.value_info}
    made = {name for node in shown.graph.node for name in node.output} - {shown.graph.output[0].name}
    floats = [name for name in known if name in made]
    floats = [name for name in floats if known[name].type.tensor_type.elem_type == TensorProto.FLOAT]
    shown.graph.output.extend(known[name] for name in floats)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(
        shown.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    fixed = shown.graph.input[0].type.tensor_type.shape.dim[0].dim_value
    given = np.resize(latents, (fixed, *latents.shape[1:])) if fixed else latents
    values = session.run(floats, {shown.graph.input[0].name: given}) if floats else []
    return {
        name: float(np.abs(value).max()) for name, value in zip(floats, values, strict=True) if value.size
    }
