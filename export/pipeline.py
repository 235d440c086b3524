"""The whole export: checkpoint -> ONNX per precision -> parity with PyTorch -> engines.

Nothing is written before its parity was measured and found within the gate.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Container, Sequence
from pathlib import Path

import onnx

from dcgan_edge.artifact import (
    Artifact,
    BatchProfile,
    Golden,
    Manifest,
    Precision,
    embed_manifest,
    generator_tensors,
    write_artifact,
)
from dcgan_edge.errors import UsageError
from dcgan_edge.files import StrPath, check_writable
from dcgan_edge.golden import GOLDEN_SEEDS, pack_golden
from dcgan_edge.latents import FloatArray, latents
from dcgan_edge.runtime.device import installed_versions
from dcgan_edge.runtime.onnxruntime_session import OnnxRuntimeSession
from dcgan_edge.runtime.parity import verify

from .onnx.cost import count
from .onnx.graph import build_graph
from .onnx.precision import to_fp16
from .onnx.reference import TorchSession
from .tensorrt.build import build

PARITY_SEEDS = range(64)
BUILDER_LIBRARIES = ("dcgan-edge", "torch", "onnx", "onnxscript")


def export(
    checkpoint: StrPath,
    out: StrPath = "out",
    *,
    precisions: Sequence[Precision] = ("fp32", "fp16"),
    engine: bool = False,
    targets: Sequence[str] = (),
    keep_fp32: Sequence[str] = (),
    batch: BatchProfile | None = None,
    workspace: int | None = None,
    progress: Callable[[str], None] | None = None,
) -> list[Artifact]:
    """Write the generator of `checkpoint` into the folder `out`, verified, and return what was written.

    `precisions` are "fp32" and "fp16"; with layers in `keep_fp32` (names as in the graph, "ConvTranspose_2")
    the fp16 file is mixed. `engine` adds an engine, built from the fp16 or mixed file, which is then written
    too: for this GPU, or for `targets` such as "sm86" ahead of time. `batch` is what the files accept and are
    tuned for, `workspace` the bytes the engine's layers may use. `progress` is told each step.

    Raises UsageError and ArtifactError for the checkpoint, VerificationError when an ONNX file does not make
    PyTorch's images (nothing of that precision is written), UnavailableError without an engine builder.
    """
    wanted: tuple[Precision, ...] = (*precisions, *(("fp16",) if engine else ()))
    chosen = dict.fromkeys(wanted)
    _refuse_idle_options(chosen, engine=engine, targets=targets, workspace=workspace, keep_fp32=keep_fp32)
    check_writable(Path(out) / "generator.fp32.onnx")
    say = progress or (lambda step: None)
    reference = TorchSession(Path(checkpoint))
    profile = batch or BatchProfile()
    say("tracing the generator")
    graph = build_graph(reference.generator, reference.manifest.architecture, profile)
    half = to_fp16(graph, keep_fp32=keep_fp32) if "fp16" in chosen else graph  # refused before any is written
    facts, golden = pack_golden(reference.run(_golden_latents(reference.manifest)))
    written: list[Artifact] = []
    for name in chosen:
        precision: Precision = "mixed" if keep_fp32 and name == "fp16" else name
        model = graph if precision == "fp32" else half
        say(f"writing and verifying {precision} ONNX")
        path = Path(out) / f"generator.{precision}.onnx"
        manifest, data = _verified(model, precision, profile, reference, facts, path.name)
        written.append(Artifact(path, write_artifact(path, data, manifest, golden=golden)))
    if engine:
        say("building the engine")
        source = next(each.path for each in written if each.manifest.precision != "fp32")
        written.append(build(source, out, targets=targets, workspace=workspace))
    return written


def _refuse_idle_options(
    precisions: Container[str],
    *,
    engine: bool,
    targets: Sequence[str],
    workspace: int | None,
    keep_fp32: Sequence[str],
) -> None:
    """Raise UsageError for what would be ignored."""
    if targets and not engine:
        raise UsageError("A target is for engines; add --format engine.")
    if workspace is not None and not engine:
        raise UsageError("Workspace is memory of an engine's layers; add --format engine.")
    if keep_fp32 and "fp16" not in precisions:
        raise UsageError("Layers are kept in float32 of an fp16 file; add --precision fp16.")
    if "mixed" in precisions:
        raise UsageError("A mixed file is an fp16 one with layers that --keep-fp32 names.")


def _golden_latents(manifest: Manifest) -> FloatArray:
    return latents(GOLDEN_SEEDS, manifest.architecture.latent_dim, manifest.architecture.distribution)


def _verified(
    model: onnx.ModelProto,
    precision: Precision,
    batch: BatchProfile,
    reference: TorchSession,
    golden: Golden,
    name: str,
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
        cost=count(model),
        golden=golden,
    )
    data = model.SerializeToString(deterministic=True)
    with OnnxRuntimeSession(manifest, data, device="cpu") as candidate:
        parity = verify(reference, candidate, PARITY_SEEDS)
        parity.raise_if_failed(name)
        verdict = {**parity.to_dict(), "measured_on": candidate.facts.to_dict()}
    proven = dataclasses.replace(manifest, parity=verdict)
    return proven, embed_manifest(data, proven)
