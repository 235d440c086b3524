"""`python -m benchmarks.presets FOLDER`: every preset all the way, from its checkpoint to a timed artifact.

FOLDER is what `dcgan-edge compare-archs --out FOLDER` left. Each preset is exported to fp32 and fp16 with
proof, built into an engine, sampled, and measured, all presets in alternating rounds of one run. Prints a
row of Markdown for each.
"""

from __future__ import annotations

import functools
import time
from dataclasses import dataclass
from pathlib import Path

import click

from benchmarks.command import errors_said
from dcgan_edge.artifact import Manifest
from dcgan_edge.cli.progress import steps
from dcgan_edge.errors import UsageError
from dcgan_edge.export.pipeline import export
from dcgan_edge.models import PRESETS
from dcgan_edge.runtime.bench.measure import measure
from dcgan_edge.runtime.bench.plan import BenchPlan
from dcgan_edge.runtime.bench.record import Measurement
from dcgan_edge.runtime.session import open_session
from dcgan_edge.sampling import sample_to_folder
from dcgan_edge.training import CHECKPOINT_NAME

BATCHES = (1, 16)
HEAD = (
    "preset",
    "fp16 file",
    "fp16 parity",
    "engine for {target}",
    "64 images sampled",
    "batch 1",
    "batch 16",
)


@dataclass(frozen=True)
class Exported:
    """A preset's artifacts, and the seconds that sampling 64 seeds took, start and PNG files included."""

    fp16: Path
    proof: Manifest
    engine: Manifest
    sampling_s: float


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--seed", default=0, show_default=True, help="Which run of each preset.")
@click.option("--target", default="sm86", show_default=True, help="The engines' GPU.")
@click.option("--duration", default=3.0, show_default=True, help="Seconds for each preset and batch.")
@errors_said()
def main(folder: Path, seed: int, target: str, duration: float) -> None:
    """Take every preset whose checkpoint lies in FOLDER through export, engine, sampling and benchmark."""
    checkpoints = {preset: folder / preset / f"seed{seed}" / CHECKPOINT_NAME for preset in PRESETS}
    found = {preset: path for preset, path in checkpoints.items() if path.is_file()}
    with steps() as say:
        if not found:
            raise UsageError(f"{folder} has no run of seed {seed}; make some with dcgan-edge compare-archs.")
        exported = {}
        for preset, checkpoint in found.items():
            say(f"exporting {preset}")
            exported[preset] = _export(checkpoint, folder / "artifacts" / preset, target)
        openers = [
            (preset, functools.partial(open_session, each.fp16, device="cpu"))
            for preset, each in exported.items()
        ]
        report = measure(openers, BenchPlan(BATCHES, duration_s=duration), progress=say)
    click.echo(_row(*(title.format(target=target) for title in HEAD)))
    click.echo(_row("---", *["---:"] * (len(HEAD) - 1)))
    for preset, each in exported.items():
        taken = [m for m in report.measurements if m.name == preset]
        click.echo(_row(f"`{preset}`", *_cells(each), *map(_timing, taken)))


def _export(checkpoint: Path, folder: Path, target: str) -> Exported:
    written = export(checkpoint, folder, engine=True, targets=(target,))
    manifests = {each.path: each.manifest for each in written}
    fp16, proof = next(
        (path, m) for path, m in manifests.items() if m.kind == "onnx" and m.precision == "fp16"
    )
    engine = next(manifest for manifest in manifests.values() if manifest.kind != "onnx")
    start = time.perf_counter()
    with open_session(fp16, device="cpu") as session:
        sample_to_folder(session, range(64), folder / "samples", layout=(8, 8), scale=2)
    return Exported(fp16, proof, engine, time.perf_counter() - start)


def _cells(each: Exported) -> tuple[str, ...]:
    parity = each.proof.parity
    return (
        f"{each.proof.size / 2**20:.2f} MiB",
        f"{parity['max_abs']:.1e}, {parity['worst_psnr_db']:.1f} dB, {parity['grey_levels']} grey levels",
        f"{each.engine.size / 2**20:.2f} MiB, {each.engine.precision}",
        f"{each.sampling_s:.2f} s",
    )


def _timing(measurement: Measurement) -> str:
    mark = "" if measurement.verdict == "STABLE" else " (unstable)"
    return f"{measurement.statistics.median:.3f} ms{mark}"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
