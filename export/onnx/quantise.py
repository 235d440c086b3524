"""A float32 ONNX graph to one with INT8 layers, written as QuantizeLinear and DequantizeLinear (Q/DQ).

Q/DQ is what TensorRT, OpenVINO and ONNX Runtime all read: a layer whose input and weight come from
DequantizeLinear is computed in INT8 by those that can, and in float with the same values by the others. The
settings of SYMMETRIC are those that all of them take: zero point 0, a scale for each *output* channel of a
weight, float biases. x86 multiplies bytes without a sign by bytes with one, so FITTING, which is for
OpenVINO, spends no bit on the sign of what comes out of a ReLU: no kernel has to make up for it, and steps
are half as wide. ONNX Runtime computes in INT8 only what is also quantised behind a layer, so ASYMMETRIC,
which is for it, quantises that as well: ReLU goes into the layer.

Source: Jacob et al. 2017, arXiv:1712.05877; Wu et al. 2020, arXiv:2004.09602, sections 3 and 4.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

from dcgan_edge.errors import EdgeError, UsageError

from .calibration import OBSERVED_OPERATORS, QUANTISED_OPERATORS, Ranges, quiet
from .checking import check_graph
from .operators import fresh, taken_names


@dataclass(frozen=True)
class Scheme:
    """How values are quantised, weights always with zero point 0: inputs to `values` ("int8" with zero point
    0, "uint8" with any, or "either" with 0: the latter where no value is negative), and with `outputs` also
    what comes out of a layer, ReLU included.
    """

    values: Literal["int8", "uint8", "either"]
    outputs: bool

    @property
    def kinds(self) -> tuple[str, ...]:
        """The types that inputs may have."""
        return ("int8", "uint8") if self.values == "either" else (self.values,)


SYMMETRIC = Scheme("int8", outputs=False)
FITTING = Scheme("either", outputs=False)
ASYMMETRIC = Scheme("uint8", outputs=True)
NO_LAYER = "No layer is left to compute in INT8. Keep fewer, or leave --precision int8 out."


def quantisable(model: onnx.ModelProto) -> tuple[str, ...]:
    """Return the names of the layers of `model` that can be INT8, in order.

    Those are convolutions and matrix products with a constant float32 weight. A transposed convolution in
    groups is none: its weight has no axis that holds every output channel.
    """
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    return tuple(
        node.name
        for node in model.graph.node
        if node.op_type in QUANTISED_OPERATORS
        and (weight := weights.get(node.input[1])) is not None
        and weight.data_type == TensorProto.FLOAT
        and (node.op_type != "MatMul" or len(weight.dims) == 2)
        and (node.op_type != "ConvTranspose" or _attribute(node, "group", 1) == 1)
    )


def quantise(
    model: onnx.ModelProto, layers: Collection[str], ranges: Ranges, scheme: Scheme = SYMMETRIC
) -> onnx.ModelProto:
    """Return `model` with `layers`, of those that are `quantisable`, in INT8; the others stay float32.

    The input of each has one scale, by its range in `ranges` (see `calibrate`), and its weight one for each
    output channel, by `scheme`. Input and output of the graph stay float32.

    Raises UsageError when there are no layers, EdgeError when the graph does not come out as it has to.
    """
    from onnxruntime import quantization
    from onnxruntime.quantization.calibrate import TensorData, TensorsData

    if not layers:
        raise UsageError(NO_LAYER)
    found = {
        name: TensorData(lowest=np.float32(low), highest=np.float32(high))
        for name, (low, high) in ranges.items()
    }
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    _separate_weights(copy.graph, layers)
    signed, unsigned = quantization.QuantType.QInt8, quantization.QuantType.QUInt8
    fitting = {
        name: [{"quant_type": unsigned, "symmetric": False}]  # from 0 on, so that the zero point is 0
        for name, (low, _) in ranges.items()
        if scheme.values == "either" and low >= 0
    }
    with quiet():
        quantiser = quantization.QDQQuantizer(
            copy,
            per_channel=True,
            reduce_range=False,
            weight_qType=signed,
            activation_qType=unsigned if scheme.values == "uint8" else signed,
            tensors_range=TensorsData(quantization.CalibrationMethod.MinMax, found),
            nodes_to_quantize=[*layers, *_activations(model, layers)],
            nodes_to_exclude=[],
            op_types_to_quantize=OBSERVED_OPERATORS if scheme.outputs else QUANTISED_OPERATORS,
            extra_options={
                "ActivationSymmetric": scheme.values != "uint8",
                "TensorQuantOverrides": fitting,
                "WeightSymmetric": True,
                "QuantizeBias": False,
                "OpTypesToExcludeOutputQuantization": () if scheme.outputs else QUANTISED_OPERATORS,
                "QDQKeepRemovableActivations": not scheme.outputs,
                "QDQOpTypePerChannelSupportToAxis": {"Conv": 0, "ConvTranspose": 1},
            },
        )
        quantiser.quantize_model()
        quantiser.model.topological_sort()
    quantised = quantiser.model.model
    quantised.producer_name, quantised.producer_version = model.producer_name, model.producer_version
    quantised = check_graph(quantised)
    check_scales(quantised, layers, scheme)
    return quantised


def check_scales(model: onnx.ModelProto, layers: Collection[str], scheme: Scheme = SYMMETRIC) -> None:
    """Raise EdgeError unless each of `layers` in `model` is quantised by `scheme`, as kernels can compute it.

    That is one scale for the input, one for each output channel of the weight along the axis of these
    channels, zero points of 0 (by an asymmetric scheme that of the weight alone), and a float bias. A graph
    with the scales along another axis makes almost the same images in ONNX Runtime, so that no comparison of
    images finds it; INT8 kernels, which multiply a sum over input channels by the scale of its output
    channel, cannot compute it.
    """
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    makers = {name: node for node in model.graph.node for name in node.output}
    for node in model.graph.node:
        if node.name not in layers:
            continue
        source, weight = (makers.get(name) for name in node.input[:2])
        if source is None or weight is None or {source.op_type, weight.op_type} != {"DequantizeLinear"}:
            raise EdgeError(f"{node.name} was to be INT8, and its input or its weight is not.")
        bias = constants.get(node.input[2]) if len(node.input) > 2 else None
        if bias is not None and bias.data_type != TensorProto.FLOAT:
            raise EdgeError(f"The bias of {node.name} is not float32.")
        axis = channel_axis(node)
        channels = (constants[weight.input[0]].dims[axis],)
        for each, kinds, where, shape in (
            (source, scheme.kinds, 0, ()),
            (weight, ("int8",), axis, channels),
        ):
            scale, zero = (numpy_helper.to_array(constants[name]) for name in each.input[1:3])
            along = _attribute(each, "axis", 1) if scale.ndim else 0
            off = kinds != ("uint8",) and zero.any()
            if zero.dtype.name not in kinds or off or scale.shape != shape or along != where:
                raise EdgeError(
                    f"{each.name}, before {node.name}, has scales of shape {scale.shape} along axis {along} "
                    f"and {zero.dtype} zero points{' other than 0' * bool(off)}; wanted are scales of shape "
                    f"{shape} along axis {where} and {' or '.join(kinds)}."
                )


def channel_axis(node: NodeProto) -> int:
    """Return the axis of the weight of `node` that holds the output channels."""
    if node.op_type == "Gemm":
        return 0 if _attribute(node, "transB", 0) else 1
    return 0 if node.op_type == "Conv" else 1


def _separate_weights(graph: onnx.GraphProto, layers: Collection[str]) -> None:
    """Give each of `layers` a weight of its own where another node reads it too, which may stay float or have
    its channels along another axis.
    """
    readers = Counter(name for node in graph.node for name in node.input)
    weights = {tensor.name: tensor for tensor in graph.initializer}
    taken = taken_names(graph)
    for node in graph.node:
        if node.name not in layers or readers[node.input[1]] == 1:
            continue
        readers[node.input[1]] -= 1
        own = TensorProto()
        own.CopyFrom(weights[node.input[1]])
        node.input[1] = own.name = fresh(f"{node.name}_weight", taken)
        graph.initializer.append(own)


def _activations(model: onnx.ModelProto, layers: Collection[str]) -> list[str]:
    """The names of each ReLU right behind one of `layers`."""
    made = {node.output[0] for node in model.graph.node if node.name in layers}
    return [node.name for node in model.graph.node if node.op_type == "Relu" and node.input[0] in made]


def _attribute(node: NodeProto, name: str, default: Any) -> Any:
    found = (helper.get_attribute_value(each) for each in node.attribute if each.name == name)
    return next(found, default)
