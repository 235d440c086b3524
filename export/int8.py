"""A float32 graph to its INT8 file: the best calibration found by trying, and which layers it costs most.

Calibration, the comparison of its methods, and what decides whether the file is written all use other seeds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import onnx

from dcgan_edge.artifact import Architecture
from dcgan_edge.errors import UsageError
from dcgan_edge.images import psnr
from dcgan_edge.latents import FloatArray

from .onnx.calibration import METHODS, Method, Ranges, calibrate, run_graph
from .onnx.cost import count
from .onnx.precision import to_fp16
from .onnx.quantise import ASYMMETRIC, SYMMETRIC, Scheme, quantisable, quantise
from .onnx.subpixel import to_subpixel

SCHEMES = {
    "any": SYMMETRIC,
    "openvino": SYMMETRIC,
    "tensorrt": SYMMETRIC,
    "onnxruntime-cpu": ASYMMETRIC,
}
# Transposed convolutions become convolutions where there is no INT8 kernel of theirs: ONNX Runtime has none, and
# TensorRT-RTX rounds their inputs to INT8 and back in a kernel of its own, to compute them in float.
SUBPIXEL = ("onnxruntime-cpu", "tensorrt")
CALIBRATION_SEEDS = range(10_000, 10_128)
COMPARISON_SEEDS = range(20_000, 20_064)
MOST_CLASSES = 1024  # that calibration and comparison cover, with a seed for each
NAMED = 3  # layers in the advice


@dataclass(frozen=True)
class Quantised:
    """An INT8 `model` of the float32 `graph` by `scheme`, the `method` of its calibration, the worst seed's
    PSNR in dB by each method, the names of the layers in each precision, and what `sensitivity` needs.
    """

    model: onnx.ModelProto
    graph: onnx.ModelProto
    scheme: Scheme
    method: Method
    psnr_db: Mapping[Method, float]
    layers: Mapping[str, tuple[str, ...]]
    ranges: Ranges
    tried_on: tuple[FloatArray, FloatArray]

    def notes(self) -> dict[str, Any]:
        """Return what the manifest keeps of it."""
        facts = {
            "values": self.scheme.values,
            "calibration": self.method,
            "worst_psnr_db": {method: round(value, 2) for method, value in self.psnr_db.items()},
            "calibration_seeds": [CALIBRATION_SEEDS.start, CALIBRATION_SEEDS.stop - 1],
            "comparison_seeds": [COMPARISON_SEEDS.start, COMPARISON_SEEDS.stop - 1],
            "layers": {precision: list(names) for precision, names in self.layers.items()},
        }
        return {"quantisation": facts}


def to_int8(
    graph: onnx.ModelProto,
    architecture: Architecture,
    *,
    target: str = "any",
    keep_fp32: Sequence[str] = (),
    keep_fp16: Sequence[str] = (),
    methods: Sequence[Method] | None = None,
    progress: Callable[[str], None] = lambda step: None,
) -> Quantised:
    """Return `graph` in INT8, calibrated by that of `methods` (None: all) whose images are the closest.

    All layers that can be INT8 are, but those in `keep_fp32` and `keep_fp16`, which compute so. `target` is
    what the file is to run on: "any", or a runtime (see SCHEMES and SUBPIXEL).

    Raises UsageError for names that the graph does not have or that are kept twice, and without a layer left;
    EdgeError when the graph does not come out as it has to.
    """
    scheme = SCHEMES[target]
    if target in SUBPIXEL:
        graph = to_subpixel(graph)
    layers = _layers(graph, keep_fp32, keep_fp16)
    image_bytes = count(graph).activation_bytes
    given = architecture.inputs(_covering(architecture, CALIBRATION_SEEDS))
    z = architecture.inputs(_covering(architecture, COMPARISON_SEEDS))
    images = run_graph(graph, z, image_bytes)
    tried: dict[Method, tuple[float, onnx.ModelProto, Ranges]] = {}
    for method in methods or METHODS:
        progress(f"calibrating INT8: {method}")
        ranges = calibrate(graph, given, method, image_bytes=image_bytes)
        model = quantise(graph, layers, ranges, scheme)
        tried[method] = (float(psnr(run_graph(model, z, image_bytes), images).min()), model, ranges)
    best = max(tried, key=lambda method: tried[method][0])
    _, model, ranges = tried[best]
    if keep_fp16:
        model = to_fp16(
            model, keep_fp32=[each.name for each in model.graph.node if each.name not in keep_fp16]
        )
    others = [name for name in quantisable(graph) if name not in layers]
    return Quantised(
        model=model,
        graph=graph,
        scheme=scheme,
        method=best,
        psnr_db={method: found[0] for method, found in tried.items()},
        layers={
            "int8": layers,
            "fp16": tuple(keep_fp16),
            "fp32": tuple(name for name in others if name not in keep_fp16),
        },
        ranges=ranges,
        tried_on=(z, images),
    )


def sensitivity(quantised: Quantised) -> dict[str, float]:
    """Return the worst seed's PSNR in dB with each INT8 layer of `quantised` as the only one, worst first."""
    z, images = quantised.tried_on
    image_bytes = count(quantised.graph).activation_bytes
    found = {}
    for name in quantised.layers["int8"]:
        alone = quantise(quantised.graph, (name,), quantised.ranges, quantised.scheme)
        found[name] = float(psnr(run_graph(alone, z, image_bytes), images).min())
    return dict(sorted(found.items(), key=lambda each: each[1]))


def advice(costs: Mapping[str, float]) -> str:
    """Return the sentences that name the layers of `costs` (see `sensitivity`) which INT8 costs most."""
    named = list(costs)[:NAMED]
    told = ", ".join(f"{name} {costs[name]:.1f} dB" for name in named)
    options = " ".join(f"--keep-fp32 {name}" for name in named[:1])
    return f"In INT8 alone, the layers that cost most leave: {told}. Keep the first of them: {options}"


def _layers(graph: onnx.ModelProto, keep_fp32: Sequence[str], keep_fp16: Sequence[str]) -> tuple[str, ...]:
    there = [node.name for node in graph.graph.node]
    unknown = sorted({*keep_fp32, *keep_fp16} - set(there))
    if unknown:
        raise UsageError(f"The generator has no layer {', '.join(unknown)}; it has {', '.join(there)}.")
    if both := sorted(set(keep_fp32) & set(keep_fp16)):
        raise UsageError(f"{', '.join(both)} cannot be kept in float32 and in half precision at once.")
    return tuple(name for name in quantisable(graph) if name not in {*keep_fp32, *keep_fp16})


def _covering(architecture: Architecture, seeds: range) -> range:
    """`seeds`, or more of them where there are more classes."""
    return range(seeds.start, seeds.start + max(len(seeds), min(len(architecture.classes), MOST_CLASSES)))
