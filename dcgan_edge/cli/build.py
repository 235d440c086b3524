"""`dcgan-edge build`: ONNX files to TensorRT engines, on the device or ahead of time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dcgan_edge.cli import Command, json_option, print_json
from dcgan_edge.cli.options import DEVICE, SIZE, Duration, targets_option
from dcgan_edge.cli.progress import stderr, steps

if TYPE_CHECKING:
    from rich.table import Table

    from dcgan_edge.export.tensorrt.build import BuiltEngine
    from dcgan_edge.export.tensorrt.config import Compatibility
    from dcgan_edge.export.tensorrt.process import BuildProgress

BATCH = click.IntRange(min=1)
OPTIONS = (
    targets_option,
    click.option(
        "--device",
        type=DEVICE,
        default="auto",
        show_default=True,
        metavar="auto|cuda[:N]",
        help="GPU of this machine to build for. Fail if it is not available.",
    ),
    click.option(
        "--min-batch", type=BATCH, help="Smallest number of images per call. [default: the graph's]"
    ),
    click.option(
        "--opt-batch", type=BATCH, help="Number of images per call to tune for. [default: the graph's]"
    ),
    click.option("--max-batch", type=BATCH, help="Largest number of images per call. [default: the graph's]"),
    click.option(
        "--workspace",
        type=SIZE,
        help="Memory that a layer may use, 256 is MiB. [default: 256MiB, less on a small Jetson]",
    ),
    click.option(
        "--optimization-level",
        type=click.IntRange(0, 5),
        help="Effort of the builder: 0 builds quickest, 5 makes the fastest engine.",
    ),
    click.option(
        "--hardware-compat",
        type=click.Choice(["none", "ampere-plus", "same-compute-capability"]),
        default="none",
        show_default=True,
        help="Let other GPUs run the engine as well, at some cost in speed.",
    ),
    click.option("--version-compatible", is_flag=True, help="Let later TensorRT versions run the engine."),
    click.option("--no-cache", is_flag=True, help="Build even if the same engine was built before."),
    click.option(
        "--timeout", type=Duration(least=1), default="1h", show_default=True, help="Longest time for a build."
    ),
    click.option(
        "--out", type=click.Path(path_type=Path), help="Folder to write into. [default: beside the ONNX file]"
    ),
    json_option,
)


def _options(command: Command) -> Command:
    for option in reversed(OPTIONS):
        command = option(command)
    return command


@click.command("build")
@click.argument("onnx", nargs=-1, required=True, type=click.Path(path_type=Path))
@_options
def command(
    onnx: tuple[Path, ...],
    targets: tuple[str, ...],
    device: str,
    min_batch: int | None,
    opt_batch: int | None,
    max_batch: int | None,
    workspace: int | None,
    optimization_level: int | None,
    hardware_compat: Compatibility,
    version_compatible: bool,
    no_cache: bool,
    timeout: float,
    out: Path | None,
    as_json: bool,
) -> None:
    """Build engines from ONNX files of this program.

    Without --target, build for the GPU of this machine; where there is none, TensorRT-RTX builds ahead of
    time for sm86, sm89 and sm120. With --target, it builds for sm75, sm80, sm86, sm89, sm120 and sm121,
    several in one file.

    \b
    dcgan-edge build out/generator.fp16.onnx
    dcgan-edge build out/generator.fp16.onnx --target sm86 --target sm89 --out engines
    dcgan-edge build out/generator.fp16.onnx --device cuda:1 --max-batch 16 --workspace 64MiB
    """
    from dcgan_edge.cli.tables import show
    from dcgan_edge.export.tensorrt.build import build

    built = []
    with steps() as say:
        for path in onnx:
            say(f"building {path.name}")
            engine = build(
                path,
                out,
                targets=targets,
                device=device,
                min_batch=min_batch,
                opt_batch=opt_batch,
                max_batch=max_batch,
                workspace=workspace,
                optimization_level=optimization_level,
                hardware_compat=hardware_compat,
                version_compatible=version_compatible,
                use_cache=not no_cache,
                timeout=timeout,
                progress=_phases(path.name, say),
            )
            built.append(engine)
    if as_json:
        print_json({"files": [engine.to_dict() for engine in built]})
    else:
        show(_table(built))


def _phases(name: str, say: Callable[[str], None]) -> BuildProgress:
    """Say each phase of the builder as it begins, where a person watches."""
    told: set[str] = set()

    def progress(phase: str, done: int, total: int) -> None:
        if stderr().is_terminal and phase not in told:
            say(f"building {name}: {phase}")
        told.add(phase)

    return progress


def _table(built: Sequence[BuiltEngine]) -> Table:
    from dcgan_edge.cli.tables import new_table
    from dcgan_edge.words import parity_words, size_words

    table = new_table("engine", "batch", ">size", "sha256", ">time", "~parity")
    for engine in built:
        manifest = engine.manifest
        batch = f"{manifest.batch.min}-{manifest.batch.max}, best {manifest.batch.opt}"
        seconds = "cached" if engine.cached else f"{engine.seconds:.1f} s"
        digest, verdict = manifest.sha256[:12], parity_words(manifest)
        table.add_row(engine.path.name, batch, size_words(manifest.size), digest, seconds, verdict)
    return table
