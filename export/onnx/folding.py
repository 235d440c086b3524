"""BatchNorm folded in an ONNX graph, so that no runtime has to do it, or does it wrongly.

It becomes part of the weights of the layer before it, or a factor and a sum. The arithmetic is in float64.
"""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import numpy.typing as npt
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

from dcgan_edge.errors import ArtifactError

Values = npt.NDArray[np.float64]
LAYERS = ("Conv", "ConvTranspose", "Gemm", "MatMul")


def fold_batch_norm(model: onnx.ModelProto, ranks: dict[str, int]) -> onnx.ModelProto:
    """Return `model` without BatchNormalization; `ranks` are the numbers of axes of its tensors.

    After a convolution, transposed or not, or a dense layer, whose result nothing else reads, it becomes part
    of the weights; elsewhere it becomes a Mul and an Add.

    Raises ArtifactError naming a node in training mode, or with statistics that the graph computes.
    """
    graph = _Graph(model)
    kept = []
    for node in model.graph.node:
        if node.op_type == "BatchNormalization":
            kept += graph.folded(node, ranks.get(node.input[0], 4))
        else:
            kept.append(node)
    result = onnx.ModelProto()
    result.CopyFrom(model)
    del result.graph.node[:], result.graph.initializer[:]
    result.graph.node.extend(kept)
    used = {name for node in kept for name in node.input}
    result.graph.initializer.extend(each for each in graph.weights.values() if each.name in used)
    return result


