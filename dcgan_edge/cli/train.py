"""`dcgan-edge train`: images to a checkpoint."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dcgan_edge.cli import Command, json_option, print_json
from dcgan_edge.cli.options import DEVICE, FiniteRange, Minutes
from dcgan_edge.cli.progress import stderr
from dcgan_edge.cli.training import show_result, training_bar
from dcgan_edge.latents import Distribution
from dcgan_edge.models import CHANNELS, PRESETS
from dcgan_edge.recipes import DEFAULT_RECIPE, RECIPES
from dcgan_edge.seeds import MAX_SEED
from dcgan_edge.words import quoted

if TYPE_CHECKING:
    from dcgan_edge.training import TrainConfig
    from dcgan_edge.training.config import TrainPrecision


def _option(name: str, kind: Any, what: str, default: object = None) -> Callable[[Command], Command]:
    """Return an option without a value of its own: what is not given is the default, or the resumed run's."""
    return click.option(name, type=kind, help=what if default is None else f"{what} [default: {default}]")


OF_THE_RECIPE = "the recipe's"

OPTIONS = (
    _option(
        "--data",
        str,
        "'digits'; a folder of pictures, IDX files, CIFAR-10 or SVHN; an archive; a packed file.",
        "digits",
    ),
    _option("--arch", click.Choice(list(PRESETS)), "Networks to train.", "dcgan"),
    _option("--size", click.IntRange(min=1), "Side of the images in pixels.", "28 for digits, else 64"),
    _option(
        "--channels",
        click.Choice([str(number) for number in CHANNELS]),
        "Channels of the images.",
        "1 if they are grey, else 3",
    ),
    _option(
        "--width",
        click.IntRange(min=1),
        "Channels at the finest level; each coarser one has twice as many.",
        64,
    ),
    _option("--latent-dim", click.IntRange(min=1), "Number of components of a latent.", 100),
    _option(
        "--distribution",
        click.Choice(["normal", "uniform"]),
        "Distribution of the latents: N(0, 1) or U(-1, 1).",
        "normal",
    ),
    click.option(
        "--conditional",
        is_flag=True,
        default=None,
        help="Learn the classes of the data too, so that they can be asked for: of digits, IDX files with "
        "labels, CIFAR-10, SVHN, or a folder with one folder for each class.",
    ),
    _option(
        "--recipe",
        click.Choice(list(RECIPES)),
        "How the networks are trained; paper is the DCGAN paper's way.",
        DEFAULT_RECIPE,
    ),
    _option("--batch", click.IntRange(min=2), "Batch size: images per step.", OF_THE_RECIPE),
    _option("--epochs", click.IntRange(min=1), "Passes over the data.", 25),
    _option(
        "--minutes",
        Minutes(),
        "Training time in minutes, resumed runs included, instead of --epochs; 90s or 2h are understood.",
    ),
    _option(
        "--seed", click.IntRange(0, MAX_SEED), "Seed of the weights, the order of images and the latents.", 0
    ),
    _option(
        "--precision",
        click.Choice(["auto", "fp32", "bf16"]),
        "Arithmetic of the networks. bf16 is autocast; auto is bf16 on NVIDIA GPUs since Ampere, else fp32.",
        "auto",
    ),
    click.option(
        "--device",
        type=DEVICE,
        metavar="auto|cpu|cuda[:N]",
        help="What computes. Fail if it is not available; never fall back to the CPU. [default: auto]",
    ),
    _option(
        "--shards",
        click.IntRange(min=1),
        "Parts of a batch, each taken by a thread of its own on a CPU; 1 leaves it to torch's threads.",
        "as many as there are cores for",
    ),
    _option("--learning-rate", FiniteRange(min=0, min_open=True), "Learning rate of Adam.", OF_THE_RECIPE),
    _option("--beta1", FiniteRange(0, 1, max_open=True), "Decay of Adam's first moment.", OF_THE_RECIPE),
    _option(
        "--ema-decay",
        FiniteRange(0, 1, max_open=True),
        "Decay per step of the averaged generator, which is exported.",
        OF_THE_RECIPE,
    ),
    _option("--log-every", click.IntRange(min=1), "Steps between two lines of metrics.jsonl.", 10),
    _option("--grid-every", click.IntRange(min=1), "Steps between two grids of samples.", 500),
    _option(
        "--keep",
        click.IntRange(min=0),
        "Number of checkpoints, one at each grid, to keep beside the last one.",
        0,
    ),
    _option(
        "--eval-every",
        click.IntRange(min=1),
        "Steps between two evaluations of FID on held-out images; the best checkpoint is kept.",
    ),
    _option("--eval-data", str, "Evaluate with these images, as for --data.", "the test images of --data"),
    click.option(
        "--tensorboard/--no-tensorboard", default=None, help="Write event files for TensorBoard as well."
    ),
)


def training_options(command: Command) -> Command:
    """Add all settings of a training to `command`."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


@click.command("train")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of the run.")
@training_options
@click.option("--resume", is_flag=True, help="Go on with the run in --out, in its own settings.")
@click.option("-n", "--dry-run", is_flag=True, help="Print the settings and stop.")
@json_option
def command(
    out: Path,
    data: str | None,
    arch: str | None,
    size: int | None,
    channels: str | None,
    width: int | None,
    latent_dim: int | None,
    distribution: Distribution | None,
    conditional: bool | None,
    recipe: str | None,
    batch: int | None,
    epochs: int | None,
    minutes: float | None,
    seed: int | None,
    precision: TrainPrecision | None,
    device: str | None,
    shards: int | None,
    learning_rate: float | None,
    beta1: float | None,
    ema_decay: float | None,
    log_every: int | None,
    grid_every: int | None,
    keep: int | None,
    eval_every: int | None,
    eval_data: str | None,
    tensorboard: bool | None,
    resume: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Train a GAN on a folder of images.

    The folder --out gets checkpoint.safetensors, metrics.jsonl and grids of samples. Ctrl-C and SIGTERM save;
    --resume goes on from there, or from the last save of a run that was killed. Mode collapse, a
    discriminator that wins or is lost, and gradients that explode or vanish are reported while the run
    trains, with what to try.

    \b
    dcgan-edge train --data digits --minutes 3 --out runs/digits
    dcgan-edge train --data digits --conditional --minutes 3 --out runs/sevens
    dcgan-edge train --data photos --size 64 --epochs 50 --keep 3 --eval-every 500 --out runs/photos
    dcgan-edge train --resume --epochs 100 --out runs/photos
    """
    from dcgan_edge.training.request import TrainRequest, resolve, run_request

    request = TrainRequest(
        data, arch, size, int(channels) if channels else None, width, latent_dim, distribution, conditional,
        recipe, batch, epochs, minutes, seed, precision, device, shards, learning_rate, beta1, ema_decay,
        log_every,
        grid_every, keep, eval_every, eval_data, tensorboard,
    )  # fmt: skip
    if dry_run:
        _show_plan(resolve(request, out, resume=resume), out, resume=resume, as_json=as_json)
        return
    with training_bar() as progress, _says_how_to_resume(out):
        result = run_request(request, out, resume=resume, progress=progress)
    show_result(result, as_json=as_json)


@contextlib.contextmanager
def _says_how_to_resume(out: Path) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        if any(out.glob("checkpoint.safetensors")):
            stderr().print(
                f"The run is kept. Go on with: dcgan-edge train --resume --out {quoted(out)}",
                markup=False,
                soft_wrap=True,
            )
        raise


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
