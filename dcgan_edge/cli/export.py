"""`dcgan-edge export`: a checkpoint to verified ONNX files and engines."""

from __future__ import annotations

from pathlib import Path

import click

from dcgan_edge.artifact import Precision
from dcgan_edge.cli import json_option, print_json
from dcgan_edge.cli.options import SIZE, batch_options, targets_option
from dcgan_edge.cli.progress import steps


@click.command("export")
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path), default="out", show_default=True, help="Folder to write into."
)
@click.option(
    "--precision",
    "precisions",
    type=click.Choice(["fp32", "fp16"]),
    multiple=True,
    default=("fp32", "fp16"),
    show_default=True,
    help="Precision of an ONNX file to write; may be given several times.",
)
@click.option(
    "--format",
    "formats",
    type=click.Choice(["onnx", "engine"]),
    multiple=True,
    default=("onnx",),
    show_default=True,
    help="Kind of file to write; an engine is built from the fp16 ONNX file.",
)
@targets_option
@batch_options
@click.option("--workspace", type=SIZE, help="Memory the engine's layers may use, such as 256MiB.")
@click.option(
    "--keep-fp32",
    "keep_fp32",
    multiple=True,
    metavar="LAYER",
    help="Layer of the fp16 file to compute in float32, such as ConvTranspose_2; may be given several times.",
)
@json_option
def command(
    checkpoint: Path,
    out: Path,
    precisions: tuple[Precision, ...],
    formats: tuple[str, ...],
    targets: tuple[str, ...],
    min_batch: int,
    opt_batch: int,
    max_batch: int,
    workspace: int | None,
    keep_fp32: tuple[str, ...],
    as_json: bool,
) -> None:
    """Write the averaged generator of CHECKPOINT as ONNX files, each verified against PyTorch.

    With --format engine, also as an engine that is built from a verified file. It is verified itself where
    it runs: dcgan-edge verify.

    \b
    dcgan-edge export runs/digits/checkpoint.safetensors --out out
    dcgan-edge export runs/digits/checkpoint.safetensors --precision fp16 --format engine --target sm86
    """
    from dcgan_edge.artifact import BatchProfile
    from dcgan_edge.cli.tables import artifact_table, show
    from dcgan_edge.export.pipeline import export

    with steps() as say:
        written = export(
            checkpoint,
            out,
            precisions=precisions,
            engine="engine" in formats,
            targets=targets,
            keep_fp32=keep_fp32,
            batch=BatchProfile(min_batch, opt_batch, max_batch),
            workspace=workspace,
            progress=say,
        )
    if as_json:
        print_json({"files": [artifact.to_dict() for artifact in written]})
    else:
        show(artifact_table([(artifact.path, artifact.manifest) for artifact in written]))
