"""`make bench`: our runtime, bare ONNX Runtime and PyTorch on the same generator, taking turns.

Each contestant has a process of its own. Writes benchmarks/results/<cpu>.json with every raw sample, and
prints the table.
"""

from __future__ import annotations

import functools
import re
import tempfile
from pathlib import Path

import click

from benchmarks.peers import ARCHITECTURE, BareOnnxRuntime, TorchPeer, generator
from dcgan_edge.artifact import BatchProfile, Manifest, Precision, generator_tensors, write_artifact
from dcgan_edge.atomic import write_atomic
from dcgan_edge.cli.tables import bench_notes, bench_table, show
from dcgan_edge.runtime.bench import BenchPlan, bench
from dcgan_edge.runtime.bench_worker import Opener
from dcgan_edge.runtime.device import cpu_name
from dcgan_edge.runtime.session import open_session

RESULTS = Path(__file__).parent / "results"


@click.command()
@click.option("--duration", default=5.0, show_default=True, help="Seconds for each contestant and batch.")
def main(duration: float) -> None:
    """Measure all contestants at batch 1 and 16."""
    with tempfile.TemporaryDirectory() as folder:
        fp32, fp16 = (_artifact(Path(folder), precision) for precision in ("fp32", "fp16"))
        contestants: list[tuple[str, Opener]] = [
            ("torch eager", functools.partial(TorchPeer, compiled=False)),
            ("torch.compile", functools.partial(TorchPeer, compiled=True)),
            ("bare onnxruntime fp32", functools.partial(BareOnnxRuntime, fp32)),
            ("dcgan-edge fp32", functools.partial(open_session, fp32)),
            ("dcgan-edge fp16", functools.partial(open_session, fp16)),
        ]
        plan = BenchPlan((1, 16), duration_s=duration)
        report = bench(contestants, plan, progress=lambda step: click.echo(step, err=True))
    name = re.sub(r"[^a-z0-9]+", "-", cpu_name().lower()).strip("-")
    write_atomic(RESULTS / f"{name}.json", report.to_json().encode())
    show(bench_table(report))
    click.echo(bench_notes(report))


def _artifact(folder: Path, precision: Precision) -> Path:
    from dcgan_edge.export.graph import build_graph
    from dcgan_edge.export.precision import to_fp16

    batch = BatchProfile()
    graph = build_graph(generator(), ARCHITECTURE, batch)
    model = graph if precision == "fp32" else to_fp16(graph)
    source, result = generator_tensors(ARCHITECTURE)
    manifest = Manifest(
        "onnx", ARCHITECTURE, precision, (source,), (result,), batch, "", "benchmarks.side_by_side"
    )
    path = folder / f"generator.{precision}.onnx"
    write_artifact(path, model.SerializeToString(), manifest)
    return path


if __name__ == "__main__":
    main()
