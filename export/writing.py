"""From a float32 graph to artifacts with proof: the same way for every generator, wherever its graph is from.

Nothing is written before its parity with the reference was measured and found within the gate. Needs no
torch: the reference is any session.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import onnx

from dcgan_edge.artifact import (
    LAYOUTS,
    OUTPUTS,
    TARGETS,
    Architecture,
    Artifact,
    BatchProfile,
    Golden,
    Layout,
    Manifest,
    Output,
    Precision,
    Target,
    embed_manifest,
    file_stem,
    file_suffix,
    generator_tensors,
    write_artifact,
)
from dcgan_edge.classes import seeds_over
from dcgan_edge.errors import UsageError, VerificationError
from dcgan_edge.files import check_writable
from dcgan_edge.golden import golden_seeds, pack_golden
from dcgan_edge.runtime.device import installed_versions
from dcgan_edge.runtime.onnxruntime_session import OnnxRuntimeSession
from dcgan_edge.runtime.parity import GATES, Gate, Parity, compare_run
from dcgan_edge.runtime.session import Session

from .distribution import ReferenceImages
from .int8 import Quantised, advice, to_int8
from .onnx.calibration import Method
from .onnx.cost import count
from .onnx.for_target import for_target
from .onnx.operators import refuse_operators
from .onnx.overflow import half_overflow
from .onnx.precision import to_fp16
from .onnx.trial import try_to_load
from .onnx.uint8 import with_uint8
from .readme import write_readme
from .tensorrt.build import build

PARITY_SEEDS = 64
PARITY_BYTES = 2**28  # of reference images that are held at once; there are fewer seeds for very large ones


@dataclass(frozen=True)
class Wanted:
    """What is to be written of a generator.

    `precisions` are "fp32", "fp16" and "int8"; with nodes in `keep_fp32` the fp16 file is mixed, and they
    stay float32 in the int8 file as well; those in `keep_fp16` are half there. `engine` adds engines for this
    GPU, or for `targets`, built from the fp16, mixed and int8 files, and the fp16 file where there is none
    of them; `workspace` is the bytes their layers may use. `target` is what the graph is written for
    (`for_target`), `output` what the images are, `layout` the order of their axes, NHWC of uint8 alone.
    `stem` is what the names of the files begin with ("": what the target says), `calibration` the only method
    of INT8 to try.
    """

    precisions: tuple[Precision, ...] = ("fp32", "fp16")
    engine: bool = False
    targets: tuple[str, ...] = ()
    keep_fp32: tuple[str, ...] = ()
    workspace: int | None = None
    keep_fp16: tuple[str, ...] = ()
    target: Target = "any"
    output: Output = "float32"
    layout: Layout = "NCHW"
    stem: str = ""
    calibration: Method | None = None

    def __post_init__(self) -> None:
        """Raise UsageError for what would be ignored, and for a target that is none."""
        if self.target not in TARGETS:
            raise UsageError(f"{self.target!r} is no target of a graph; those are {', '.join(TARGETS)}.")
        if self.output not in OUTPUTS or self.layout not in LAYOUTS:
            raise UsageError(f"Images are {' or '.join(OUTPUTS)} in {' or '.join(LAYOUTS)}.")
        if self.output == "float32" and self.layout != "NCHW":
            raise UsageError("Float images are NCHW; the layout is for bytes: add --output uint8.")
        if self.targets and not self.engine:
            raise UsageError("A target is for engines; add --format engine.")
        if self.engine and self.target not in ("any", "tensorrt"):
            raise UsageError(f"An engine is for TensorRT, not for {self.target}; leave --for out.")
        if self.workspace is not None and not self.engine:
            raise UsageError("Workspace is memory of an engine's layers; add --format engine.")
        if self.keep_fp32 and not self.half and "int8" not in self.precisions:
            raise UsageError("Layers are kept in float32 of an fp16 or int8 file; add --precision fp16.")
        if self.keep_fp16 and "int8" not in self.precisions:
            raise UsageError("Layers are kept in half precision of an int8 file; add --precision int8.")
        if "mixed" in self.precisions:
            raise UsageError("A mixed file is an fp16 one with layers that --keep-fp32 names.")
        if unknown := sorted(set(self.precisions) - set(GATES)):
            raise UsageError(f"There is no precision {', '.join(unknown)}; there are fp32, fp16 and int8.")

    @property
    def half(self) -> bool:
        """Whether an fp16 or mixed file is written."""
        return "fp16" in self.precisions or (self.engine and "int8" not in self.precisions)

    @property
    def files(self) -> tuple[Precision, ...]:
        """The precisions of the ONNX files to write, in order, each once."""
        chosen: dict[Precision, None] = dict.fromkeys(self.precisions)
        if self.half:
            chosen["fp16"] = None
        return tuple("mixed" if self.keep_fp32 and each == "fp16" else each for each in chosen)


@dataclass(frozen=True)
class Making:
    """How a graph was made: the `reference` in words, the `builder` and the `libraries` it is from, a `gate`
    where that of the precision does not fit the reference, and further `notes` for the manifest.
    """

    reference: str = "PyTorch"
    builder: str = "torch.onnx"
    libraries: tuple[str, ...] = ("dcgan-edge", "torch", "onnx", "onnxscript")
    gate: Gate | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)


def check_folder(out: Path) -> None:
    """Raise EdgeError unless artifacts can be written into the folder `out`. Nothing is made."""
    check_writable(out / "generator.fp32.onnx")


def write_generator(
    graph: onnx.ModelProto,
    reference: Session,
    out: Path,
    wanted: Wanted,
    *,
    batch: BatchProfile,
    making: Making,
    progress: Callable[[str], None],
) -> list[Artifact]:
    """Write the generator `graph` into the folder `out` as `wanted` says, verified against `reference`.

    `graph` is float32 and checked, with the tensors of `generator_tensors` for the architecture of the
    reference's manifest, whose hash is the files' parent and whose origin they keep. `batch` is what the
    graph accepts.

    Raises ArtifactError for operators that no artifact may have, EdgeError when the graph cannot be made
    half, VerificationError when a file does not make the reference's images (nothing of that precision is
    written, and where half precision overflows, the nodes are named), UnavailableError without a builder.
    """
    refuse_operators(graph)
    graph, rewrites = for_target(graph, wanted.target)
    making = dataclasses.replace(
        making, notes={**making.notes, "for": wanted.target, "rewrites": list(rewrites)}
    )
    models: dict[Precision, onnx.ModelProto | Quantised] = {"fp32": graph}  # all, before any is written
    if wanted.half:
        models["mixed" if wanted.keep_fp32 else "fp16"] = to_fp16(graph, keep_fp32=wanted.keep_fp32)
    if "int8" in wanted.files:
        models["int8"] = to_int8(
            graph,
            reference.manifest.architecture,
            target=wanted.target,
            keep_fp32=wanted.keep_fp32,
            keep_fp16=wanted.keep_fp16,
            methods=(wanted.calibration,) if wanted.calibration else None,
            progress=progress,
        )
    proof = _Proof(graph, reference, wanted, batch, making)
    written: list[Artifact] = []
    for precision in wanted.files:
        progress(f"writing and verifying {precision} ONNX")
        stem = wanted.stem or file_stem(wanted.target)
        path = out / f"{stem}.{precision}{file_suffix(wanted.output)}.onnx"
        manifest, data = proof.verified(models[precision], precision, path.name)
        written.append(Artifact(path, write_artifact(path, data, manifest, golden=proof.golden[1])))
    write_readme(out, written)
    if wanted.engine:
        for source in [each.path for each in written if each.manifest.precision != "fp32"]:
            progress(f"building the engine of {source.name}")
            written.append(build(source, out, targets=wanted.targets, workspace=wanted.workspace))
    return written


class _Proof:
    """The reference's images of the parity seeds, made once, and what each file is held against."""

    def __init__(
        self,
        graph: onnx.ModelProto,
        reference: Session,
        wanted: Wanted,
        batch: BatchProfile,
        making: Making,
    ) -> None:
        architecture = reference.manifest.architecture
        self._graph, self._reference, self._batch, self._making = graph, reference, batch, making
        self._wanted = wanted
        self._seeds = _parity_seeds(architecture)
        self._latents = architecture.inputs(self._seeds)
        self._images = reference.run(self._latents)
        self.golden: tuple[Golden, bytes] = pack_golden(self._images[: len(golden_seeds(architecture))])

    def verified(
        self, made: onnx.ModelProto | Quantised, precision: Precision, name: str
    ) -> tuple[Manifest, bytes]:
        """Return the manifest with its parity, and the file content that carries it."""
        model = made.model if isinstance(made, Quantised) else made
        if self._wanted.output == "uint8":
            model = with_uint8(model, self._wanted.layout)
        manifest = self._manifest(model, precision, made.notes() if isinstance(made, Quantised) else {})
        if precision != "fp32" and manifest.cost is not None:
            values = manifest.cost.activation_bytes
            whole = made.trial.graph if isinstance(made, Quantised) else self._graph  # in the form of `model`
            if overflow := half_overflow(whole, model, self._latents, values):
                raise VerificationError(f"{name} is not written. {overflow}")
        data = model.SerializeToString(deterministic=True)
        if manifest.origin is not None and manifest.origin.kind != "import":
            try_to_load(data, name)
        with OnnxRuntimeSession(manifest, data, device="cpu") as candidate:
            gate = GATES[precision] if precision == "int8" else self._making.gate or GATES[precision]
            parity = compare_run(self._images, candidate, self._latents, self._seeds, gate)
            facts = candidate.facts.to_dict()
            verdict = {"reference": self._making.reference, "measured_on": facts}
            if isinstance(made, Quantised):
                found = ReferenceImages(self._reference).compare(candidate)
                parity = dataclasses.replace(parity, missed=(*parity.missed, *found.missed))
                verdict["distribution"] = found.to_dict()
        self._raise_if_failed(parity, made, name)
        proven = dataclasses.replace(manifest, parity={**parity.to_dict(), **verdict})
        return proven, embed_manifest(data, proven)

    def _raise_if_failed(self, parity: Parity, made: onnx.ModelProto | Quantised, name: str) -> None:
        """Raise VerificationError for a gate that was missed, with what to try where the file is INT8."""
        try:
            parity.raise_if_failed(name, self._making.reference)
        except VerificationError as error:
            if not isinstance(made, Quantised):
                raise
            raise VerificationError(f"{error} {advice(made)}") from error

    def _manifest(self, model: onnx.ModelProto, precision: Precision, notes: Mapping[str, Any]) -> Manifest:
        reference, making = self._reference.manifest, self._making
        source, result = generator_tensors(reference.architecture, self._wanted.output, self._wanted.layout)
        return Manifest(
            kind="onnx",
            architecture=reference.architecture,
            precision=precision,
            inputs=(source,),
            outputs=(result,),
            batch=self._batch,
            parent_sha256=reference.sha256,
            builder=making.builder,
            versions=installed_versions(making.libraries),
            notes={
                "opset": model.opset_import[0].version,
                "ir_version": model.ir_version,
                **making.notes,
                **notes,
            },
            origin=reference.origin,
            cost=count(model),
            golden=self.golden[0],
        )


def _parity_seeds(architecture: Architecture) -> range:
    """The seeds to compare: 64, or one of each class; fewer of images so large that they would not fit."""
    image = 4 * architecture.channels * architecture.size**2
    seeds = seeds_over(architecture, PARITY_SEEDS)
    return seeds[: max(len(golden_seeds(architecture)), PARITY_BYTES // image)]
