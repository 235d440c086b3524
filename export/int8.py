"""A float32 graph to its INT8 file: the best calibration found by trying, and which layers INT8 costs most.

Calibration, the comparison of its methods, and what decides whether the file is written all use other seeds.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import onnx

from dcgan_edge.artifact import Architecture, Target
from dcgan_edge.errors import EdgeError, UsageError
from dcgan_edge.images import psnr
from dcgan_edge.latents import FloatArray
from dcgan_edge.runtime.parity import INT8_GATE

from .onnx.calibration import METHODS, Method, Ranges, calibrate, run_graph
from .onnx.cost import count
from .onnx.precision import to_fp16
from .onnx.quantise import ASYMMETRIC, FITTING, NO_LAYER, SYMMETRIC, Scheme, quantisable, quantise
from .onnx.subpixel import to_subpixel

SCHEMES: dict[Target, Scheme] = {
    "any": SYMMETRIC,
    "openvino": FITTING,
    "tensorrt": SYMMETRIC,
    "onnxruntime-cpu": ASYMMETRIC,
}
# Transposed convolutions become convolutions where these alone are INT8: ONNX Runtime has no other kernels,
# and TensorRT-RTX rounds inputs to INT8 and back in a kernel of its own, to compute the layer in float.
SUBPIXEL: tuple[Target, ...] = ("onnxruntime-cpu", "tensorrt")
CALIBRATION_SEEDS = range(10_000, 10_128)
EXTREMES = 4  # times as many seeds for min-max, which needs rare values and no histograms
COMPARISON_SEEDS = range(20_000, 20_064)
MOST_CLASSES = 1024  # that calibration and comparison cover, with a seed for each
MOST_BYTES = 2**32  # of all values of the images of either, fewer of which are made of very large ones
LEAST_IMAGES = 16
MARGIN = 2.0  # dB above the gate that are wanted on the seeds of the comparison: others differ by as much
NAMED = 3  # layers in the advice


@dataclass(frozen=True)
class Trial:
    """A float32 `graph`, how it is to be quantised, and the images (n, c, h, w) that it makes of `latents`,
    which are those of `seeds`. `image_bytes` is what all values of one image take.
    """

    graph: onnx.ModelProto
    scheme: Scheme
    seeds: range
    latents: FloatArray
    images: FloatArray
    image_bytes: float

    @classmethod
    def of(cls, graph: onnx.ModelProto, architecture: Architecture, target: Target) -> Trial:
        """Return the trial of `graph`, rewritten where `target` has no INT8 kernel for its layers."""
        if target in SUBPIXEL:
            graph = to_subpixel(graph)
        image_bytes = count(graph).activation_bytes
        seeds = _covering(architecture, COMPARISON_SEEDS, image_bytes)
        latents = architecture.inputs(seeds)
        images = run_graph(graph, latents, image_bytes)
        return cls(graph, SCHEMES[target], seeds, latents, images, image_bytes)

    def quantised(self, layers: Collection[str], ranges: Ranges) -> tuple[onnx.ModelProto, float]:
        """Return the graph with `layers` in INT8, and the PSNR of the worst seed in dB."""
        model = quantise(self.graph, layers, ranges, self.scheme)
        return model, float(psnr(run_graph(model, self.latents, self.image_bytes), self.images).min())


@dataclass(frozen=True)
class Quantised:
    """An INT8 `model`, the `method` of its calibration and its `seeds`, the worst seed's PSNR in dB by each
    method, the names of the layers in each precision, and those that were `given_up` for the images' sake.
    """

    model: onnx.ModelProto
    trial: Trial
    method: Method
    seeds: range
    ranges: Ranges
    psnr_db: Mapping[Method, float]
    layers: Mapping[str, tuple[str, ...]]
    given_up: tuple[str, ...] = ()

    def notes(self) -> dict[str, Any]:
        """Return what the manifest keeps of it."""
        facts = {
            "values": " or ".join(self.trial.scheme.kinds),
            "calibration": self.method,
            "worst_psnr_db": {method: round(value, 2) for method, value in self.psnr_db.items()},
            "calibration_seeds": [self.seeds.start, self.seeds.stop - 1],
            "comparison_seeds": [self.trial.seeds.start, self.trial.seeds.stop - 1],
            "layers": {precision: list(names) for precision, names in self.layers.items()},
            "given_up": list(self.given_up),
        }
        return {"quantisation": facts}


def to_int8(
    graph: onnx.ModelProto,
    architecture: Architecture,
    *,
    target: Target = "any",
    keep_fp32: Sequence[str] = (),
    keep_fp16: Sequence[str] = (),
    methods: Sequence[Method] | None = None,
    progress: Callable[[str], None] = lambda step: None,
) -> Quantised:
    """Return `graph` in INT8, calibrated by that of `methods` (None: all) whose images are the closest.

    All layers that can be INT8 are, but those in `keep_fp32` and `keep_fp16`, which compute so. Where nothing
    is kept and the images are not close enough, the layers that cost most are given up for half precision,
    one by one. `target` is what the file is to run on: "any", or a runtime (see SCHEMES and SUBPIXEL).

    Raises UsageError for names that the graph does not have or that are kept twice, and without a layer left;
    EdgeError when the graph does not come out as it has to.
    """
    trial = Trial.of(graph, architecture, target)
    layers = _layers(trial.graph, keep_fp32, keep_fp16)
    tried: dict[Method, tuple[onnx.ModelProto, float]] = {}
    seeds: dict[Method, range] = {}
    ranges: dict[Method, Ranges] = {}
    refused: EdgeError | None = None
    for method in methods or METHODS:
        progress(f"calibrating INT8: {method}")
        seeds[method] = _covering(architecture, _seeds_of(method), trial.image_bytes)
        given = architecture.inputs(seeds[method])
        try:
            ranges[method] = calibrate(trial.graph, given, method, image_bytes=trial.image_bytes)
        except EdgeError as error:  # another method may have a range for such values
            refused = refused or error
            continue
        tried[method] = trial.quantised(layers, ranges[method])
    if refused is not None and not tried:
        raise refused
    best = max(tried, key=lambda method: tried[method][1])
    model, given_up = _good_enough(
        trial, () if keep_fp32 or keep_fp16 else layers, ranges[best], tried[best], progress
    )
    layers = tuple(name for name in layers if name not in given_up)
    half = (*keep_fp16, *given_up)
    if half:
        others = [each.name for each in model.graph.node if each.name not in half]
        model = to_fp16(model, keep_fp32=others)
    wide = tuple(name for name in quantisable(trial.graph) if name not in {*layers, *half})
    return Quantised(
        model=model,
        trial=trial,
        method=best,
        seeds=seeds[best],
        ranges=ranges[best],
        psnr_db={method: decibels for method, (_, decibels) in tried.items()},
        layers={"int8": layers, "fp16": half, "fp32": wide},
        given_up=given_up,
    )


def sensitivity(trial: Trial, layers: Sequence[str], ranges: Ranges) -> dict[str, float]:
    """Return the worst seed's PSNR in dB with each of `layers` as the only one in INT8, worst first."""
    found = {name: trial.quantised((name,), ranges)[1] for name in layers}
    return dict(sorted(found.items(), key=lambda each: each[1]))


