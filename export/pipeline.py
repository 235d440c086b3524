"""The whole export: a generator -> ONNX per precision -> parity with its reference -> engines.

Nothing is written before its parity was measured and found within the gate. `export` is for checkpoints;
`write_generator` is what every way into an artifact ends with, whatever the graph came from.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
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
from dcgan_edge.runtime.session import Session

from .onnx.cost import count
from .onnx.graph import build_graph
from .onnx.precision import to_fp16
from .onnx.reference import TorchSession
from .tensorrt.build import build

PARITY_SEEDS = range(64)
TORCH_LIBRARIES = ("dcgan-edge", "torch", "onnx", "onnxscript")
Progress = Callable[[str], None]


@dataclass(frozen=True)
class ExportOptions:
    """Which files an export writes.

    `precisions` are "fp32" and "fp16"; with layers in `keep_fp32` (names as in the graph, "ConvTranspose_2")
    the fp16 file is mixed. `engine` adds an engine, built from the fp16 or mixed file, which is then written
    too: for this GPU, or for `targets` such as "sm86" ahead of time. `batch` is what the files accept and are
    tuned for, `workspace` the bytes the engine's layers may use.

    Raises UsageError for what would be ignored.
    """

    precisions: Sequence[Precision] = ("fp32", "fp16")
    engine: bool = False
    targets: Sequence[str] = ()
    keep_fp32: Sequence[str] = ()
    batch: BatchProfile = dataclasses.field(default_factory=BatchProfile)
    workspace: int | None = None

    def __post_init__(self) -> None:
        if self.targets and not self.engine:
            raise UsageError("A target is for engines; add --format engine.")
        if self.workspace is not None and not self.engine:
            raise UsageError("Workspace is memory of an engine's layers; add --format engine.")
        if self.keep_fp32 and "fp16" not in self.chosen:
            raise UsageError("Layers are kept in float32 of an fp16 file; add --precision fp16.")
        if "mixed" in self.chosen:
            raise UsageError("A mixed file is an fp16 one with layers that --keep-fp32 names.")

    @property
    def chosen(self) -> tuple[Precision, ...]:
        """Return the precisions of the ONNX files, each once; an engine needs the fp16 one."""
        wanted: tuple[Precision, ...] = (*self.precisions, *(("fp16",) if self.engine else ()))
        return tuple(dict.fromkeys(wanted))


@dataclass(frozen=True)
class Traced:
    """A float32 graph and the session whose images it has to make; `builder` and `libraries` made it.

    The manifest of `reference` holds the architecture, and the hash of what all this came from.
    """

    graph: onnx.ModelProto
    reference: Session
    builder: str = "torch.onnx"
    libraries: tuple[str, ...] = TORCH_LIBRARIES


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
    progress: Progress | None = None,
) -> list[Artifact]:
    """Write the generator of `checkpoint` into the folder `out`, verified, and return what was written.

    `progress` is told each step; the other options are those of `ExportOptions`.

    Raises UsageError and ArtifactError for the checkpoint, VerificationError when an ONNX file does not make
    PyTorch's images (nothing of that precision is written), UnavailableError without an engine builder.
    """
    options = ExportOptions(precisions, engine, targets, keep_fp32, batch or BatchProfile(), workspace)
    check_writable(Path(out) / "generator.fp32.onnx")
    say = progress or (lambda step: None)
    reference = TorchSession(Path(checkpoint))
    say("tracing the generator")
    graph = build_graph(reference.generator, reference.manifest.architecture, options.batch)
    return write_generator(Traced(graph, reference), Path(out), options, say)


def write_generator(traced: Traced, out: Path, options: ExportOptions, say: Progress) -> list[Artifact]:
    """Write `traced` into the folder `out` in every precision chosen, each verified, and return the files.

    Raises VerificationError when an ONNX file does not make the reference's images (nothing of that precision
    is written), EdgeError when the graph cannot be half precision, UnavailableError without an engine
    builder.
    """
    reference, graph = traced.reference, traced.graph
    half = to_fp16(graph, keep_fp32=options.keep_fp32) if "fp16" in options.chosen else graph  # may refuse
    facts, golden = pack_golden(reference.run(_golden_latents(reference.manifest)))
    written: list[Artifact] = []
    for name in options.chosen:
        precision: Precision = "mixed" if options.keep_fp32 and name == "fp16" else name
        model = graph if precision == "fp32" else half
        say(f"writing and verifying {precision} ONNX")
        path = out / f"generator.{precision}.onnx"
        manifest, data = _verified(traced, model, precision, options.batch, facts, path.name)
        written.append(Artifact(path, write_artifact(path, data, manifest, golden=golden)))
    if options.engine:
        say("building the engine")
        source = next(each.path for each in written if each.manifest.precision != "fp32")
        written.append(build(source, out, targets=options.targets, workspace=options.workspace))
    return written


def _golden_latents(manifest: Manifest) -> FloatArray:
    return latents(GOLDEN_SEEDS, manifest.architecture.latent_dim, manifest.architecture.distribution)


def _verified(
    traced: Traced,
    model: onnx.ModelProto,
    precision: Precision,
    batch: BatchProfile,
    golden: Golden,
    name: str,
) -> tuple[Manifest, bytes]:
    """The manifest with its parity, and the file content that carries it."""
    architecture = traced.reference.manifest.architecture
    source, result = generator_tensors(architecture)
    manifest = Manifest(
        kind="onnx",
        architecture=architecture,
        precision=precision,
        inputs=(source,),
        outputs=(result,),
        batch=batch,
        parent_sha256=traced.reference.manifest.sha256,
        builder=traced.builder,
        versions=installed_versions(traced.libraries),
        notes={"opset": model.opset_import[0].version, "ir_version": model.ir_version},
        cost=count(model),
        golden=golden,
    )
    data = model.SerializeToString(deterministic=True)
    with OnnxRuntimeSession(manifest, data, device="cpu") as candidate:
        parity = verify(traced.reference, candidate, PARITY_SEEDS)
        parity.raise_if_failed(name)
        verdict = {**parity.to_dict(), "measured_on": candidate.facts.to_dict()}
    proven = dataclasses.replace(manifest, parity=verdict)
    return proven, embed_manifest(data, proven)
