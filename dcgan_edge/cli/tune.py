"""`dcgan-edge tune`: the best way to run a generator on this device, measured and kept in a profile."""

from __future__ import annotations

from pathlib import Path

import click

from dcgan_edge.artifact import TARGETS, Precision, Target
from dcgan_edge.cli import Command, json_option, print_json
from dcgan_edge.cli.options import Duration, device_option
from dcgan_edge.cli.progress import steps
from dcgan_edge.profile import OBJECTIVES, Objective
from dcgan_edge.runtime.bench.plan import MOST_IMAGES, MOST_STREAMS
from dcgan_edge.runtime.device import BACKENDS, MOST_THREADS, Backend

FILE = click.Path(path_type=Path)


def search_options(command: Command) -> Command:
    """Add the options that say what is searched for, and among what."""
    for option in (
        click.option(
            "--objective", type=click.Choice(OBJECTIVES), default="latency", show_default=True,
            help="What is best: the quickest query, the most images a second or a joule, the smallest file.",
        ),
        click.option(
            "--batch", "batches", type=click.IntRange(1, MOST_IMAGES), multiple=True,
            help="Images per query; several for throughput and energy. [default: 1, or 1, 8 and 64]",
        ),
        click.option(
            "--streams", type=click.IntRange(1, MOST_STREAMS), multiple=True,
            help="Queries in flight; several for throughput and energy. [default: 1, or 1 and 2]",
        ),
        click.option(
            "--threads", type=click.IntRange(1, MOST_THREADS), multiple=True,
            help="CPU threads to try. [default: one per physical core, and powers of two below]",
        ),
        click.option(
            "--backend", "backends", type=click.Choice(BACKENDS[1:]), multiple=True,
            help="Backends to try. [default: all that are installed]",
        ),
        click.option(
            "--duration", type=Duration(0.1), default="1s", show_default=True,
            help="Time to measure each candidate, and the base beside it.",
        ),
        click.option(
            "--max-time", type=Duration(1), metavar="DURATION",
            help="Most time of measuring: what is not begun by then is left out, and counted.",
        ),
    )[::-1]:  # fmt: skip
        command = option(command)
    return command


def checkpoint_options(command: Command) -> Command:
    """Add the options that say which artifacts of a checkpoint are written."""
    for option in (
        click.option("--out", type=FILE, help="Folder for the artifacts of a checkpoint. [default: out]"),
        click.option(
            "--precision", "precisions", type=click.Choice(("fp32", "fp16", "int8")), multiple=True,
            help="Precisions of a checkpoint's artifacts to try. [default: fp32 and int8]",
        ),
        click.option(
            "--for", "targets", type=click.Choice(TARGETS), multiple=True,
            help="Forms of a checkpoint's graph to try. [default: those for the backends]",
        ),
    )[::-1]:  # fmt: skip
        command = option(command)
    return command


@click.command("tune")
@click.argument("artifacts", nargs=-1, required=True, type=FILE)
@search_options
@checkpoint_options
@click.option("--report", type=FILE, metavar="HTML", help="Write a page with the Pareto front as a plot.")
@device_option
@json_option
def command(
    artifacts: tuple[Path, ...], objective: Objective, batches: tuple[int, ...], streams: tuple[int, ...],
    threads: tuple[int, ...], backends: tuple[Backend, ...], duration: float, max_time: float | None,
    out: Path | None, precisions: tuple[Precision, ...], targets: tuple[Target, ...], report: Path | None,
    device: str, as_json: bool,
) -> None:  # fmt: skip
    """Find how ARTIFACTS, or one checkpoint, run best on this device, and keep it in tuned.json beside them.

    Ways to run them that make other images than they should are refused; the others are measured in pairs
    beside one base, and the best at length. `sample` and all that opens artifacts then follow the profile
    where no --backend is given; tuned.json itself stands for the best artifact. Interrupted, it goes on.

    \b
    dcgan-edge tune out/generator.fp32.onnx out/generator.int8.onnx
    dcgan-edge tune out/*.onnx --objective throughput --batch 8 --batch 64 --report tuned.html
    dcgan-edge tune runs/digits/checkpoint.safetensors --out out --max-time 10min
    dcgan-edge sample out/tuned.json --seeds 0-63
    """
    from dcgan_edge.tuning.tune import tune

    with steps() as say:
        tuned = tune(
            artifacts, out=out, objective=objective, batches=batches, streams=streams, threads=threads,
            backends=backends, precisions=precisions, targets=targets, device=device, duration_s=duration,
            max_time_s=max_time, report=report, progress=say,
        )  # fmt: skip
    if as_json:
        print_json(tuned.to_dict())
        return
    from dcgan_edge.cli.tune_tables import show_tuned

    show_tuned(tuned)
