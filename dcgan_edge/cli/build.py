"""`dcgan-edge build`: ONNX files to TensorRT engines, on the device or ahead of time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dcgan_edge.cli import json_option, print_json
from dcgan_edge.cli.options import SIZE, FiniteRange, targets_option
from dcgan_edge.cli.progress import stderr, steps

if TYPE_CHECKING:
    from rich.table import Table

    from dcgan_edge.artifact import Manifest
    from dcgan_edge.export.tensorrt.build import BuildOptions
    from dcgan_edge.export.tensorrt.config import Compatibility


@click.command("build")
@click.argument("onnx", nargs=-1, required=True, type=click.Path(path_type=Path))
@targets_option
@click.option(
    "--min-batch", type=click.IntRange(min=1), help="Fewest images per call. [default: the graph's]"
)
@click.option(
    "--opt-batch", type=click.IntRange(min=1), help="Images per call to tune for. [default: the graph's]"
)
@click.option("--max-batch", type=click.IntRange(min=1), help="Most images per call. [default: the graph's]")
@click.option(
    "--workspace", type=SIZE, help="Memory the layers may use. [default: 256MiB, less on a small Jetson]"
)
@click.option("--optimization-level", type=click.IntRange(0, 5), help="0: quick build, 5: quick engine.")
@click.option(
    "--hardware-compat",
    type=click.Choice(["none", "ampere-plus", "same-compute-capability"]),
    default="none",
    show_default=True,
    help="Which other GPUs run the engine as well, at some cost in speed.",
)
@click.option("--version-compatible", is_flag=True, help="Later versions of TensorRT run the engine as well.")
@click.option("--strip-plan", is_flag=True, help="Leave the weights out of the engine.")
@click.option("--refit", is_flag=True, help="Let the weights be exchanged later.")
@click.option("--no-cache", is_flag=True, help="Build even if the same engine was built before.")
@click.option(
    "--timeout", type=FiniteRange(min=1), default=3600, show_default=True, help="Seconds for a build."
)
@click.option("--out", type=click.Path(path_type=Path), help="Folder. [default: beside the ONNX file]")
@json_option
def command(
    onnx: tuple[Path, ...],
    targets: tuple[str, ...],
    min_batch: int | None,
    opt_batch: int | None,
    max_batch: int | None,
    workspace: int | None,
    optimization_level: int | None,
    hardware_compat: Compatibility,
    version_compatible: bool,
    strip_plan: bool,
    refit: bool,
    no_cache: bool,
    timeout: float,
    out: Path | None,
    as_json: bool,
) -> None:
    """Build engines from ONNX files of this program.

    Without --target, TensorRT builds for the GPU of this machine. With it, or where there is no GPU,
    TensorRT-RTX builds ahead of time for sm75, sm80, sm86, sm89, sm120 and sm121 (several in one file).

    \b
    dcgan-edge build out/generator.fp16.onnx
    dcgan-edge build out/generator.fp16.onnx --target sm86 --target sm89 --out engines
    dcgan-edge build out/generator.fp16.onnx --max-batch 16 --workspace 64MiB
    """
    from dcgan_edge.cli.tables import show
    from dcgan_edge.export.tensorrt.build import BuildOptions
    from dcgan_edge.export.tensorrt.config import Settings

    settings = Settings(optimization_level, hardware_compat, version_compatible, strip_plan, refit)
    options = BuildOptions(settings, use_cache=not no_cache, timeout=timeout)
    batches = (min_batch, opt_batch, max_batch)
    built = [_build(path, out or path.parent, targets, batches, workspace, options) for path in onnx]
    if as_json:
        print_json({"files": [engine.to_dict() for engine in built]})
    else:
        show(_table(built))


@dataclass(frozen=True)
class _Engine:
    """One engine that was written, how long that took and whether it had been built before."""

    path: Path
    manifest: Manifest
    seconds: float
    cached: bool

    def to_dict(self) -> dict[str, Any]:
        facts = {"path": str(self.path), "seconds": round(self.seconds, 3), "cached": self.cached}
        return {**facts, **self.manifest.to_dict()}


def _build(
    onnx: Path,
    folder: Path,
    targets: tuple[str, ...],
    batches: tuple[int | None, int | None, int | None],
    workspace: int | None,
    options: BuildOptions,
) -> _Engine:
    """Build one engine; where a person watches, the builder's phases are told as they begin."""
    from dcgan_edge.export.tensorrt.build import CACHE_HIT, batch_profile, build_engine

    phases: set[str] = set()
    monitored = stderr().is_terminal
    started = time.perf_counter()
    with steps() as say:
        say(f"building {onnx.name}")

        def progress(phase: str, done: int, total: int) -> None:
            if monitored and phase not in phases:
                say(f"building {onnx.name}: {phase}")
            phases.add(phase)

        path, manifest = build_engine(
            onnx,
            folder,
            targets=targets,
            batch=batch_profile(onnx, *batches),
            workspace=workspace,
            options=options,
            progress=progress,
        )
    return _Engine(path, manifest, time.perf_counter() - started, CACHE_HIT in phases)


def _table(built: Sequence[_Engine]) -> Table:
    from dcgan_edge.cli.tables import new_table
    from dcgan_edge.words import parity_words, size_words

    table = new_table("engine", "batch", ">size", "sha256", ">time", "~parity with PyTorch")
    for engine in built:
        manifest = engine.manifest
        batch = f"{manifest.batch.min}-{manifest.batch.max}, best {manifest.batch.opt}"
        seconds = "cached" if engine.cached else f"{engine.seconds:.1f} s"
        table.add_row(
            engine.path.name,
            batch,
            size_words(manifest.size),
            manifest.sha256[:12],
            seconds,
            parity_words(manifest),
        )
    return table
