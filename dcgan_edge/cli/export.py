"""`dcgan-edge export`: a checkpoint, or somebody's own module, to verified ONNX files and engines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from dcgan_edge.artifact import Layout, Output, Precision, Target
from dcgan_edge.cli import json_option, print_json
from dcgan_edge.cli.module_options import ModuleOptions, module_options
from dcgan_edge.cli.options import SIZE, batch_options, for_option, output_options, targets_option
from dcgan_edge.cli.progress import steps


@click.command("export")
@click.argument("checkpoint", type=click.Path(path_type=Path), required=False)
@module_options
@click.option(
    "--out", type=click.Path(path_type=Path), default="out", show_default=True, help="Folder to write into."
)
@click.option(
    "--precision",
    "precisions",
    type=click.Choice(["fp32", "fp16", "int8"]),
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
    help="Kind of file to write; engines are built from the fp16 and int8 ONNX files.",
)
@for_option
@output_options
@targets_option
@batch_options
@click.option("--workspace", type=SIZE, help="Memory the engine's layers may use, such as 256MiB.")
@click.option(
    "--keep-fp32",
    "keep_fp32",
    multiple=True,
    metavar="LAYER",
    help="Layer of the fp16 and int8 files to compute in float32, such as ConvTranspose_2; may be given "
    "several times.",
)
@click.option(
    "--keep-fp16",
    "keep_fp16",
    multiple=True,
    metavar="LAYER",
    help="Layer of the int8 file to compute in half precision; may be given several times.",
)
@json_option
def command(
    checkpoint: Path | None, module: ModuleOptions | None, out: Path, precisions: tuple[Precision, ...],
    formats: tuple[str, ...], target: Target, output: Output, layout: Layout, targets: tuple[str, ...],
    min_batch: int, opt_batch: int, max_batch: int, workspace: int | None, keep_fp32: tuple[str, ...],
    keep_fp16: tuple[str, ...], as_json: bool,
) -> None:  # fmt: skip
    """Write the averaged generator of CHECKPOINT as ONNX files, each verified against PyTorch.

    With --module, a torch.nn.Module of your own in its place: latents (batch, N) or (batch, N, 1, 1) in,
    square images out. THIS RUNS ITS CODE in this process, to make it, to trace it and as the reference. With
    --classes it takes a class as well, as its number or one-hot; how it is called is found by trying.

    With --format engine, also as an engine that is built from a verified file. It is verified itself where
    it runs: dcgan-edge verify.

    \b
    dcgan-edge export runs/digits/checkpoint.safetensors --out out
    dcgan-edge export runs/digits/checkpoint.safetensors --precision fp16 --format engine --target sm86
    dcgan-edge export runs/digits/checkpoint.safetensors --precision int8 --keep-fp32 ConvTranspose_0
    dcgan-edge export --module nets:Generator --weights netG.pth --latent-dim 128 --out out
    """
    from dcgan_edge.cli.tables import artifact_table, show

    if (checkpoint is None) == (module is None):
        raise click.UsageError("Give a CHECKPOINT, or a module of your own by --module: one of the two.")
    from dcgan_edge.artifact import BatchProfile
    from dcgan_edge.export.foreign.module import export_module
    from dcgan_edge.export.pipeline import export

    with steps() as say:
        settings: dict[str, Any] = {
            "precisions": precisions,
            "engine": "engine" in formats,
            "targets": targets,
            "keep_fp32": keep_fp32,
            "keep_fp16": keep_fp16,
            "batch": BatchProfile(min_batch, opt_batch, max_batch),
            "workspace": workspace,
            "target": target,
            "output": output,
            "layout": layout,
            "progress": say,
        }
        if module is not None:
            written = export_module(
                module.module, out, latent_dim=module.latent_dim, arguments=module.module_args,
                weights=module.weights, key=module.key, classes=module.classes or 0,
                distribution=module.distribution or "normal", value_range=module.value_range, **settings,
            )  # fmt: skip
        elif checkpoint is not None:
            written = export(checkpoint, out, **settings)
    if as_json:
        print_json({"files": [artifact.to_dict() for artifact in written]})
    else:
        show(artifact_table([(artifact.path, artifact.manifest) for artifact in written]))
        origin = written[0].manifest.origin
        for sentence in (*origin.notes, *origin.assumptions) if module and origin else ():
            click.echo(sentence)
