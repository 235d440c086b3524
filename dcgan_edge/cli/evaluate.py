"""`dcgan-edge eval`: how good the images of generators are, side by side, and the real-data baseline beside
them.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dcgan_edge.cli import Command, json_option, print_json
from dcgan_edge.cli.options import SEEDS, backend_option, device_option, threads_option
from dcgan_edge.cli.progress import steps
from dcgan_edge.errors import UsageError
from dcgan_edge.runtime.session import Backend

if TYPE_CHECKING:
    from dcgan_edge.evaluation.evaluate import Evaluation
    from dcgan_edge.evaluation.extractor import FeatureExtractor

DEFAULT_IMAGES = 1000


def features_options(command: Command) -> Command:
    """--features and --weights, for `load_extractor`."""
    command = click.option(
        "--weights", type=click.Path(path_type=Path), help="Weights file of Inception-v3; never downloaded."
    )(command)
    return click.option(
        "--features",
        type=click.Choice(["digits", "inception"]),
        default="digits",
        show_default=True,
        help="What images are compared by: our classifier of grey digits, or Inception-v3.",
    )(command)


def load_extractor(features: str, weights: Path | None) -> FeatureExtractor:
    """What --features names. Raises UsageError when --weights does not go with it."""
    if features == "inception":
        from dcgan_edge.evaluation.inception import InceptionFeatures

        return InceptionFeatures(weights)
    if weights is not None:
        raise UsageError("--weights is for --features inception; the digit classifier has its own.")
    from dcgan_edge.evaluation.classifier import load_digit_features

    return load_digit_features()


@click.command("eval")
@click.argument("inputs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--data", default="digits", show_default=True, help="Real images: 'digits', a folder, as for train."
)
@click.option("--n", "count", type=click.IntRange(min=1), help="Seeds 0 to N - 1.  [default: 1000]")
@click.option("--seeds", type=SEEDS, help="These seeds instead, such as 1000-1999.")
@features_options
@click.option("--out", type=click.Path(path_type=Path), help="Folder for eval.json and pictures.")
@device_option
@backend_option
@threads_option
@json_option
def command(
    inputs: tuple[Path, ...],
    data: str,
    count: int | None,
    seeds: list[int] | None,
    features: str,
    weights: Path | None,
    out: Path | None,
    device: str,
    backend: Backend,
    threads: int | None,
    as_json: bool,
) -> None:
    """Score the images that INPUTS (checkpoints, .onnx, .engine) make of the same seeds.

    FID and KID (lower is better), precision and recall, classes, duplicates, copies of training images. The
    baseline is what real images that were held out get. All inputs but the first are also compared with it,
    seed by seed: that is what a precision costs.

    \b
    dcgan-edge eval runs/digits/checkpoint.safetensors --out quality
    dcgan-edge eval out/generator.fp32.onnx out/generator.fp16.onnx --n 5000
    dcgan-edge eval out/generator.fp16.onnx --data photos --features inception --weights weights-inception.pth
    """  # fmt: skip
    from dcgan_edge.cli.quality_tables import differences_table, evaluation_notes, evaluation_table
    from dcgan_edge.cli.tables import show
    from dcgan_edge.evaluation.evaluate import evaluate
    from dcgan_edge.opening import open_generator

    if count is not None and seeds is not None:
        raise UsageError("Give --n or --seeds, not both.")
    seeds = seeds if seeds is not None else list(range(count or DEFAULT_IMAGES))
    openers = {
        str(path): functools.partial(open_generator, path, device=device, backend=backend, threads=threads)
        for path in inputs
    }
    if len(openers) < len(inputs):
        raise UsageError("A file is named twice.")
    with steps() as say:
        evaluation = evaluate(openers, data, load_extractor(features, weights), seeds, progress=say)
    written = _write(evaluation, out) if out else []
    if as_json:
        print_json({**evaluation.to_dict(), "files": [str(path) for path in written]})
        return
    show(evaluation_table(evaluation))
    if evaluation.differences:
        show(differences_table(evaluation))
    click.echo(evaluation_notes(evaluation))
    for path in written:
        click.echo(path)


def _write(evaluation: Evaluation, out: Path) -> list[Path]:
    """eval.json, the nearest neighbours of each input, and the classes where there are any."""
    from dcgan_edge.evaluation.pictures import classes_png, neighbours_png
    from dcgan_edge.files import write_atomic

    train = evaluation.reference.real.train
    contents = {"eval.json": json.dumps({"schema_version": 1, **evaluation.to_dict()}, indent=1).encode()}
    for number, (name, judged) in enumerate(evaluation.judged.items(), start=1):
        picture = neighbours_png(judged.pixels, train, judged.neighbours)
        contents[f"neighbours-{number}-{Path(name).stem}.png"] = picture
    shares = evaluation.class_shares()
    if shares:
        contents["classes.png"] = classes_png(shares)
    for file, data in contents.items():
        write_atomic(out / file, data)
    return [out / file for file in contents]
