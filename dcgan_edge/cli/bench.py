"""`dcgan-edge bench`: latency and throughput of artifacts, side by side, and against an earlier run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from dcgan_edge.cli import Command, json_option, print_json
from dcgan_edge.cli.options import PERCENTILES, SHARE, Duration, FiniteRange, backend_option, device_option
from dcgan_edge.cli.progress import steps
from dcgan_edge.errors import BenchmarkError, UsageError
from dcgan_edge.runtime.bench.plan import (
    MOST_IMAGES,
    MOST_ITERATIONS,
    MOST_PROCESSES,
    MOST_STREAMS,
    SCENARIOS,
    Scenario,
)
from dcgan_edge.runtime.device import MOST_THREADS, Backend

if TYPE_CHECKING:
    from dcgan_edge.runtime.bench.record import BenchReport

FILE = click.Path(path_type=Path)


def workload_options(command: Command) -> Command:
    """Add the options that say what is measured."""
    for option in (
        click.option(
            "--batch", "batches", type=click.IntRange(1, MOST_IMAGES), multiple=True,
            help="Images per query; may be given several times. [default: 1 and 16, or the scenario's own]",
        ),
        click.option(
            "--streams", type=click.IntRange(1, MOST_STREAMS), multiple=True, default=(1,), show_default=True,
            help="Queries in flight at the same time; may be given several times.",
        ),
        click.option(
            "--threads", type=click.IntRange(1, MOST_THREADS), multiple=True,
            help="CPU threads; may be given several times. [default: one per physical core]",
        ),
        click.option(
            "--scenario", type=click.Choice(SCENARIOS), default="latency", show_default=True,
            help="How queries arrive. All but latency are MLPerf-style, and never an official result.",
        ),
        click.option(
            "--rate", type=FiniteRange(min=0, min_open=True), metavar="QPS",
            help="Queries per second that arrive at random, for the scenario server.",
        ),
        click.option(
            "--percentiles",
            type=PERCENTILES,
            default="50,90,95,99,99.9",
            show_default=True,
            help="Percentiles of the latency to report.",
        ),
        click.option(
            "--zero-copy/--no-zero-copy", default=None,
            help="Let the GPU use host memory in place (engines only). [default: if both share their memory]",
        ),
        click.option(
            "--cuda-graph/--no-cuda-graph", default=None,
            help="Launch each batch size as one CUDA graph (engines only). [default: yes]",
        ),
    )[::-1]:  # fmt: skip
        command = option(command)
    return command


def time_options(command: Command) -> Command:
    """Add the options that say how long is measured, and how precisely."""
    for option in (
        click.option(
            "--duration", type=Duration(0.1), default="3s", show_default=True,
            help="Least time to measure each artifact under each workload, warm-up excluded.",
        ),
        click.option(
            "--precision-goal", type=SHARE, default="3%", show_default=True,
            help="Take more rounds until intervals of medians and ratios are narrower than this.",
        ),
        click.option(
            "--max-time", type=Duration(0.1), metavar="DURATION",
            help="Most time of all artifacts under one workload, waiting for a quiet machine included, but "
            "never less than the durations. [default: 5 times the durations]",
        ),
        click.option(
            "--processes", type=click.IntRange(1, MOST_PROCESSES), default=1, show_default=True,
            help="Processes of each artifact, 1 or from 5 on, whose spread goes into the intervals.",
        ),
        click.option(
            "--iterations", type=click.IntRange(1, MOST_ITERATIONS), default=10, show_default=True,
            help="Least number of queries, even if they take longer than the duration.",
        ),
        click.option(
            "--warmup", type=Duration(0, 600), default="400ms", show_default=True,
            help="Least time of warm-up; it goes on until two windows agree.",
        ),
    )[::-1]:  # fmt: skip
        command = option(command)
    return command


def judgement_options(command: Command) -> Command:
    """Add the options that say what the figures are compared with, and what fails the run."""
    for option in (
        click.option(
            "--baseline", type=FILE, metavar="ARTIFACT",
            help="Measure this artifact in the same run, in many short rounds, and compare with it.",
        ),
        click.option(
            "--compare", type=FILE, metavar="RUN.json", help="Compare with the record of an earlier run.",
        ),
        click.option(
            "--fail-if", multiple=True, metavar="GATE",
            help="What is a regression (exit 4), such as p99>+5% or throughput<-5%. [default: p50>+5%]",
        ),
        click.option("--force", is_flag=True, help="Compare although machine or settings differ."),
        click.option(
            "--latency-bound", type=Duration(1e-9),
            help="Fail (exit 4) when the 99th percentile is above this, such as 20ms.",
        ),
        click.option("--require-stable", is_flag=True, help="Fail (exit 4) when a figure is unstable."),
        click.option(
            "--peaks", type=FILE, metavar="JSON",
            help="Read peak speeds of the device for the roofline bound, instead of those known or measured.",
        ),
        click.option("--output", type=FILE, metavar="JSON", help="Write the record, with every sample."),
        click.option(
            "--export-times", type=FILE, metavar="JSON",
            help="Write the times of each query as trtexec's --exportTimes does; for one measurement.",
        ),
    )[::-1]:  # fmt: skip
        command = option(command)
    return command


@click.command("bench")
@click.argument("artifacts", nargs=-1, type=FILE)
@click.option(
    "--plan",
    type=FILE,
    metavar="TOML",
    help="Measure all combinations that this file lists into --output, and go on there if interrupted.",
)
@workload_options
@time_options
@judgement_options
@device_option
@backend_option
@json_option
@click.pass_context
def command(
    ctx: click.Context, artifacts: tuple[Path, ...], plan: Path | None, batches: tuple[int, ...],
    streams: tuple[int, ...], threads: tuple[int, ...],
    scenario: Scenario, rate: float | None, duration: float, precision_goal: float, max_time: float | None,
    processes: int, iterations: int, warmup: float,
    percentiles: tuple[float, ...], zero_copy: bool | None, cuda_graph: bool | None,
    baseline: Path | None, compare: Path | None, fail_if: tuple[str, ...], force: bool,
    latency_bound: float | None, require_stable: bool, peaks: Path | None,
    output: Path | None, export_times: Path | None, device: str, backend: Backend, as_json: bool,
) -> None:  # fmt: skip
    """Measure each of ARTIFACTS on this machine, each in a process of its own, in alternating rounds.

    A checkpoint (.safetensors) runs in PyTorch, if that is installed.

    \b
    dcgan-edge bench out/generator.fp32.onnx out/generator.fp16.onnx --batch 1 --batch 16 --output base.json
    dcgan-edge bench out/generator.fp16.onnx --compare base.json --fail-if "p99>+5%" --require-stable
    dcgan-edge bench new/generator.fp16.onnx --baseline old/generator.fp16.onnx --duration 10s
    dcgan-edge bench out/generator.fp16.onnx --scenario server --rate 200 --latency-bound 20ms
    dcgan-edge bench --plan plan.toml --output board.json
    """  # fmt: skip
    if plan is not None:
        _bench_plan(ctx, plan, output, as_json)
        return
    from dcgan_edge.benchmarking import bench, write_times
    from dcgan_edge.files import check_writable, write_atomic

    if not artifacts:
        raise UsageError("Name the artifacts to measure, or a plan: --plan plan.toml --output run.json.")
    for path in filter(None, (output, export_times)):
        check_writable(path)
    with steps() as say:
        report = bench(
            artifacts, batches=batches, streams=streams, threads=threads, scenario=scenario, rate=rate,
            duration_s=duration, precision_goal=precision_goal, max_time_s=max_time, processes=processes,
            iterations=iterations, warmup_s=warmup, percentiles=percentiles,
            device=device, backend=backend, zero_copy=zero_copy, cuda_graph=cuda_graph, baseline=baseline,
            compare=compare, fail_if=fail_if, force=force, latency_bound_s=latency_bound,
            require_stable=require_stable, single=export_times is not None, peaks=peaks, progress=say,
        )  # fmt: skip
    _print(report, as_json)
    if output:
        write_atomic(output, report.to_json().encode())
    if export_times:
        write_times(report, export_times)
    if report.failures:
        raise BenchmarkError(" ".join(report.failures))


def _bench_plan(ctx: click.Context, plan: Path, output: Path | None, as_json: bool) -> None:
    """Run `plan`; refuse every other option that was given, for the plan says what is measured."""
    from dcgan_edge.benchmark_matrix import bench_plan

    allowed = {"plan", "output", "as_json"}
    for parameter in ctx.command.params:
        name = parameter.name or ""
        is_given = ctx.get_parameter_source(name) not in (ParameterSource.DEFAULT, None)
        if name not in allowed and is_given and ctx.params.get(name) != ():  # click 8.1 calls none given, too
            raise UsageError(f"{parameter.get_error_hint(ctx)} does not go with --plan.")
    if output is None:
        raise UsageError("A plan needs a record to keep its results in: --output RUN.json.")
    with steps() as say:
        report = bench_plan(plan, output=output, progress=say)
    _print(report, as_json)


def _print(report: BenchReport, as_json: bool) -> None:
    from dcgan_edge.cli.bench_tables import show_bench

    if as_json:
        print_json(report.to_dict())
    else:
        show_bench(report)
