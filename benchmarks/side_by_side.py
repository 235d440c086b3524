"""`make bench`: our runtime, bare ONNX Runtime, PyTorch and, where it is installed, OpenVINO on the same
generator, in alternating rounds.

Each contestant has a process of its own, and makes the images of our session there before anything is timed.
Writes benchmarks/results/<cpu>.json with every raw sample and benchmarks/results/overhead/<cpu>.json, and
prints the table and what our session costs beside the bare library.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import re
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from benchmarks.command import errors_said
from benchmarks.peers import (
    ARCHITECTURE,
    BareOnnxRuntime,
    OpenVino,
    TorchPeer,
    can_import,
    generator,
    open_checked,
    reference,
)
from dcgan_edge.artifact import (
    BatchProfile,
    Manifest,
    Precision,
    embed_manifest,
    generator_tensors,
    write_artifact,
)
from dcgan_edge.cli.bench_tables import show_bench
from dcgan_edge.files import write_atomic
from dcgan_edge.runtime.bench.measure import measure
from dcgan_edge.runtime.bench.plan import BenchPlan
from dcgan_edge.runtime.bench.record import BenchReport
from dcgan_edge.runtime.bench.worker import Opener
from dcgan_edge.runtime.device import cpu_name
from dcgan_edge.runtime.session import open_session

RESULTS = Path(__file__).parent / "results"
BATCHES = (1, 16)
ROUNDS = 10  # of a second by default: the thread pools of other libraries still spin when a round begins
OURS, BARE = "dcgan-edge fp32", "bare onnxruntime fp32"
NO_OPENVINO = "openvino is left out: it is not installed. To add it: pip install 'dcgan-edge[openvino]'"


@click.command()
@click.option("--duration", default=10.0, show_default=True, help="Seconds for each contestant and batch.")
@errors_said()
def main(duration: float) -> None:
    """Measure all contestants at batch 1 and 16."""
    with tempfile.TemporaryDirectory() as folder:
        fp32, fp16 = (make_artifact(Path(folder), precision) for precision in ("fp32", "fp16"))
        plan = BenchPlan(BATCHES, duration_s=duration, rounds=ROUNDS)
        report = measure(contestants(fp32, fp16), plan, progress=lambda step: click.echo(step, err=True))
    name = re.sub(r"[^a-z0-9]+", "-", cpu_name().lower()).strip("-")
    found = overheads(report)
    write_atomic(RESULTS / f"{name}.json", report.to_json().encode())
    facts = {"of": OURS, "over": BARE, "batches": [dataclasses.asdict(each) for each in found]}
    write_atomic(RESULTS / "overhead" / f"{name}.json", json.dumps(facts, indent=2).encode())
    show_bench(report)
    click.echo("\n".join(str(each) for each in found))


def contestants(fp32: Path, fp16: Path) -> list[tuple[str, Opener]]:
    """Who takes part: all of float32 but our own session are checked against it when they are opened."""
    peers: list[tuple[str, Opener]] = [
        ("torch eager", functools.partial(TorchPeer, compiled=False)),
        ("torch.compile", functools.partial(TorchPeer, compiled=True)),
    ]
    if can_import("openvino"):
        peers.append(("openvino fp32", functools.partial(OpenVino, fp32)))
    else:
        click.echo(NO_OPENVINO, err=True)
    peers.append((BARE, functools.partial(BareOnnxRuntime, fp32)))
    ours: Opener = functools.partial(open_session, fp32)
    with ours() as session:
        latents, images = reference(session, max(BATCHES))
    checked: list[tuple[str, Opener]] = [
        (name, functools.partial(open_checked, name, opener, latents, images, BATCHES))
        for name, opener in peers
    ]
    return [*checked, (OURS, ours), ("dcgan-edge fp16", functools.partial(open_session, fp16))]


@dataclass(frozen=True)
class Overhead:
    """What a call of our session takes beside one of the bare library, at one batch.

    `rounds_percent` has an entry for each round, from the two medians of that round, which shared the
    machine's luck; `percent` is their median, `microseconds` that of the differences.
    """

    batch: int
    microseconds: float
    percent: float
    rounds_percent: tuple[float, ...]

    def __str__(self) -> str:
        least, most = min(self.rounds_percent), max(self.rounds_percent)
        return (
            f"{OURS} over {BARE}, batch {self.batch}: {self.microseconds:+.1f} us a call, "
            f"{self.percent:+.2f} % (rounds {least:+.2f} to {most:+.2f} %)"
        )


def overheads(report: BenchReport) -> list[Overhead]:
    """Our session against the bare library, round by round, for each batch that both were measured at."""
    medians = {
        (each.name, each.batch): [statistics.median(times) for times in each.latency_ms]
        for each in report.measurements
    }
    shared = [batch for name, batch in medians if name == OURS and (BARE, batch) in medians]
    return [_overhead(batch, medians[OURS, batch], medians[BARE, batch]) for batch in shared]


def _overhead(batch: int, ours_ms: Sequence[float], bare_ms: Sequence[float]) -> Overhead:
    pairs = list(zip(ours_ms, bare_ms, strict=True))
    percents = tuple(100 * (ours / bare - 1) for ours, bare in pairs)
    microseconds = statistics.median(1000 * (ours - bare) for ours, bare in pairs)
    return Overhead(batch, microseconds, statistics.median(percents), percents)


def make_artifact(folder: Path, precision: Precision) -> Path:
    """Export the generator of every contestant as `folder`/generator.<precision>.onnx."""
    from dcgan_edge.export.onnx.graph import build_graph
    from dcgan_edge.export.onnx.precision import to_fp16

    batch = BatchProfile()
    graph = build_graph(generator(), ARCHITECTURE, batch)
    model = graph if precision == "fp32" else to_fp16(graph)
    source, result = generator_tensors(ARCHITECTURE)
    manifest = Manifest(
        "onnx", ARCHITECTURE, precision, (source,), (result,), batch, "", "benchmarks.side_by_side"
    )
    path = folder / f"generator.{precision}.onnx"
    write_artifact(path, embed_manifest(model.SerializeToString(), manifest), manifest)
    return path


if __name__ == "__main__":
    main()