def advice(quantised: Quantised) -> str:
    """Return the sentences that name the layers which INT8 costs most, and how to keep the first."""
    costs = sensitivity(quantised.trial, quantised.layers["int8"], quantised.ranges)
    told = ", ".join(f"{name} {costs[name]:.1f} dB" for name in list(costs)[:NAMED])
    kept = [
        f"--keep-{precision} {name}" for precision in ("fp32", "fp16") for name in quantised.layers[precision]
    ]
    options = " ".join([*kept, f"--keep-fp16 {next(iter(costs))}"])
    return f"In INT8 alone, the layers that cost most leave: {told}. Keep the first: {options}"


def _good_enough(
    trial: Trial,
    layers: tuple[str, ...],
    ranges: Ranges,
    made: tuple[onnx.ModelProto, float],
    progress: Callable[[str], None],
) -> tuple[onnx.ModelProto, tuple[str, ...]]:
    """Give up those of `layers` that cost most until the gate is met with a margin; one stays INT8."""
    wanted = INT8_GATE.psnr_db + MARGIN
    given_up: list[str] = []
    if made[1] >= wanted or len(layers) < 2:
        return made[0], ()
    for name in list(sensitivity(trial, layers, ranges))[:-1]:
        progress(f"leaving {name} in half precision: {made[1]:.1f} dB in INT8, {wanted:.0f} are wanted")
        given_up.append(name)
        made = trial.quantised([each for each in layers if each not in given_up], ranges)
        if made[1] >= wanted:
            break
    return made[0], tuple(given_up)


def _layers(graph: onnx.ModelProto, keep_fp32: Sequence[str], keep_fp16: Sequence[str]) -> tuple[str, ...]:
    there = [node.name for node in graph.graph.node]
    unknown = sorted({*keep_fp32, *keep_fp16} - set(there))
    if unknown:
        raise UsageError(f"The generator has no layer {', '.join(unknown)}; it has {', '.join(there)}.")
    if both := sorted(set(keep_fp32) & set(keep_fp16)):
        raise UsageError(f"{', '.join(both)} cannot be kept in float32 and in half precision at once.")
    left = tuple(name for name in quantisable(graph) if name not in {*keep_fp32, *keep_fp16})
    if not left:
        raise UsageError(NO_LAYER)
    return left


def _seeds_of(method: Method) -> range:
    first, seeds = CALIBRATION_SEEDS.start, len(CALIBRATION_SEEDS)
    return range(first, first + seeds * (EXTREMES if method == "min-max" else 1))


def _covering(architecture: Architecture, seeds: range, image_bytes: float) -> range:
    """`seeds`, or more of them where there are more classes, or fewer of very large images."""
    wanted = max(len(seeds), min(len(architecture.classes), MOST_CLASSES))
    return range(seeds.start, seeds.start + int(max(LEAST_IMAGES, min(wanted, MOST_BYTES // image_bytes))))
