"""`dcgan-edge sample`: seeds in, images out, by one machine or by many."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dcgan_edge.cli import json_option, print_json
from dcgan_edge.cli.options import (
    MANY_SEEDS,
    backend_option,
    class_option,
    device_option,
    seeds_option,
    threads_option,
)
from dcgan_edge.cli.progress import fraction
from dcgan_edge.cli.shard_options import check_no_job, job_file, set_options
from dcgan_edge.runtime.device import Backend

if TYPE_CHECKING:
    from dcgan_edge.sample_sets.plan import Shard
    from dcgan_edge.sampling import Engine, Format


@click.command("sample")
@click.argument("artifact", type=click.Path(path_type=Path))
@seeds_option("0-63", MANY_SEEDS)
@class_option("Draw every seed in these classes, by name or number: 3, cat,dog, 0-4 or all.")
@click.option(
    "--grid",
    "layout",
    metavar="ROWSxCOLUMNS",
    help="Also write all images as one, grid.png, of so many rows and columns, such as 8x8.",
)
@click.option(
    "--out",
    type=click.Path(),
    default="samples",
    show_default=True,
    help="Folder to write into, or a URL such as s3://bucket/faces.",
)
@click.option(
    "--scale",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Draw each pixel as a square of N x N.",
)
@click.option(
    "--format",
    "shape",
    type=click.Choice(("png", "npy", "webdataset", "parquet")),
    default="png",
    show_default=True,
    help="One PNG for each image, one array images.npy, or tar or Parquet files of 10,000 PNG files.",
)
@set_options
@click.option("--batch", type=click.IntRange(min=1), help="Number of images per call. [default: 8]")
@device_option
@backend_option
@threads_option
@json_option
def command(
    artifact: Path,
    seeds: Sequence[int],
    classes: str | None,
    layout: str | None,
    out: str,
    scale: int,
    shape: Format,
    per_file: int | None,
    shard: Shard,
    engine: Engine,
    workers: int | None,
    batch: int | None,
    device: str,
    backend: Backend,
    threads: int | None,
    as_json: bool,
    **job: Any,
) -> None:
    """Write the image of each seed, made by ARTIFACT (.onnx, .engine, or the tuned.json of `tune`).

    A seed gives the same file whether it is asked for alone or among others. Between different --batch it may
    differ by rounding. A generator of K classes draws seed s in class s modulo K, or in those of --class; a
    grid of several has a row for each seed and a column for each class.

    Memory does not grow with the number of seeds. With --format npy, webdataset or parquet, a run that was
    cut off goes on where it was; a folder with files of another artifact or request is refused. --shard
    writes a share of the tar or Parquet files: together all shards write what one run does, byte for byte.

    \b
    dcgan-edge sample out/generator.fp16.onnx --seeds 0-63 --grid 8x8 --out samples
    dcgan-edge sample out/generator.fp16.onnx --seeds 7,12,100-103 --scale 8
    dcgan-edge sample out/generator.fp16.onnx --class 3 --seeds 0-9
    dcgan-edge sample out/generator.fp16.onnx --seeds 0-999999 --format webdataset --out shards
    dcgan-edge sample out/generator.fp16.onnx --class all --seeds 0-7 --grid 8x10
    dcgan-edge sample out/generator.fp16.onnx --seeds 0-9999999 --format parquet --shard 3/64 --out shards
    dcgan-edge sample generator.fp16.onnx --format parquet --threads 4 --print-job slurm --shards 64
    """
    if job["scheduler"] is not None:
        text = job_file()
        print_json({"job": text}) if as_json else click.echo(text, nl=False)
        return
    check_no_job()
    from dcgan_edge.images import parse_grid
    from dcgan_edge.sampling import sample
    from dcgan_edge.words import count_words

    with fraction("Sampling", "images") as progress:
        made = sample(
            artifact, seeds, out, classes=classes, grid=parse_grid(layout) if layout else None, scale=scale,
            batch=batch, format=shape, per_file=per_file, shard=(shard.number, shard.count),
            engine=engine, workers=workers, device=device, backend=backend, threads=threads,
            progress=progress,
        )  # fmt: skip
    if as_json:
        print_json(made.to_dict())
        return
    pictures = count_words(made.images, "picture")
    last = f", the last {str(made.files[-1]).rpartition('/')[2]}" if made.files else ""
    click.echo(f"{pictures} in {out}{last}; {made.artifact.name} is {made.verification}")
