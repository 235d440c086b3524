"""The whole way on the bundled digits: train, export, verify, sample, benchmark, report.

What a user would do with one command after the other, in one folder, and again from where it stopped.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dcgan_edge.artifact import Architecture, Manifest, read_file
from dcgan_edge.benchmarking import bench
from dcgan_edge.classes import DIGIT_NAMES
from dcgan_edge.evaluation.classifier import load_digit_features
from dcgan_edge.export.onnx.reference import TorchSession
from dcgan_edge.export.pipeline import export
from dcgan_edge.files import StrPath, check_writable, write_atomic
from dcgan_edge.recipes import recipe_settings
from dcgan_edge.report import ReportContent, WorstSeed, render, require_libraries, worst_seed
from dcgan_edge.runtime.bench.record import BenchReport
from dcgan_edge.runtime.parity import Parity
from dcgan_edge.runtime.session import open_session
from dcgan_edge.sampling import sample_to_folder
from dcgan_edge.training.checkpoint import CHECKPOINT_NAME
from dcgan_edge.training.config import TrainConfig
from dcgan_edge.training.loop import TrainProgress, TrainResult, run_training
from dcgan_edge.training.monitor import TrainEvent
from dcgan_edge.verification import verify
from dcgan_edge.words import quoted

BENCH_PATIENCE = 2.0
# Thousands of steps in three minutes, and a class to ask for.
ARCHITECTURE = Architecture("dcgan", size=28, channels=1, width=32, classes=DIGIT_NAMES)
TARGETS = ("sm86", "sm89", "sm120")
SEEDS = range(8)
PARITY_SEEDS = range(256)
LAYOUT = (8, 10)  # a row for each seed, a column for each class
GRIDS_SHOWN = 6


@dataclass(frozen=True)
class DemoResult:
    """What the demo made. `artifacts` are the checkpoint and what was exported from it, `events` what the
    monitor saw in the training.
    """

    report: Path
    artifacts: tuple[tuple[Path, Manifest], ...]
    parity: dict[str, Parity]
    bench: BenchReport
    events: tuple[TrainEvent, ...]


def run_demo(
    out: StrPath,
    *,
    minutes: float = 3.0,
    seed: int = 0,
    bench_seconds: float = 3.0,
    on_step: Callable[[str], None] | None = None,
    on_training: Callable[[TrainProgress], None] | None = None,
) -> DemoResult:
    """Run the whole way in folder `out`, and return what was made.

    Training takes `minutes` in all, and goes on where an earlier run in `out` stopped; `seed` is its seed.
    Each artifact and batch is measured for `bench_seconds`, or for BENCH_PATIENCE times as long where figures
    are not precise before. `on_step` is told in words what begins, `on_training` how far the training is.
    An engine is left out, and the report says so, where no builder is installed.

    Raises what the steps raise; UnavailableError before the first when a library of a later one is missing.
    """
    require_libraries()
    out, on_step = Path(out), on_step or (lambda step: None)
    for name in ("bench.json", "report.html"):
        check_writable(out / name)
    on_step(f"training {ARCHITECTURE.preset} on the bundled digits for {minutes:g} minutes")
    trained = _trained(out / "training", minutes, seed, on_training)
    checkpoint = trained.checkpoint

    engine = importlib.util.find_spec("tensorrt_rtx") is not None
    exported = export(
        checkpoint, out / "artifacts", engine=engine, targets=TARGETS if engine else (), progress=on_step
    )
    written = [(artifact.path, artifact.manifest) for artifact in exported]
    onnx_files = [path for path, manifest in written if manifest.kind == "onnx"]

    reference = TorchSession(checkpoint)
    on_step(f"verifying on {len(PARITY_SEEDS)} seeds")
    parity, worst = _verified(reference, checkpoint, onnx_files)
    on_step("sampling")
    with open_session(onnx_files[-1]) as session:
        classes = range(len(DIGIT_NAMES))
        *_, grid = sample_to_folder(session, SEEDS, out / "samples", classes=classes, layout=LAYOUT, scale=2)
    measured = _measured([checkpoint, *onnx_files], bench_seconds, on_step)
    write_atomic(out / "bench.json", measured.to_json().encode())

    on_step("writing the report")
    artifacts = ((checkpoint, reference.manifest), *written)
    content = ReportContent(
        title="A DCGAN of handwritten digits, from training to the edge",
        architecture=ARCHITECTURE,
        metrics=_metrics(checkpoint.parent),
        grids=_grids(checkpoint.parent),
        samples=read_file(grid),
        artifacts=[(path.name, manifest) for path, manifest in artifacts],
        parity=parity,
        worst_seeds=worst,
        runs={"demo": measured},
        commands=_commands(out, checkpoint, onnx_files, engine, minutes),
        notes=_notes(engine),
    )
    write_atomic(out / "report.html", render(content).encode())
    return DemoResult(out / "report.html", artifacts, parity, measured, trained.events)


def _measured(files: Sequence[Path], seconds: float, say: Callable[[str], None]) -> BenchReport:
    """Measure `files` side by side, with an end that the user can wait for."""
    return bench(files, duration_s=seconds, max_time_s=BENCH_PATIENCE * seconds * len(files), progress=say)


def _trained(
    folder: Path, minutes: float, seed: int, progress: Callable[[TrainProgress], None] | None
) -> TrainResult:
    """Train into `folder`, going on where an earlier run stopped."""
    config = TrainConfig(ARCHITECTURE, minutes=minutes, seed=seed, **recipe_settings())
    resume = (folder / CHECKPOINT_NAME).is_file()
    classify = load_digit_features("torch").logits
    return run_training(config, folder, resume=resume, progress=progress, classify=classify)


def _verified(
    reference: TorchSession, checkpoint: Path, paths: Sequence[Path]
) -> tuple[dict[str, Parity], list[WorstSeed]]:
    """Prove each file on all seeds, and return its parity and the images of its worst seed.

    The verdict is written into its manifest. Raises VerificationError when a file misses its gate.
    """
    verdicts, worst = {}, []
    for proof in verify(paths, checkpoint, seeds=PARITY_SEEDS, device="cpu"):
        proof.raise_if_failed()
        path, seed = proof.artifact.path, proof.parity.worst_seed
        verdicts[path.name] = proof.parity
        z = ARCHITECTURE.inputs([seed])
        with open_session(path, device="cpu") as candidate:
            worst.append(worst_seed(path.name, seed, reference.run(z)[0], candidate.run(z)[0]))
    return verdicts, worst


def _metrics(folder: Path) -> list[Mapping[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def _grids(folder: Path) -> list[tuple[str, bytes]]:
    """Some of the training's grids, spread evenly, the first and the last among them."""
    paths = sorted((folder / "samples").glob("step*.png"))
    last = len(paths) - 1
    chosen = (
        sorted({round(last * index / (GRIDS_SHOWN - 1)) for index in range(GRIDS_SHOWN)}) if paths else []
    )
    return [(f"step {int(paths[index].stem[4:]):,}", read_file(paths[index])) for index in chosen]


