"""`dcgan-edge adopt`: an ONNX file of another program to verified artifacts."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import click

from dcgan_edge.architecture import LARGEST
from dcgan_edge.artifact import BatchProfile
from dcgan_edge.cli import Command, json_option, print_json
from dcgan_edge.cli.foreign_options import CLASSES, RANGE
from dcgan_edge.cli.options import SIZE, for_option, output_options, targets_option
from dcgan_edge.cli.progress import steps
from dcgan_edge.latents import Distribution

BATCH = click.IntRange(min=1)
OPTIONS = (
    click.option(
        "--out",
        type=click.Path(path_type=Path),
        default="out",
        show_default=True,
        help="Folder to write into.",
    ),
    click.option(
        "--precision",
        "precisions",
        type=click.Choice(["fp32", "fp16", "int8"]),
        multiple=True,
        default=("fp32", "fp16"),
        show_default=True,
        help="Precision of an ONNX file to write; may be given several times.",
    ),
    click.option(
        "--format",
        "formats",
        type=click.Choice(["onnx", "engine"]),
        multiple=True,
        default=("onnx",),
        show_default=True,
        help="Kind of file to write; engines are built from the fp16 and int8 ONNX files.",
    ),
    for_option,
    output_options,
    targets_option,
    click.option("--min-batch", type=BATCH, help="Smallest number of images per call. [default: 1]"),
    click.option("--opt-batch", type=BATCH, help="Number of images per call to tune for. [default: 16]"),
    click.option("--max-batch", type=BATCH, help="Largest number of images per call. [default: 64]"),
    click.option("--workspace", type=SIZE, help="Memory the engine's layers may use, such as 256MiB."),
    click.option(
        "--keep-fp32",
        "keep_fp32",
        multiple=True,
        metavar="NODE",
        help="Node of the fp16 and int8 files to compute in float32, by its name in the graph; may be given "
        "several times.",
    ),
    click.option(
        "--keep-fp16",
        "keep_fp16",
        multiple=True,
        metavar="NODE",
        help="Node of the int8 file to compute in half precision; may be given several times.",
    ),
    click.option(
        "--range",
        "value_range",
        type=RANGE,
        metavar="LOW..HIGH",
        help="Black and white of the images: -1..1, 0..1 or 0..255. [default: by the graph's end, or "
        "measured]",
    ),
    click.option(
        "--distribution",
        type=click.Choice(get_args(Distribution)),
        help="Distribution of the latents. [default: normal, as an assumption]",
    ),
    click.option(
        "--latent-dim",
        type=click.IntRange(1, LARGEST["latent_dim"]),
        help="Number of components of the latents, where the file leaves it open.",
    ),
    click.option("--output-name", help="Output that holds the images, where there are several."),
    click.option("--class-input", help="Input that takes the class. [default: told by type and name]"),
    click.option(
        "--classes",
        type=CLASSES,
        default="0",
        metavar="N|NAMES",
        help="Number of classes, or their names: cat,dog.",
    ),
    json_option,
)


def _options(command: Command) -> Command:
    for option in reversed(OPTIONS):
        command = option(command)
    return command


@click.command("adopt")
@click.argument("model", type=click.Path(path_type=Path))
@_options
def command(
    model: Path,
    formats: tuple[str, ...],
    min_batch: int | None,
    opt_batch: int | None,
    max_batch: int | None,
    as_json: bool,
    **asked: Any,
) -> None:
    """Make artifacts of the generator in MODEL, an ONNX file of another program, each verified against it.

    Weights in files beside it are brought in, its opset is converted to 18, its batch is freed where the
    graph allows it, and input and output become those of every artifact. Nothing in it is executed but
    operators of ONNX itself.

    \b
    dcgan-edge adopt stranger.onnx --out out
    dcgan-edge adopt stranger.onnx --out out --range 0..255 --output-name images
    dcgan-edge adopt stranger.onnx --class-input label --classes cat,dog --format engine --target sm86
    """
    from dcgan_edge.cli.tables import artifact_table, show
    from dcgan_edge.export.foreign.adopt import adopt

    batch = _batch(min_batch, opt_batch, max_batch)
    with steps() as say:
        written = adopt(model, engine="engine" in formats, batch=batch, progress=say, **asked)
    if as_json:
        print_json({"files": [artifact.to_dict() for artifact in written]})
        return
    show(artifact_table([(artifact.path, artifact.manifest) for artifact in written]))
    origin = written[0].manifest.origin
    if origin is not None:
        click.echo(f"Reference: the ONNX file {origin.file} in ONNX Runtime, not PyTorch.", err=True)
        click.echo(" ".join(origin.notes), err=True)
        if origin.assumptions:
            click.echo(f"Assumed: {'; '.join(origin.assumptions)}.", err=True)


def _batch(low: int | None, best: int | None, high: int | None) -> BatchProfile | None:
    """The batches asked for, None where nothing was said. Raises UsageError unless they rise."""
    if (low, best, high) == (None, None, None):
        return None
    usual = BatchProfile()
    least = usual.min if low is None else low
    most = max(usual.max, least) if high is None else high
    return BatchProfile(least, min(max(usual.opt, least), most) if best is None else best, most)
