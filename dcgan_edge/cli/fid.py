"""`dcgan-edge fid`: the FID of images that are written already, however many, on one machine or on many."""

from __future__ import annotations

from pathlib import Path

import click

from dcgan_edge.cli import json_option, print_json
from dcgan_edge.cli.evaluate import features_options
from dcgan_edge.cli.progress import fraction
from dcgan_edge.cli.shard_options import shard_option
from dcgan_edge.errors import UsageError
from dcgan_edge.evaluation.extractor import Features
from dcgan_edge.sample_sets.plan import Shard


@click.command("fid")
@click.argument("inputs", nargs=-1, required=True, type=click.Path(), metavar="SAMPLES|SUMS...")
@click.option("--data", help="Compare with these images: 'digits', or as for train. [default: digits]")
@features_options
@shard_option
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="Write sums of features into this file, an .npz, and compare with nothing.",
)
@json_option
def command(
    inputs: tuple[str, ...],
    data: str | None,
    features: Features,
    weights: Path | None,
    shard: Shard,
    output: Path | None,
    as_json: bool,
) -> None:
    """Measure the FID of SAMPLES, folders or URLs that `sample` wrote tar or Parquet files into.

    Nothing is drawn again, and memory does not grow with the number of images. Many machines take a --shard
    each and write its sums of features; SUMS, those files, are added. All images named count as one set.

    \b
    dcgan-edge fid shards --data digits
    dcgan-edge fid shards --shard 0/2 --output sums-0.npz
    dcgan-edge fid shards --shard 1/2 --output sums-1.npz
    dcgan-edge fid sums-0.npz sums-1.npz
    """
    from dcgan_edge.evaluation.written import feature_sums, fid
    from dcgan_edge.files import check_writable

    place = (shard.number, shard.count)
    if output is not None:
        if data is not None:
            raise UsageError("--output writes sums, which are compared with --data later.")
        check_writable(output)
        with fraction("Reading", "files") as progress:
            sums = feature_sums(inputs, features=features, weights=weights, shard=place, progress=progress)
        facts = {"n": sums.n, "files": sum(map(len, sums.files.values())), "output": str(sums.save(output))}
        print_json(facts) if as_json else click.echo(f"{output}: sums of {sums.n:,} images")
        return
    if place != (0, 1):
        raise UsageError("A shard alone has no FID worth the name: write its sums by --output.")
    with fraction("Reading", "files") as progress:
        found = fid(inputs, data or "digits", features=features, weights=weights, progress=progress)
    if as_json:
        print_json(found.to_dict())
        return
    click.echo(
        f"FID {found.fid:.4f} of {found.sums.n:,} images against {found.real.n:,} of {found.data}, by the "
        f"features {found.sums.extractor['name']}; held-out real images, {found.held_out.n:,}, have "
        f"{found.baseline:.4f}"
    )
