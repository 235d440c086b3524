"""Is a graph valid ONNX, old enough for every device? Needs no torch."""

from __future__ import annotations

import onnx

from dcgan_edge.errors import EdgeError

OPSET = 18
NEWEST_IR = 10  # what TensorRT 10.3 and the ONNX Runtime of JetPack 6 read


def check_graph(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return `model` with the inferred shape and type of every tensor.

    Raises EdgeError when the ONNX checker or strict shape inference finds a fault, or the IR is too new.
    """
    try:
        onnx.checker.check_model(model, full_check=True)
        inferred = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise EdgeError(f"The exported graph is not valid ONNX: {error}") from error
    if inferred.ir_version > NEWEST_IR:
        raise EdgeError(
            f"The exported graph has IR version {inferred.ir_version}; {NEWEST_IR} is the newest."
        )
    return inferred