def _commands(
    out: Path, checkpoint: Path, onnx_files: Sequence[Path], engine: bool, minutes: float
) -> list[str]:
    """The same by single commands."""
    artifacts, names = quoted(out / "artifacts"), quoted(*onnx_files)
    targets = " --format engine " + " ".join(f"--target {target}" for target in TARGETS) if engine else ""
    return [
        f"dcgan-edge train --data digits --conditional --size {ARCHITECTURE.size} "
        f"--width {ARCHITECTURE.width} --minutes {minutes:g} --out {quoted(checkpoint.parent)}",
        f"dcgan-edge export {quoted(checkpoint)} --out {artifacts} --format onnx{targets}",
        f"dcgan-edge verify {quoted(checkpoint)} {names} --seeds 0-{PARITY_SEEDS[-1]}",
        f"dcgan-edge sample {quoted(onnx_files[-1])} --class all --seeds 0-{SEEDS[-1]} --grid 8x10 "
        f"--scale 2 --out {quoted(out / 'samples')}",
        f"dcgan-edge bench {quoted(checkpoint)} {names} --output {quoted(out / 'bench.json')}",
    ]


def _notes(engine: bool) -> list[str]:
    if not engine:
        return ["No engine was built: TensorRT-RTX is not installed (pip install 'dcgan-edge[rtx]')."]
    return [
        "The engine was compiled ahead of time for GPUs that this machine does not have. It has not run on "
        "hardware; what was measured against PyTorch is the ONNX file that it was compiled from."
    ]
