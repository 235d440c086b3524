"""Options of `sample` for files of many images, and for the machines that share in writing them."""

from __future__ import annotations

import click

from dcgan_edge.cli import Command
from dcgan_edge.cli.options import Parsed
from dcgan_edge.sample_sets.plan import parse_shard

SHARD = Parsed("shard", parse_shard)
shard_option = click.option(
    "--shard",
    type=SHARD,
    default="0/1",
    metavar="NUMBER/COUNT",
    help="Do one share of the files alone: 0/64 is the first of 64, 63/64 the last. [default: all]",
)


def set_options(command: Command) -> Command:
    """Add what says which files there are, which of them are written, and who writes them."""
    for option in (
        click.option(
            "--workers",
            type=click.IntRange(1, 100_000),
            help="Number of Ray's actors, each with a session. [default: as many as fit]",
        ),
        click.option(
            "--engine",
            type=click.Choice(("local", "ray")),
            default="local",
            show_default=True,
            help="Who writes the files: this process, or actors of Ray on a cluster.",
        ),
        shard_option,
        click.option(
            "--per-file",
            type=click.IntRange(min=1),
            help="Number of images in each tar or Parquet file. [default: 10000]",
        ),
    ):
        command = option(command)
    return command
