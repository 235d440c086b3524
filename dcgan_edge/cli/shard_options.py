"""Options of `sample` for files of many images, and for the machines that share in writing them."""

from __future__ import annotations

import click

from dcgan_edge.cli import Command
from dcgan_edge.cli.options import Parsed
from dcgan_edge.errors import UsageError
from dcgan_edge.runtime.device import parse_device
from dcgan_edge.sample_sets.plan import MOST_SHARDS, parse_shard

ENCODING = 4  # processors beside a GPU, which encode what it makes
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
            "--image", metavar="NAME", help="Container image of --print-job k8s. [default: one to replace]"
        ),
        click.option(
            "--shards",
            type=click.IntRange(1, MOST_SHARDS),
            help="Number of jobs that --print-job is to split the files between.",
        ),
        click.option(
            "--print-job",
            "scheduler",
            type=click.Choice(("slurm", "k8s")),
            help="Print this command as a Slurm array or a Kubernetes Indexed Job; make no image.",
        ),
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


def job_file() -> str:
    """Return the command line that is run as the file that its --print-job asks for.

    Raises UsageError for options that make no sense in a job, and where one is missing.
    """
    from dcgan_edge.sample_sets.jobs import JobFile

    ctx = click.get_current_context()
    given = ctx.params
    if given["shape"] not in ("webdataset", "parquet"):
        raise UsageError("Jobs share in files of many images: add --format webdataset or parquet.")
    for name, what in (("shard", "--shard"), ("engine", "--engine"), ("workers", "--workers")):
        if _is_given(ctx, name):
            raise UsageError(f"{what} is not for --print-job: each job is told its own shard.")
    if given["shards"] is None:
        raise UsageError("Say between how many jobs the files are split, such as --shards 64.")
    gpu = parse_device(given["device"]).kind == "cuda"
    if given["threads"] is None and not gpu:
        raise UsageError("Say how many processors a job takes, such as --threads 4.")
    words = ["dcgan-edge", "sample"]
    for parameter in ctx.command.params:
        name = parameter.name or ""
        if not _is_given(ctx, name) or name in ("scheduler", "shards", "image", "as_json"):
            continue
        option = [] if isinstance(parameter, click.Argument) else [parameter.opts[0]]
        words += [*option, str(given[name])]
    check = ["dcgan-edge", "check", given["out"]]
    job = JobFile(words, check, given["shards"], given["threads"] or ENCODING, gpu=gpu, image=given["image"])
    return job.text(given["scheduler"])


def check_no_job() -> None:
    """Raise UsageError for options of --print-job without it."""
    for name in ("shards", "image"):
        if _is_given(click.get_current_context(), name):
            raise UsageError(f"--{name} is for --print-job alone.")


def _is_given(ctx: click.Context, name: str) -> bool:
    """Whether the user gave this option, on the command line or by the environment."""
    source = ctx.get_parameter_source(name)
    return source in (click.core.ParameterSource.COMMANDLINE, click.core.ParameterSource.ENVIRONMENT)
