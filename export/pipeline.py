"""The whole export: checkpoint -> ONNX per precision -> parity with PyTorch -> engines.

Nothing is written before its parity was measured and found within the gate.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import onnx

from dcgan_edge.artifact import (
    BatchProfile,
    Manifest,
    Precision,
    embed_manifest,
    generator_tensors,
    write_artifact,
)
from dcgan_edge.errors import UsageError
from dcgan_edge.runtime.device import installed_versions
from dcgan_edge.runtime.onnxruntime_session import OnnxRuntimeSession
from dcgan_edge.runtime.parity import verify

from .onnx.graph import build_graph
from .onnx.precision import to_fp16
from .onnx.reference import TorchSession
from .tensorrt.build import build_engine

PARITY_SEEDS = range(64)
BUILDER_LIBRARIES = ("dcgan-edge", "torch", "onnx", "onnxscript")


@dataclass(frozen=True)
class ExportPlan:
    """What to export. `targets` are for engines built ahead of time, such as "sm86"; `workspace` is in bytes,
    None for the builder's choice. With `keep_fp32`, the names of layers that stay float32, "mixed" files take
    the place of "fp16" ones.
    """

    precisions: tuple[Precision, ...] = ("fp32", "fp16")
    engine: bool = False
    targets: tuple[str, ...] = ()
    batch: BatchProfile = field(default_factory=BatchProfile)
    workspace: int | None = None
    keep_fp32: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.targets and not self.engine:
            raise UsageError("A target is for engines; add --format engine.")
        if self.keep_fp32 and not self.engine and "fp16" not in self.precisions:
            raise UsageError("Layers are kept in float32 in a half-precision file; add --precision fp16.")

    @property
    def half(self) -> Precision:
        """The precision of the file that an engine is built from."""
        return "mixed" if self.keep_fp32 else "fp16"


def export_checkpoint(
    checkpoint: Path, folder: Path, plan: ExportPlan, *, progress: Callable[[str], None] | None = None
) -> list[tuple[Path, Manifest]]:
    """Write `generator.<precision>.onnx`, and engines if planned, into `folder`; return what was written.

    An engine is built from the fp16 file, or the mixed one that takes its place, which is then written too.
    `progress` is told each step.

    Raises UsageError and ArtifactError for the checkpoint, UsageError for a layer that it does not have,
    VerificationError when an ONNX file does not make PyTorch's images (nothing of that precision is written),
    UnavailableError without an engine builder.
    """
    say = progress or (lambda step: None)
    reference = TorchSession(checkpoint)
    architecture = reference.manifest.architecture
    say("tracing the generator")
    graph = build_graph(reference.generator, architecture, plan.batch)
    wanted: tuple[Precision, ...] = (*plan.precisions, *(("fp16",) if plan.engine else ()))
    precisions = dict.fromkeys(plan.half if name == "fp16" else name for name in wanted)
    written = []
    for precision in precisions:
        say(f"writing and verifying {precision} ONNX")
        model = graph if precision == "fp32" else to_fp16(graph, keep_fp32=plan.keep_fp32)
        path = folder / f"generator.{precision}.onnx"
        manifest, data = _verified(model, precision, plan.batch, reference, path.name)
        written.append((path, write_artifact(path, data, manifest)))
    if plan.engine:
        say("building the engine")
        source = folder / f"generator.{plan.half}.onnx"
        written.append(
            build_engine(source, folder, targets=plan.targets, batch=plan.batch, workspace=plan.workspace)
        )
    return written


def _verified(
    model: onnx.ModelProto, precision: Precision, batch: BatchProfile, reference: TorchSession, name: str
) -> tuple[Manifest, bytes]:
    """The manifest with its parity, and the file content that carries it."""
    architecture = reference.manifest.architecture
    source, result = generator_tensors(architecture)
    manifest = Manifest(
        kind="onnx",
        architecture=architecture,
        precision=precision,
        inputs=(source,),
        outputs=(result,),
        batch=batch,
        parent_sha256=reference.manifest.sha256,
        builder="torch.onnx",
        versions=installed_versions(BUILDER_LIBRARIES),
        notes={"opset": model.opset_import[0].version, "ir_version": model.ir_version},
    )
    data = model.SerializeToString(deterministic=True)
    with OnnxRuntimeSession(manifest, data, device="cpu") as candidate:
        parity = verify(reference, candidate, PARITY_SEEDS)
        parity.raise_if_failed(name)
        verdict = {**parity.to_dict(), "measured_on": candidate.facts.to_dict()}
    proven = dataclasses.replace(manifest, parity=verdict)
    return proven, embed_manifest(data, proven)
