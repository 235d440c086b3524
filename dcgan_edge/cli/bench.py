"""`dcgan-edge bench`: latency and throughput of artifacts, side by side, and against an earlier run."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dcgan_edge.cli import json_option, print_json
from dcgan_edge.cli.options import PERCENTILES, FiniteRange, backend_option, device_option
from dcgan_edge.cli.progress import steps
from dcgan_edge.errors import BenchmarkError, UsageError

if TYPE_CHECKING:
    from dcgan_edge.runtime.bench.comparison import Comparison
    from dcgan_edge.runtime.bench.measure import BenchPlan
    from dcgan_edge.runtime.bench.record import BenchReport
    from dcgan_edge.runtime.bench.worker import Opener

NUMBERS = click.IntRange(min=1)
SECONDS = FiniteRange(0.1, 86_400)


@click.command("bench")
@click.argument("artifacts", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--batch",
    "batches",
    type=NUMBERS,
    multiple=True,
    default=(1, 16),
    show_default=True,
    help="Images per query; may be given several times.",
)
@click.option(
    "--streams",
    type=NUMBERS,
    multiple=True,
    default=(1,),
    show_default=True,
    help="Queries under way at once; may be given several times.",
)
@click.option("--threads", type=NUMBERS, multiple=True, help="CPU threads; may be given several times.")
@click.option(
    "--scenario",
    type=click.Choice(["latency", "single-stream", "multi-stream", "offline", "server"]),
    default="latency",
    show_default=True,
    help="The others are MLPerf-style, and never an official result.",
)
@click.option(
    "--rate",
    type=FiniteRange(min=0, min_open=True),
    help="Queries a second for the scenario server, arriving at random.",
)
@click.option(
    "--latency-bound",
    type=FiniteRange(min=0, min_open=True),
    metavar="MS",
    help="Fail (exit 4) when the 99th percentile is above this.",
)
@click.option(
    "--duration",
    type=SECONDS,
    default=3.0,
    show_default=True,
    help="Seconds measured for each artifact and workload, warm-up not counted; some more are better with "
    "--baseline.",
)
@click.option("--iterations", type=NUMBERS, default=10, show_default=True, help="Queries at least.")
@click.option(
    "--warmup",
    type=FiniteRange(0, 600),
    default=0.4,
    show_default=True,
    help="Seconds of warm-up at least; it goes on until two windows agree.",
)
@click.option("--percentiles", type=PERCENTILES, default="50,90,95,99,99.9", show_default=True)
@click.option(
    "--zero-copy/--no-zero-copy", default=None, help="Engines: let the GPU use host memory in place."
)
@click.option(
    "--cuda-graph/--no-cuda-graph", default=True, show_default=True, help="Engines: launch batches as graphs."
)
@click.option("--loadgen", is_flag=True, help="Also run MLPerf's own LoadGen on the same session.")
@click.option("--require-stable", is_flag=True, help="Exit 4 when a figure should not be quoted.")
@click.option(
    "--compare",
    "base",
    type=click.Path(path_type=Path),
    metavar="BASE.json",
    help="Compare with the record of an earlier run.",
)
@click.option(
    "--baseline",
    type=click.Path(path_type=Path),
    metavar="ARTIFACT",
    help="Measure this one too, taking many short rounds with the others, and compare them with it.",
)
@click.option(
    "--fail-if",
    "gates",
    multiple=True,
    default=("p50>+5%",),
    show_default=True,
    help="What is a regression (exit 4), such as p99>+5% or throughput<-5%.",
)
@click.option("--force", is_flag=True, help="Compare although machine or settings differ.")
@click.option(
    "--peaks",
    type=click.Path(path_type=Path),
    metavar="JSON",
    help="Peak speeds of the device for the roofline, instead of those known or measured.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), help="Write the record, with every sample, to this file."
)
@click.option(
    "--export-times",
    "times",
    type=click.Path(path_type=Path),
    metavar="JSON",
    help="Write the times of each call as trtexec's --exportTimes does, of one artifact and batch.",
)
@device_option
@backend_option
@json_option
def command(
    artifacts: tuple[Path, ...],
    base: Path | None,
    baseline: Path | None,
    out: Path | None,
    times: Path | None,
    as_json: bool,
    **asked: Any,
) -> None:
    """Measure each of ARTIFACTS on this machine: each in its own process, taking turns.

    A checkpoint (.safetensors) is run by PyTorch, if that is installed.

    \b
    dcgan-edge bench out/generator.fp32.onnx out/generator.fp16.onnx --batch 1 --batch 16 --out base.json
    dcgan-edge bench out/generator.fp16.onnx --compare base.json --fail-if "p99>+5%" --require-stable
    dcgan-edge bench new/generator.fp16.onnx --baseline old/generator.fp16.onnx --duration 10
    dcgan-edge bench out/generator.fp16.onnx --scenario server --rate 200 --latency-bound 20
    """  # fmt: skip
    import json

    from dcgan_edge.files import write_atomic
    from dcgan_edge.runtime.bench.comparison import compare, compare_rounds, parse_gate
    from dcgan_edge.runtime.bench.measure import bench
    from dcgan_edge.runtime.bench.phases import trtexec_times
    from dcgan_edge.runtime.bench.record import read_report
    from dcgan_edge.runtime.bench.roofline.bounds import add_bounds

    gates = [parse_gate(text) for text in asked["gates"]]
    earlier = read_report(base) if base else None
    files = _names(artifacts, asked["threads"])
    alone = _names((baseline,) if baseline else (), asked["threads"])
    bases = {f"{name} (baseline)": chosen for name, chosen in alone.items()}
    plan = _plan(asked, paired=bool(bases))
    if times and len(bases | files) * len(plan.workloads()) > 1:
        raise UsageError(
            "Times are exported of one artifact under one workload: name one file and one --batch."
        )
    with steps() as say:
        report = bench(_openers(bases | files, asked), plan, progress=say)
    with steps() as say:
        say("measuring the roofline bound")
        paths = {name: path for name, (path, _) in (bases | files).items()}
        report = add_bounds(report, paths, peaks_file=asked["peaks"])
    if out:
        write_atomic(out, report.to_json().encode())
    if times:
        write_atomic(times, json.dumps(trtexec_times(report.measurements[0])).encode())
    beside = {
        name: base for name, (_, count) in files.items() for base, (_, same) in bases.items() if count == same
    }
    comparisons = compare_rounds(report, beside, gates)
    try:
        comparisons += compare(earlier, report, gates, force=asked["force"]) if earlier else []
    except BenchmarkError:
        _print(report, comparisons, as_json)
        raise
    _print(report, comparisons, as_json)
    _judge(report, comparisons, asked)


def _names(artifacts: Sequence[Path], threads: Sequence[int]) -> dict[str, tuple[Path, int | None]]:
    """Artifact and threads by the name in the record. Raises UsageError for one that is named twice."""
    several = len(threads) > 1
    found = [
        (f"{path} ({count} threads)" if several else str(path), (path, count))
        for path in artifacts
        for count in threads or (None,)
    ]
    if len(dict(found)) < len(found):
        raise UsageError("An artifact is named twice; to compare one with itself: --baseline.")
    return dict(found)


def _plan(asked: dict[str, Any], *, paired: bool) -> BenchPlan:
    from dcgan_edge.runtime.bench.measure import BenchPlan, paired_rounds

    return BenchPlan(
        batches=tuple(dict.fromkeys(asked["batches"])),
        streams=tuple(dict.fromkeys(asked["streams"])),
        duration_s=asked["duration"],
        iterations=asked["iterations"],
        warm_up_s=asked["warmup"],
        rounds=paired_rounds(asked["scenario"], asked["duration"]) if paired else BenchPlan.rounds,
        scenario=asked["scenario"],
        rate=asked["rate"],
        loadgen=asked["loadgen"],
        percentiles=asked["percentiles"],
    )


def _openers(files: Mapping[str, tuple[Path, int | None]], asked: dict[str, Any]) -> list[tuple[str, Opener]]:
    """What opens each artifact with its number of threads, by its name in the record."""
    from dcgan_edge.opening import open_generator
    from dcgan_edge.runtime.session import EngineOptions

    openers: list[tuple[str, Opener]] = []
    for name, (path, threads) in files.items():
        engine = None
        if path.suffix == ".engine":
            engine = EngineOptions(asked["zero_copy"], asked["cuda_graph"], max(asked["streams"]))
        opener = functools.partial(
            open_generator,
            path,
            device=asked["device"],
            backend=asked["backend"],
            threads=threads,
            engine=engine,
        )
        openers.append((name, opener))
    return openers


def _print(report: BenchReport, comparisons: list[Comparison], as_json: bool) -> None:
    from dcgan_edge.cli.tables import bench_notes, bench_table, comparison_table, show

    if as_json:
        print_json({**report.to_dict(), "comparisons": [each.to_dict() for each in comparisons]})
        return
    show(bench_table(report))
    click.echo(bench_notes(report))
    if comparisons:
        show(comparison_table(comparisons))


def _judge(report: BenchReport, comparisons: list[Comparison], asked: dict[str, Any]) -> None:
    """Exit 4 with the reason when a gate was missed. The figures are printed by then."""
    faults = [
        f"{each.name} is slower: {each.metric} changed by {each.change:+.1%}"
        for each in comparisons
        if each.outcome == "regression"
    ]
    bound = asked["latency_bound"]
    for measurement in report.measurements:
        p99 = measurement.statistics.p99
        if bound is not None and p99 > bound:
            faults.append(
                f"{measurement.name} took {p99:.3f} ms at the 99th percentile, {bound:g} are allowed"
            )
        if asked["require_stable"] and measurement.unstable_because:
            faults.append(f"{measurement.name} is unstable: {'; '.join(measurement.unstable_because)}")
    if faults:
        click.echo(f"Error: {'. '.join(faults)}.", err=True)
        click.get_current_context().exit(BenchmarkError.exit_code)
