"""`python -m benchmarks.many_seeds 10000 100000 1000000`: `sample --format webdataset` of many seeds.

Prints images a second and the largest memory of the whole process for each number of seeds, beside a script
that runs the same file in bare ONNX Runtime as often, in calls of as many images, and throws them away.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import click

from benchmarks.command import errors_said
from benchmarks.whole_process import run
from dcgan_edge.artifact import (
    Architecture,
    BatchProfile,
    Manifest,
    embed_manifest,
    generator_tensors,
    write_artifact,
)
from dcgan_edge.cli.tables import new_table, show
from dcgan_edge.runtime.sampling import BLOCK

ARCHITECTURE = Architecture("dcgan", size=28, channels=1, width=16)
COUNTS = (10_000, 100_000)
BARE = """
import numpy, onnxruntime
session = onnxruntime.InferenceSession("ARTIFACT", providers=["CPUExecutionProvider"])
random = numpy.random.default_rng(0)
for _ in range(COUNT // BATCH):
    session.run(None, {"latents": random.standard_normal((BATCH, DIM, 1, 1), numpy.float32)})
"""


@click.command()
@click.argument("counts", nargs=-1, type=click.IntRange(1))
@click.option("--batch", default=BLOCK, show_default=True, help="Images per call.")
@errors_said()
def main(counts: tuple[int, ...], batch: int) -> None:
    """Make the images of the first seeds, as many as each of COUNTS says: 10,000 and 100,000 if none does."""
    table = new_table(">seeds", ">s", ">images/s", ">MiB", ">bare session images/s", ">MiB of it")
    with tempfile.TemporaryDirectory() as folder:
        artifact = make_artifact(Path(folder))
        bare = BARE.replace("ARTIFACT", str(artifact)).replace("DIM", str(ARCHITECTURE.latent_dim))
        for count in counts or COUNTS:
            out = Path(folder, "shards")
            words = ["sample", str(artifact), "--seeds", f"0-{count - 1}", "--format", "webdataset"]
            words += ["--batch", str(batch), "--out", str(out)]
            ours = run(["-m", "dcgan_edge", *words])
            theirs = run(["-c", bare.replace("COUNT", str(count)).replace("BATCH", str(batch))])
            shutil.rmtree(out)
            table.add_row(
                f"{count:,}", f"{ours.seconds:.1f}", f"{count / ours.seconds:,.0f}", f"{ours.mib:.0f}",
                f"{count / theirs.seconds:,.0f}", f"{theirs.mib:.0f}",
            )  # fmt: skip
    show(table)


def make_artifact(folder: Path) -> Path:
    """Export an untrained generator of 28 pixels into `folder`."""
    import torch

    from dcgan_edge.export.onnx.graph import build_graph
    from dcgan_edge.models import build_generator

    torch.manual_seed(0)
    source, result = generator_tensors(ARCHITECTURE)
    manifest = Manifest(
        "onnx", ARCHITECTURE, "fp32", (source,), (result,), BatchProfile(), "", "benchmarks.many_seeds"
    )
    graph = build_graph(build_generator(ARCHITECTURE).eval(), ARCHITECTURE, manifest.batch)
    path = folder / "generator.fp32.onnx"
    write_artifact(path, embed_manifest(graph.SerializeToString(), manifest), manifest)
    return path


if __name__ == "__main__":
    main()
