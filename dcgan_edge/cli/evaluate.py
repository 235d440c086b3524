"""`dcgan-edge eval`: how good the images of generators are, side by side, and the real-data baseline beside
them.
"""

from __future__ import annotations

from pathlib import Path

import click

from dcgan_edge.cli import Command, json_option, print_json
from dcgan_edge.cli.options import backend_option, device_option, seeds_option, threads_option
from dcgan_edge.cli.progress import steps
from dcgan_edge.evaluation.extractor import Features
from dcgan_edge.runtime.device import Backend


def features_options(command: Command) -> Command:
    """Add --features and --weights: what images are compared by."""
    command = click.option(
        "--weights",
        type=click.Path(path_type=Path),
        help="Read the weights of Inception-v3 from this file; they are never downloaded.",
    )(command)
    return click.option(
        "--features",
        type=click.Choice(["digits", "random", "inception"]),
        default="digits",
        show_default=True,
        help="Compare images by our classifier of grey digits, a random network, or Inception-v3.",
    )(command)


@click.command("eval")
@click.argument("inputs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--data",
    default="digits",
    show_default=True,
    help="Compare with these images: 'digits', or as for train.",
)
@seeds_option("0-999")
@features_options
@click.option("--out", type=click.Path(path_type=Path), help="Write eval.json and pictures into this folder.")
@device_option
@backend_option
@threads_option
@json_option
def command(
    inputs: tuple[Path, ...],
    data: str,
    seeds: list[int],
    features: Features,
    weights: Path | None,
    out: Path | None,
    device: str,
    backend: Backend,
    threads: int | None,
    as_json: bool,
) -> None:
    """Score the images that INPUTS (checkpoints, .onnx, .engine) make of the same seeds.

    FID and KID (lower is better), precision and recall, classes, duplicates, copies of training images. The
    baseline is what real images that were held out get. A generator of classes makes them in turn; where they
    are digits, the share that is read as the class asked for is listed. All inputs but the first are also
    compared with it, seed by seed: that is what a precision costs.

    \b
    dcgan-edge eval runs/digits/checkpoint.safetensors --out quality
    dcgan-edge eval out/generator.fp32.onnx out/generator.fp16.onnx --seeds 0-4999
    dcgan-edge eval out/generator.fp16.onnx --data photos --features inception --weights weights-inception.pth
    """  # fmt: skip
    from dcgan_edge.cli.quality_tables import show_evaluation
    from dcgan_edge.evaluating import evaluate
    from dcgan_edge.files import check_writable

    if out is not None:
        check_writable(out / "eval.json")
    with steps() as say:
        found = evaluate(
            inputs, data, seeds=seeds, features=features, weights=weights,
            device=device, backend=backend, threads=threads, progress=say,
        )  # fmt: skip
    if as_json:  # either way before anything is written: a full disk costs no figures
        print_json(found.to_dict())
    else:
        show_evaluation(found)
    files = [str(path) for path in found.save(out)] if out is not None else []
    if as_json:
        print_json({**found.to_dict(), "files": files})
    else:
        click.echo("\n".join(files), nl=bool(files))
