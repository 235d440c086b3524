"""`dcgan-edge demo`: everything on the bundled digits, with a report at the end."""

from __future__ import annotations

from pathlib import Path

import click

from dcgan_edge.cli.options import FiniteRange
from dcgan_edge.cli.progress import stderr


@click.command("demo")
@click.option(
    "--out", type=click.Path(path_type=Path), default="demo", show_default=True, help="Folder to write into."
)
@click.option(
    "--minutes",
    type=FiniteRange(min=0, min_open=True),
    default=3.0,
    show_default=True,
    help="Training time in minutes, earlier runs in the same folder included.",
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Random seed of the training."
)
@click.option(
    "--bench-seconds",
    type=FiniteRange(0.1, 600),
    default=3.0,
    show_default=True,
    help="Seconds of benchmark for each artifact and batch.",
)
def command(out: Path, minutes: float, seed: int, bench_seconds: float) -> None:
    """Train on the bundled digits, export, verify, sample, benchmark, and write a report.

    \b
    dcgan-edge demo
    dcgan-edge demo --minutes 10 --out longer
    """  # fmt: skip
    from dcgan_edge.cli.bench_tables import show_bench
    from dcgan_edge.cli.tables import artifact_table, parity_table, show
    from dcgan_edge.cli.training import print_events, training_bar
    from dcgan_edge.demo import run_demo
    from dcgan_edge.words import quoted

    console = stderr()
    with training_bar() as on_training:
        result = run_demo(
            out,
            minutes=minutes,
            seed=seed,
            bench_seconds=bench_seconds,
            on_step=console.print,
            on_training=on_training,
        )
    show(artifact_table(result.artifacts))
    show(parity_table(result.parity))
    show_bench(result.bench)
    print_events(result.events)
    checkpoint, onnx = result.artifacts[0][0], result.artifacts[2][0]
    click.echo(f"\nThe report: {result.report}\n\nNext:")
    click.echo(f"  dcgan-edge sample {quoted(onnx)} --class seven --seeds 1000-1063 --grid 8x8 --out more")
    click.echo(f"  dcgan-edge bench {quoted(onnx)} --batch 1 --batch 64 --threads 1")
    click.echo(f"  dcgan-edge train --resume --minutes 10 --out {quoted(checkpoint.parent)}")