class _Graph:
    """The weights of a graph by name, who makes each tensor, and how often it is read."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.weights: dict[str, TensorProto] = {tensor.name: tensor for tensor in model.graph.initializer}
        self._made_by = {name: node for node in model.graph.node for name in node.output}
        self._readers = Counter(name for node in model.graph.node for name in node.input)
        self._readers.update(output.name for output in model.graph.output)

    def folded(self, node: NodeProto, rank: int) -> list[NodeProto]:
        """Return what takes the place of a BatchNormalization: nothing where a layer's weights took it in."""
        scale, shift = self._affine(node)
        source = node.input[0]
        before = self._made_by.get(source)
        if before is not None and self._readers[source] == 1 and self._take_in(before, scale, shift):
            _rename_output(before, source, node.output[0])
            self._made_by[node.output[0]] = before
            return []
        shape = (-1, *(1 for _ in range(rank - 2)))
        factor = self._add(f"{node.name}_scale", scale.reshape(shape))
        summand = self._add(f"{node.name}_shift", shift.reshape(shape))
        between = f"{node.output[0]}_scaled"
        return [
            helper.make_node("Mul", [source, factor], [between], f"{node.name}_Mul"),
            helper.make_node("Add", [between, summand], [node.output[0]], f"{node.name}_Add"),
        ]

    def _affine(self, node: NodeProto) -> tuple[Values, Values]:
        facts = {item.name: helper.get_attribute_value(item) for item in node.attribute}
        if facts.get("training_mode", 0) or any(node.output[1:]):
            raise ArtifactError(
                f"Node {node.name} is a BatchNormalization in training mode; export in eval mode."
            )
        if not all(name in self.weights for name in node.input[1:5]):
            raise ArtifactError(
                f"Node {node.name} is a BatchNormalization whose statistics are no constants."
            )
        gamma, beta, mean, variance = (self._values(name) for name in node.input[1:5])
        with np.errstate(all="ignore"):  # of damaged statistics
            scale = gamma / np.sqrt(variance + facts.get("epsilon", 1e-5))
        return scale, beta - mean * scale

    def _take_in(self, layer: NodeProto, scale: Values, shift: Values) -> bool:
        """Scale and shift the output channels of `layer`. Returns whether its weights allow it."""
        if layer.op_type == "Add":  # of a bias, after a MatMul
            return self._take_in_sum(layer, scale, shift)
        if layer.op_type == "Reshape":  # of a dense layer's features to feature maps
            return self._take_in_maps(layer, scale, shift)
        if layer.op_type not in LAYERS or layer.input[1] not in self.weights:
            return False
        weight = self._values(layer.input[1])
        if layer.op_type == "MatMul":
            if weight.ndim != 2 or weight.shape[1] != len(scale) or np.any(shift):
                return False
            self._replace(layer, 1, weight * scale)
            return True
        bias_given = len(layer.input) > 2 and bool(layer.input[2])
        if bias_given and layer.input[2] not in self.weights:
            return False
        bias = self._values(layer.input[2]) if bias_given else np.zeros(len(scale))
        facts = {item.name: helper.get_attribute_value(item) for item in layer.attribute}
        self._replace(layer, 1, _scaled(layer.op_type, weight, scale, facts))
        factor = facts.get("beta", 1.0) if layer.op_type == "Gemm" else 1.0
        for item in layer.attribute:
            if layer.op_type == "Gemm" and item.name == "beta":
                item.f = 1.0
        self._replace(layer, 2, factor * bias * scale + shift)
        return True

    def _take_in_sum(self, layer: NodeProto, scale: Values, shift: Values) -> bool:
        constant = next((place for place, name in enumerate(layer.input) if name in self.weights), None)
        if constant is None:
            return False
        product = self._made_by.get(layer.input[1 - constant])
        bias = self._values(layer.input[constant])
        if (
            product is None
            or product.op_type != "MatMul"
            or self._readers[product.output[0]] != 1
            or bias.shape != scale.shape
            or not self._take_in(product, scale, np.zeros_like(shift))
        ):
            return False
        self._replace(layer, constant, bias * scale + shift)
        return True

    def _take_in_maps(self, layer: NodeProto, scale: Values, shift: Values) -> bool:
        dense = self._made_by.get(layer.input[0])
        if dense is None or self._readers[layer.input[0]] != 1 or layer.input[1] not in self.weights:
            return False
        batch, *maps = numpy_helper.to_array(self.weights[layer.input[1]]).tolist()
        if dense.op_type != "Gemm" or batch != -1 or len(maps) < 2 or maps[0] != len(scale) or min(maps) < 1:
            return False
        pixels = math.prod(maps[1:])
        bias = self.weights.get(dense.input[2]) if len(dense.input) > 2 else None
        if bias is None or list(bias.dims) != [len(scale) * pixels]:  # its length is that of the features
            return False
        return self._take_in(dense, scale.repeat(pixels), shift.repeat(pixels))

    def _values(self, name: str) -> Values:
        return numpy_helper.to_array(self.weights[name]).astype(np.float64)

    def _replace(self, layer: NodeProto, place: int, values: Values) -> None:
        """Give `layer` new weights, its own: others may read the old ones."""
        name = self._add(f"{layer.name}_{'bias' if place == 2 else f'weight_{place}'}", values)
        while len(layer.input) <= place:
            layer.input.append("")
        layer.input[place] = name

    def _add(self, name: str, values: Values) -> str:
        while name in self.weights or name in self._made_by:
            name += "_"
        with np.errstate(over="ignore"):  # what is too large becomes infinite, and parity sees to it
            self.weights[name] = numpy_helper.from_array(values.astype(np.float32), name)
        return name


def _scaled(op: str, weight: Values, scale: Values, facts: dict[str, int]) -> Values:
    """The weight with each output channel multiplied by its `scale`."""
    if op == "Conv":  # (out, in / groups, *kernel)
        return weight * scale.reshape(-1, *(1 for _ in weight.shape[1:]))
    if op == "Gemm":
        return weight * (scale[:, None] if facts.get("transB", 0) else scale)
    groups = facts.get("group", 1)  # ConvTranspose: (in, out / groups, *kernel)
    split = weight.reshape(groups, -1, *weight.shape[1:])
    by_group = scale.reshape(groups, 1, -1, *(1 for _ in weight.shape[2:]))
    scaled: Values = (split * by_group).reshape(weight.shape)
    return scaled


def _rename_output(node: NodeProto, old: str, new: str) -> None:
    node.output[:] = [new if name == old else name for name in node.output]
