"""`dcgan-edge train`: images to a checkpoint."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dcgan_edge.cli import is_quiet, json_option, print_json
from dcgan_edge.cli.options import FiniteRange
from dcgan_edge.cli.progress import stderr
from dcgan_edge.errors import UnavailableError, UsageError
from dcgan_edge.latents import MAX_SEED
from dcgan_edge.models import CHANNELS, PRESETS

if TYPE_CHECKING:
    from dcgan_edge.training import Event, Progress, TrainConfig, TrainResult
    from dcgan_edge.training.vital_signs import Classify

FREE_ON_RESUME = ("out", "resume", "epochs", "minutes", "device", "dry_run", "as_json")


@click.command("train")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of the run.")
@click.option(
    "--data", default="digits", show_default=True, help="'digits', a folder of pictures or of IDX files."
)
@click.option(
    "--arch", type=click.Choice(list(PRESETS)), default="dcgan", show_default=True, help="Networks to train."
)
@click.option("--size", type=click.IntRange(min=1), help="Pixels. [default: 28 for digits and IDX, else 64]")
@click.option(
    "--channels",
    type=click.Choice([str(c) for c in CHANNELS]),
    help="[default: 1 if the images are grey, else 3]",
)
@click.option(
    "--width",
    type=click.IntRange(min=1),
    default=64,
    show_default=True,
    help="Channels at the finest level; each coarser one has twice as many.",
)
@click.option(
    "--latent-dim", type=click.IntRange(min=1), default=100, show_default=True, help="Size of a latent."
)
@click.option(
    "--distribution",
    type=click.Choice(["normal", "uniform"]),
    default="normal",
    show_default=True,
    help="Distribution of the latents: N(0, 1) or U(-1, 1).",
)
@click.option("--batch", type=click.IntRange(min=2), default=128, show_default=True, help="Images per step.")
@click.option("--epochs", type=click.IntRange(min=1), help="Passes over the data. [default: 25]")
@click.option(
    "--minutes", type=FiniteRange(min=0, min_open=True), help="Train so long instead, over all resumes."
)
@click.option(
    "--seed",
    type=click.IntRange(0, MAX_SEED),
    default=0,
    show_default=True,
    help="Of weights, order and latents.",
)
@click.option(
    "--precision",
    type=click.Choice(["auto", "fp32", "bf16"]),
    default="auto",
    show_default=True,
    help="bf16 is autocast; auto measures which is faster.",
)
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="What is asked for and not here is an error.",
)
@click.option("--resume", is_flag=True, help="Go on with the run in --out, in its own configuration.")
@click.option("-n", "--dry-run", is_flag=True, help="Print the configuration and stop.")
@json_option
@click.pass_context
def command(
    ctx: click.Context, /, out: Path, resume: bool, dry_run: bool, as_json: bool, **asked: Any
) -> None:
    """Train a GAN on a folder of images. The folder --out gets checkpoint.safetensors, metrics.jsonl and
    grids of samples. Ctrl-C saves; --resume goes on from there, or from the last save of a run that was
    killed. When a run goes wrong (mode collapse, a discriminator that wins or is lost, gradients that
    explode or vanish) it is said while it happens, with what to try.

    \b
    dcgan-edge train --data digits --minutes 3 --out runs/digits
    dcgan-edge train --data photos --size 64 --epochs 50 --out runs/photos
    dcgan-edge train --resume --epochs 100 --out runs/photos
    """
    with _needs_torch():
        from dcgan_edge.training import train

        config = _resumed(ctx, out, asked) if resume else _requested(asked)
        if dry_run:
            _show_plan(config, out, resume=resume, as_json=as_json)
            return
        with training_bar() as progress, _says_how_to_resume(out):
            result = train(config, out, resume=resume, progress=progress, classify=_classifier(config))
    _show_result(result, as_json=as_json)


@contextlib.contextmanager
def training_bar() -> Iterator[Callable[[Progress], None]]:
    """A bar of the budget with losses and speed, and a line for each event that the monitor reports, -q or
    not; call what is yielded with the progress of `train`.
    """
    from rich import progress as bars

    columns = (
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.TaskProgressColumn(),
        bars.TextColumn("{task.fields[facts]}"),
        bars.TimeRemainingColumn(),
    )
    console = stderr()
    with bars.Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        tasks: dict[str, bars.TaskID] = {}

        def update(progress: Progress) -> None:
            if progress.stage not in tasks:
                for task in tasks.values():
                    bar.remove_task(task)
                tasks[progress.stage] = bar.add_task(STAGES[progress.stage], total=1.0, facts="")
            bar.update(tasks[progress.stage], completed=progress.fraction, facts=_facts(progress))
            for event in progress.events:
                if is_quiet():
                    click.echo(str(event), err=True)  # a warning, which -q lets through
                else:
                    console.print(str(event), markup=False, soft_wrap=True)

        yield update


STAGES = {"read": "reading images", "train": "training"}


def _facts(progress: Progress) -> str:
    if progress.losses is None:
        return f"{progress.step}/{progress.steps}"
    return (
        f"step {progress.step}, epoch {progress.epoch}, loss D {progress.losses.loss_d:.2f} "
        f"G {progress.losses.loss_g:.2f}, {progress.images_per_second:,.0f} images/s"
    )


def _classifier(config: TrainConfig) -> Classify | None:
    """The shipped digit classifier where it can be asked: grey images of its size, from digits or IDX files.

    It runs in PyTorch: the threads of ONNX Runtime would get in the way of the training's.
    """
    from dcgan_edge.data import DIGITS
    from dcgan_edge.data.idx import is_idx_folder
    from dcgan_edge.evaluation.classifier import SIZE, load_digit_features

    architecture = config.architecture
    if (architecture.size, architecture.channels) != (SIZE, 1):
        return None
    if config.data != DIGITS and not is_idx_folder(Path(config.data)):
        return None
    return load_digit_features("torch").logits


@contextlib.contextmanager
def _needs_torch() -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name not in ("torch", "safetensors"):
            raise
        raise UnavailableError(
            f"Training needs {error.name}, which is not installed: pip install 'dcgan-edge[train]'"
        ) from error


@contextlib.contextmanager
def _says_how_to_resume(out: Path) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        if any(out.glob("checkpoint.safetensors")):
            stderr().print(
                f"The run is kept. Go on with: dcgan-edge train --resume --out {out}", soft_wrap=True
            )
        raise


def _requested(asked: dict[str, Any]) -> TrainConfig:
    """The configuration that the options ask for, its defaults taken from the data."""
    from dcgan_edge.artifact import Architecture
    from dcgan_edge.data import native_channels, native_size
    from dcgan_edge.training import TrainConfig
    from dcgan_edge.training.config import DEFAULT_EPOCHS

    data, epochs, minutes = asked["data"], asked["epochs"], asked["minutes"]
    if epochs is not None and minutes is not None:
        raise UsageError("Give --epochs or --minutes, not both.")
    architecture = Architecture(
        asked["arch"],
        asked["size"] or native_size(data),
        int(asked["channels"] or native_channels(data)),
        asked["width"],
        asked["latent_dim"],
        asked["distribution"],
    )
    return TrainConfig(
        architecture,
        data=data,
        batch=asked["batch"],
        epochs=DEFAULT_EPOCHS if epochs is None and minutes is None else epochs,
        minutes=minutes,
        seed=asked["seed"],
        device=asked["device"],
        precision=asked["precision"],
    )


def _resumed(ctx: click.Context, out: Path, asked: dict[str, Any]) -> TrainConfig:
    """The configuration of the run in `out`. Refuses options that it cannot take any more."""
    from dcgan_edge.training import resumed_config

    typed = [
        name for name in asked if ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
    ]
    fixed = [f"--{name.replace('_', '-')}" for name in typed if name not in FREE_ON_RESUME]
    if fixed:
        raise UsageError(
            f"A resumed run keeps its configuration: leave out {', '.join(fixed)}. Only --epochs, --minutes "
            "and --device may be given."
        )
    if asked["epochs"] is not None and asked["minutes"] is not None:
        raise UsageError("Give --epochs or --minutes, not both.")
    config = resumed_config(out, epochs=asked["epochs"], minutes=asked["minutes"])
    return dataclasses.replace(config, device=asked["device"]) if "device" in typed else config


def _show_plan(config: TrainConfig, out: Path, *, resume: bool, as_json: bool) -> None:
    from dcgan_edge.training.precision import resolve_device

    facts: dict[str, Any] = {**config.to_dict(), "device": str(resolve_device(config.device))}
    if as_json:
        print_json({"dry_run": True, "out": str(out), "resume": resume, "config": facts})
        return
    facts = {**facts.pop("architecture"), **facts, "out": out}
    for name, value in facts.items():
        if value is not None:
            click.echo(f"{name.replace('_', ' '):<20} {value}")


def print_events(events: Sequence[Event]) -> None:
    """Sum up on stdout what the monitor saw; nothing where it saw nothing."""
    if events:
        click.echo("\nWhat went wrong (docs/training.md says more):")
    for event in events:
        click.echo(f"  {event}")


def _show_result(result: TrainResult, *, as_json: bool) -> None:
    if as_json:
        paths = {name: str(getattr(result, name)) for name in ("checkpoint", "grid", "metrics")}
        print_json({**dataclasses.asdict(result), **paths})
        return
    click.echo(
        f"Trained {result.step:,} steps, {result.images:,} images, in {result.seconds:,.0f} s "
        f"({result.precision} on {result.device}, {result.images_per_second:,.0f} images/s)."
    )
    click.echo(f"Checkpoint: {result.checkpoint}\nSamples:    {result.grid}\nMetrics:    {result.metrics}")
    print_events(result.events)
    click.echo(
        f"\nNext:\n  dcgan-edge export {result.checkpoint} --out {result.checkpoint.parent / 'export'}"
    )
