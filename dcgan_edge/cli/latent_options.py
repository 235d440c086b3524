"""Options that commands of `dcgan-edge latent` share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from dcgan_edge.cli import Command, json_option
from dcgan_edge.cli.options import FiniteRange, backend_option, device_option, threads_option
from dcgan_edge.latents import MAX_SEED
from dcgan_edge.runtime.session import Session

scale_option = click.option(
    "--scale", type=click.IntRange(1, 64), default=2, show_default=True, help="Draw each pixel N x N."
)


def session_options(command: Command) -> Command:
    """The artifact, where it runs, how large pixels are drawn, and --json."""
    artifact = click.argument("artifact", type=click.Path(path_type=Path))
    return _all([artifact, scale_option, device_option, backend_option, threads_option, json_option])(command)


def session_facts(session: Session, artifact: Path) -> dict[str, Any]:
    """What a document says about the artifact that made its pictures."""
    return {"artifact": str(artifact), "sha256": session.manifest.sha256, "session": session.facts.to_dict()}


def plan_options(
    *, steps: int, restarts: int, prior: float, loss: str | None
) -> Callable[[Command], Command]:
    """How latents are searched, and where; with the defaults of one command."""
    options = [
        click.option(
            "--steps",
            type=click.IntRange(1, 100_000),
            default=steps,
            show_default=True,
            help="Steps of Adam.",
        ),
        click.option(
            "--restarts",
            type=click.IntRange(1, 1000),
            default=restarts,
            show_default=True,
            help="Starts for each image, the nearest samples of the pool.",
        ),
        click.option(
            "--pool",
            type=click.IntRange(min=1),
            default=1024,
            show_default=True,
            help="Samples that starts are taken from.",
        ),
        click.option(
            "--learning-rate",
            type=FiniteRange(0, min_open=True),
            default=0.1,
            show_default=True,
            help="Of Adam; it falls as a cosine.",
        ),
        click.option(
            "--lambda",
            "prior",
            type=FiniteRange(min=0),
            default=prior,
            show_default=True,
            help="Weight of the discriminator's judgement.",
        ),
        click.option(
            "--seed",
            type=click.IntRange(0, MAX_SEED - 10_000_000),
            default=0,
            show_default=True,
            help="Of starts, noise and random masks.",
        ),
        click.option(
            "--device",
            type=click.Choice(["auto", "cpu", "cuda"]),
            default="auto",
            show_default=True,
            help="What is asked for and not here is an error.",
        ),
    ]
    if loss:
        choice = click.Choice(["l1", "l2"])
        options.append(
            click.option("--loss", type=choice, default=loss, show_default=True, help="Absolute or squared.")
        )
    return _all(options)


def picture_options(count: int) -> Callable[[Command], Command]:
    """The checkpoint, the images and where the results go."""
    options = [
        click.option(
            "--data",
            default="digits",
            show_default=True,
            help="The test images of 'digits', an IDX, CIFAR-10 or SVHN folder; a folder of pictures; "
            "or one picture.",
        ),
        click.option(
            "--images",
            "count",
            type=click.IntRange(min=1),
            default=count,
            show_default=True,
            help="How many of them.",
        ),
        click.option(
            "--first", type=click.IntRange(min=0), default=0, show_default=True, help="Number of the first."
        ),
        click.option(
            "--show",
            "shown",
            type=click.IntRange(min=1),
            default=10,
            show_default=True,
            help="Images that the picture shows.",
        ),
        scale_option,
        json_option,
    ]
    return _all([click.argument("checkpoint", type=click.Path(path_type=Path)), *options])


def out_option(default: str) -> Callable[[Command], Command]:
    return click.option(
        "--out",
        type=click.Path(path_type=Path),
        default=default,
        show_default=True,
        help="Folder of the results.",
    )


def _all(options: list[Callable[[Command], Command]]) -> Callable[[Command], Command]:
    """One decorator that does all of `options`, so that help lists them in their order."""

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate
