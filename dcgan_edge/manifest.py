"""What is known of an artifact: architecture, tensors, cost, proof; the records and their JSON.

The schema is read strictly, as a stranger's text: types, ranges, and that the tensors are those of the
architecture. Schema 1 had neither cost nor golden images nor verifications, schema 2 neither classes nor
origins, schema 3 neither INT8 nor images of bytes; all are still read.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from dcgan_edge.architecture import Architecture
from dcgan_edge.errors import ArtifactError, UsageError
from dcgan_edge.files import sha256
from dcgan_edge.schema import build, checked, read_json

SCHEMA_VERSION = 4
READABLE_SCHEMAS = (1, 2, 3, 4)
MANIFEST_LIMIT = 4 * 2**20  # bytes of JSON
Kind = Literal["checkpoint", "onnx", "engine"]
Precision = Literal["fp32", "fp16", "mixed", "int8"]
Target = Literal["any", "tensorrt", "onnxruntime-cpu", "openvino"]  # what a graph is written for
TARGETS: tuple[Target, ...] = get_args(Target)
Output = Literal["float32", "uint8"]  # images in [-1, 1], or pixels 0..255
Layout = Literal["NCHW", "NHWC"]  # the latter of pixels alone
OUTPUTS: tuple[Output, ...] = get_args(Output)
LAYOUTS: tuple[Layout, ...] = get_args(Layout)
LARGEST_BATCH = 2**16  # images per call
VERIFICATIONS_KEPT = 16
PARITY_FIGURES: dict[str, Any] = {  # of those that are there
    "verdict": Literal["passed", "failed", "not_run"], "reason": str, "reference": str, "seeds": int,
    "max_abs": float, "mean_abs": float, "worst_psnr_db": float, "worst_seed": int, "grey_levels": int,
    "pixels_differ": float, "not_finite": int, "missed": tuple[str, ...], "gate": dict[str, Any],
    "distribution": dict[str, Any],
}  # fmt: skip


@dataclass(frozen=True)
class Origin:
    """Where a generator came from that was not trained here.

    `file` is the name alone, `sha256` its content's. `assumptions` say what the file did not, and `proof`
    whether images of its owner's own code were met ("measured") or nothing was compared ("assumed").
    """

    kind: Literal["import", "module", "onnx"]
    file: str
    sha256: str
    assumptions: tuple[str, ...] = ()
    proof: Literal["assumed", "measured"] = "assumed"
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class TensorSpec:
    """One input or output. `shape` has "batch" where the batch goes; `range` is closed, None if unbounded."""

    name: str
    dtype: str
    shape: tuple[int | str, ...]
    layout: str
    range: tuple[float, float] | None = None


@dataclass(frozen=True)
class BatchProfile:
    """Images per call that a file accepts (`min`..`max`) and is tuned for (`opt`)."""

    min: int = 1
    opt: int = 16
    max: int = 64

    def __post_init__(self) -> None:
        if not 1 <= self.min <= self.opt <= self.max:
            raise UsageError(
                f"Batch sizes must rise from 1: min {self.min}, opt {self.opt}, max {self.max} do not."
            )
        if self.max > LARGEST_BATCH:
            raise UsageError(f"{self.max} images per call are too many; {LARGEST_BATCH} at most.")


@dataclass(frozen=True)
class Cost:
    """Arithmetic, traffic and memory of one image, counted from the graph when it was exported.

    `weight_bytes` are read once for a batch; `image_bytes` are its latents and images; `activation_bytes` is
    what every operation reads and writes if nothing is fused; `peak_activation_bytes` is the most that lives
    at once. `uncounted` names operators that no rule covers; with any, the figures are too low.
    """

    flops: float
    weight_bytes: int
    image_bytes: float
    activation_bytes: float
    peak_activation_bytes: float
    uncounted: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        figures = dataclasses.astuple(self)[:-1]
        if not all(0 <= figure < 1e30 for figure in figures) or self.image_bytes == 0:
            raise ValueError("a cost is negative, too large, or without images")

    def minimum_bytes(self, batch: int) -> float:
        """Return the traffic that no fusion can avoid: weights once, latents in, images out."""
        return self.weight_bytes + batch * self.image_bytes

    def unfused_bytes(self, batch: int) -> float:
        """Return the traffic when every operation reads its inputs from memory and writes its outputs."""
        return self.weight_bytes + batch * self.activation_bytes


@dataclass(frozen=True)
class Golden:
    """PyTorch's images of the seeds 0 to `seeds` - 1, in a file beside the artifact (see `golden`)."""

    seeds: int
    sha256: str
    size: int


@dataclass(frozen=True)
class Verification:
    """One proof of an artifact on one device: verdict, figures and conditions. `date` is UTC, ISO 8601.

    `device` is "cpu" or "cuda:0" and `device_name` the processor's or the GPU's own name.
    """

    verdict: Literal["passed", "failed"]
    date: str
    against: Literal["golden images", "checkpoint"]
    seeds: int
    max_abs: float
    worst_psnr_db: float
    grey_levels: int
    missed: tuple[str, ...]
    backend: str
    version: str
    device: str
    device_name: str

    @property
    def conditions(self) -> tuple[str, str, str]:
        """Return what must be the same for the proof to hold: device, backend and its version."""
        return (self.device_name, self.backend, self.version)


