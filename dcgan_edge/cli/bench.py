"""`dcgan-edge bench`: latency and throughput of artefacts, side by side."""

from __future__ import annotations

import functools
import json
from pathlib import Path

import click

from dcgan_edge.cli import json_option
from dcgan_edge.cli.options import provider_option, threads_option
from dcgan_edge.cli.progress import steps
from dcgan_edge.runtime.session import Provider


@click.command("bench")
@click.argument("artifacts", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--batch",
    "batches",
    type=click.IntRange(min=1),
    multiple=True,
    default=(1, 16),
    show_default=True,
    help="Images per call; may be given several times.",
)
@click.option(
    "--duration",
    type=click.FloatRange(0.1, 3600),
    default=3.0,
    show_default=True,
    help="Seconds measured for each artefact and batch, warm-up not counted.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Also write the JSON record to this file.")
@provider_option
@threads_option
@json_option
def command(
    artifacts: tuple[Path, ...],
    batches: tuple[int, ...],
    duration: float,
    out: Path | None,
    provider: Provider,
    threads: int | None,
    as_json: bool,
) -> None:
    """Measure each of ARTIFACTS on this machine: each in its own process, taking turns.

    A checkpoint (.safetensors) is run by PyTorch, if that is installed.

    \b
    dcgan-edge bench out/generator.fp32.onnx out/generator.fp16.onnx --batch 1 --batch 16
    dcgan-edge bench runs/digits/checkpoint.safetensors out/generator.fp32.onnx --out bench.json
    """  # fmt: skip
    from dcgan_edge.atomic import write_atomic
    from dcgan_edge.cli.tables import bench_notes, bench_table, show
    from dcgan_edge.runtime.bench import BenchPlan, bench
    from dcgan_edge.runtime.bench_worker import Opener
    from dcgan_edge.runtime.session import open_session

    openers: list[tuple[str, Opener]] = []
    for path in artifacts:
        if path.suffix == ".safetensors":
            from dcgan_edge.export.reference import TorchSession

            openers.append((str(path), functools.partial(TorchSession, path, threads=threads)))
        else:
            openers.append(
                (str(path), functools.partial(open_session, path, provider=provider, threads=threads))
            )
    with steps() as say:
        report = bench(openers, BenchPlan(batches, duration_s=duration), progress=say)
    record = json.dumps(report.to_dict(), indent=1, allow_nan=False)
    if out:
        write_atomic(out, record.encode())
    if as_json:
        click.echo(record)
    else:
        show(bench_table(report))
        click.echo(bench_notes(report))
