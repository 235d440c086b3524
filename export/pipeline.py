"""The whole export: checkpoint -> ONNX per precision -> parity with PyTorch -> engines.

Nothing is written before its parity was measured and found within the gate.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from dcgan_edge.artifact import Artifact, BatchProfile, Layout, Output, Precision, Target
from dcgan_edge.files import StrPath

from .onnx.graph import build_graph
from .onnx.reference import TorchSession
from .writing import Making, Wanted, check_folder, write_generator


def export(
    checkpoint: StrPath,
    out: StrPath = "out",
    *,
    precisions: Sequence[Precision] = ("fp32", "fp16"),
    engine: bool = False,
    targets: Sequence[str] = (),
    keep_fp32: Sequence[str] = (),
    keep_fp16: Sequence[str] = (),
    batch: BatchProfile | None = None,
    workspace: int | None = None,
    target: Target = "any",
    output: Output = "float32",
    layout: Layout = "NCHW",
    progress: Callable[[str], None] | None = None,
) -> list[Artifact]:
    """Write the generator of `checkpoint` into the folder `out`, verified, and return what was written.

    `precisions` are "fp32", "fp16" and "int8"; with layers in `keep_fp32` (names as in the graph,
    "ConvTranspose_2") the fp16 file is mixed, and they are float32 in the int8 file too; those in `keep_fp16`
    are half there. `engine` adds engines, built from the fp16, mixed and int8 files (the fp16 file is written
    where there would be none): for this GPU, or for `targets` such as "sm86" ahead of time. `batch` is what
    the files accept and are tuned for, `workspace` the bytes the engines' layers may use. `target` is the
    runtime that their graph is written for, or "any". With `output` "uint8" the graph gives pixels 0..255, in
    the `layout` "NCHW" or "NHWC", instead of floats in [-1, 1]. `progress` is told each step.

    Raises UsageError and ArtifactError for the checkpoint, VerificationError when an ONNX file does not make
    PyTorch's images, or int8 not their distribution (nothing of that precision is written), UnavailableError
    without an engine builder.
    """
    wanted = Wanted(
        tuple(precisions), engine, tuple(targets), tuple(keep_fp32), workspace, tuple(keep_fp16), target,
        output, layout,
    )  # fmt: skip
    check_folder(Path(out))
    say = progress or (lambda step: None)
    reference = TorchSession(Path(checkpoint))
    profile = batch or BatchProfile()
    say("tracing the generator")
    graph = build_graph(reference.generator, reference.manifest.architecture, profile)
    return write_generator(graph, reference, Path(out), wanted, batch=profile, making=Making(), progress=say)
