"""Random features (see `evaluation.random_features`) in ONNX Runtime, where an export has no PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from dcgan_edge.evaluation.extractor import FeatureExtractor, in_batches
from dcgan_edge.evaluation.random_features import COLOURS, WIDTHS, random_weights
from dcgan_edge.latents import FloatArray

from .checking import NEWEST_IR, OPSET

LEAST_SIZE = 8  # pixels that the layers leave something of
BORDER = [0, 0, 1, 1, 0, 0, 1, 1]  # one pixel on each side of the image


class OnnxRandomFeatures(FeatureExtractor):
    """The same vectors as those of `RandomFeatures`, but for the last digits."""

    dim = WIDTHS[-1]

    def __init__(self) -> None:
        """Build the network, which needs no file."""
        import onnxruntime

        data = _model().SerializeToString()
        self._session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
        self.facts: dict[str, Any] = {
            "name": "random",
            "backend": "onnxruntime",
            "version": str(onnxruntime.__version__),
        }

    def features(self, images: FloatArray) -> FloatArray:
        """Turn (n, c, h, w) in [-1, 1] into (n, 128); what is not RGB is seen in grey."""

        def run(batch: FloatArray) -> FloatArray:
            if batch.shape[1] != COLOURS:
                batch = batch.mean(1, keepdims=True).repeat(COLOURS, axis=1)
            if (small := min(batch.shape[2:])) < LEAST_SIZE:
                times = -(-LEAST_SIZE // small)
                batch = batch.repeat(times, axis=2).repeat(times, axis=3)
            found: FloatArray = self._session.run(None, {"images": batch})[0].mean((2, 3))
            return found

        return in_batches(run, images, self.dim)


def _model() -> onnx.ModelProto:
    """The convolutions as a graph, float32 (n, 3, h, w) to (n, 128, h', w')."""
    nodes, held = [], [numpy_helper.from_array(np.array(BORDER), "border")]
    last = "images"
    for layer, (weight, bias) in enumerate(random_weights()):
        padded, summed, made = (f"{kind}_{layer}" for kind in ("padded", "summed", "made"))
        held += [numpy_helper.from_array(weight, f"w_{layer}"), numpy_helper.from_array(bias, f"b_{layer}")]
        nodes += [
            helper.make_node("Pad", [last, "border"], [padded], mode="edge"),
            helper.make_node("Conv", [padded, f"w_{layer}", f"b_{layer}"], [summed], strides=[2, 2]),
            helper.make_node("Relu", [summed], [made]),
        ]
        last = made
    source = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["n", COLOURS, "h", "w"])
    result = helper.make_tensor_value_info(last, TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "features", [source], [result], held)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=NEWEST_IR)