@dataclass(frozen=True)
class Manifest:
    """The facts of one artifact. `sha256` is of the file as it lies on disk, `parent_sha256` of what it was
    made from (a checkpoint for an ONNX file, an ONNX file for an engine). `parity` is the verdict of the
    export with its numbers; `verified` are later proofs, the latest of each device.
    """

    kind: Kind
    architecture: Architecture
    precision: Precision
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    batch: BatchProfile
    parent_sha256: str
    builder: str
    versions: dict[str, str] = field(default_factory=dict)
    targets: tuple[str, ...] = ()
    built_on: dict[str, str] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)
    parity: dict[str, Any] = field(default_factory=dict)
    origin: Origin | None = None
    cost: Cost | None = None
    golden: Golden | None = None
    verified: tuple[Verification, ...] = ()
    sha256: str = ""
    size: int = 0

    @property
    def label(self) -> str:
        """Return what the names of files say of it: "fp16", or "fp16.uint8" where images are bytes."""
        return self.precision + file_suffix(self.outputs[0].dtype)

    def to_dict(self) -> dict[str, Any]:
        """Return the manifest as JSON values, with its schema version."""
        return {"schema_version": SCHEMA_VERSION, **dataclasses.asdict(self)}

    def to_json(self) -> str:
        """Return the manifest's text; the same manifest always gives the same."""
        return json.dumps(self.to_dict(), indent=2, sort_keys=True, allow_nan=False) + "\n"

    def sealed(self, data: bytes | memoryview) -> Manifest:
        """Return this manifest with the hash and size of the file content it belongs to."""
        return dataclasses.replace(self, sha256=sha256(data), size=len(data))

    def about_content(self) -> Manifest:
        """Return what the file can say of itself: all but its own hash and size, and later proofs."""
        return dataclasses.replace(self, sha256="", size=0, verified=())

    def with_verification(self, proof: Verification) -> Manifest:
        """Return this manifest with `proof`, which replaces an earlier one under the same conditions."""
        others = [each for each in self.verified if each.conditions != proof.conditions]
        return dataclasses.replace(self, verified=(proof, *others)[:VERIFICATIONS_KEPT])

    @classmethod
    def from_json(cls, text: str | bytes, origin: str) -> Manifest:
        """Return the manifest that `text` holds.

        Raises ArtifactError naming `origin` unless it is a whole one of a known schema.
        """
        return cls.from_facts(read_json(text, origin, limit=MANIFEST_LIMIT), origin)

    @classmethod
    def from_facts(cls, facts: Any, origin: str) -> Manifest:
        """Return the manifest of JSON that is already read. Raises as `from_json` does."""
        try:
            if not isinstance(facts, dict) or "schema_version" not in facts:
                raise ValueError("it has no schema version")
            version = facts["schema_version"]
            if version not in READABLE_SCHEMAS or isinstance(version, bool | float):
                known = f"{READABLE_SCHEMAS[0]} to {READABLE_SCHEMAS[-1]}"
                raise ArtifactError(
                    f"{origin} has manifest schema {str(version)[:20]}; this program reads {known}."
                )
            manifest = build(cls, {name: value for name, value in facts.items() if name != "schema_version"})
            _check(manifest)
            return manifest
        except (ValueError, UsageError) as error:
            raise ArtifactError(f"{origin} is not a dcgan-edge manifest ({error}).") from error


def _check(manifest: Manifest) -> None:
    """Raise ValueError for figures out of range, and tensors that are not the architecture's."""
    architecture = manifest.architecture
    architecture.check()
    if not len(manifest.inputs) == len(manifest.outputs) == 1:
        raise ValueError("inputs and outputs are not one tensor each")
    result = manifest.outputs[0]
    checked(Output, result.dtype, "outputs[0].dtype")
    checked(Layout if result.dtype == "uint8" else Literal["NCHW"], result.layout, "outputs[0].layout")
    expected = generator_tensors(architecture, result.dtype, result.layout)  # type: ignore[arg-type]
    for name, found, wanted in zip(
        ("inputs", "outputs"), (manifest.inputs[0], result), expected, strict=True
    ):
        alike = all(getattr(found, fact) == getattr(wanted, fact) for fact in ("dtype", "layout"))
        if not alike or found.shape[1:] != wanted.shape[1:] or not found.name:
            raise ValueError(f"{name} are not one {wanted.dtype} tensor of shape {wanted.shape}")
    for name, value in manifest.parity.items():
        checked(PARITY_FIGURES.get(name, Any), value, f"parity.{name}")
    if manifest.size < 0:
        raise ValueError("size is negative")
    if manifest.golden and not 1 <= manifest.golden.seeds <= 64:
        raise ValueError("golden.seeds is not 1 to 64")


def file_stem(target: str) -> str:
    """Return what the name of a file begins with whose graph is written for `target`: "generator" for any, so
    that the forms of one generator have a folder in common.
    """
    return "generator" if target == "any" else f"generator-{target}"


def file_suffix(dtype: str) -> str:
    """Return what stands after the precision in the name of a file with images of `dtype`."""
    return ".uint8" if dtype == "uint8" else ""


def generator_tensors(
    architecture: Architecture, output: Output = "float32", layout: Layout = "NCHW"
) -> tuple[TensorSpec, TensorSpec]:
    """Return the one input and the one output that every generator has, whatever its preset."""
    size, channels = architecture.size, architecture.channels
    shape = (channels, size, size) if layout == "NCHW" else (size, size, channels)
    reach = (0.0, 255.0) if output == "uint8" else (-1.0, 1.0)
    bounds = (-1.0, 1.0) if architecture.distribution == "uniform" else None
    return (
        TensorSpec("latents", "float32", ("batch", architecture.input_dim, 1, 1), "NCHW", bounds),
        TensorSpec("images", output, ("batch", *shape), layout, reach),
    )
