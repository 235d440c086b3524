"""Options that commands of `dcgan-edge latent` share."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from dcgan_edge.cli import Command, json_option
from dcgan_edge.cli.options import FiniteRange, backend_option, device_option, threads_option
from dcgan_edge.latent.plan import MOST, MOST_PRIOR, MOST_RATE, SearchPlan
from dcgan_edge.seeds import MAX_SEED

scale_option = click.option(
    "--scale", type=click.IntRange(1, 64), default=2, show_default=True, help="Draw each pixel N x N."
)
one_class_option = click.option(
    "--class",
    "class_name",
    metavar="NAME",
    help="Class of everything, by name or number; a generator with classes needs it.",
)
INPAINT_OPTIONS = [
    click.option(
        "--mask",
        default="centre",
        show_default=True,
        help="Hide the centre, random pixels or the left; or what is white in a picture.",
    ),
    click.option(
        "--missing",
        type=FiniteRange(0, 1, min_open=True, max_open=True),
        help="Hide this share of the image.  [default: centre 0.25, left 0.5, random 0.8]",
    ),
    click.option(
        "--blend",
        type=click.Choice(["poisson", "overlay"]),
        default="poisson",
        show_default=True,
        help="Take over only the gradients of the generated pixels, or the pixels.",
    ),
    click.option(
        "--answer",
        type=click.Choice(["completion", "average"]),
        default="completion",
        show_default=True,
        help="Write the best solution, or the mean of all: blurred, and nearer in PSNR.",
    ),
    click.option(
        "--no-truth",
        "truth",
        flag_value=False,
        type=bool,
        default=True,
        help="Print no figures, since what the mask hides is damaged in the files too.",
    ),
]
DENOISE_OPTIONS = [
    click.option(
        "--sigma",
        type=FiniteRange(0, 100, min_open=True),
        help="Add noise of this standard deviation, on the scale [-1, 1].  [default: 0.3]",
    ),
    click.option(
        "--noisy", is_flag=True, help="Add no noise and print no figures: the images are noisy already."
    ),
    click.option(
        "--answer",
        type=click.Choice(["projection", "average"]),
        default="projection",
        show_default=True,
        help="Write the best solution, or the mean of all.",
    ),
]


def session_options(command: Command) -> Command:
    """Add the artifact, where it runs, and --json."""
    artifact = click.argument("artifact", type=click.Path(path_type=Path))
    return all_of([artifact, device_option, backend_option, threads_option, json_option])(command)


def plan_options(default: SearchPlan, *, with_loss: bool = True) -> Callable[[Command], Command]:
    """Add how latents are searched for, with the defaults of one command, which gets it all as `plan`."""
    options = [
        _number("--steps", click.IntRange(1, MOST["steps"]), default.steps, "Steps of Adam."),
        _number(
            "--restarts", click.IntRange(1, MOST["restarts"]), default.restarts,
            "Starts for each image, the nearest samples of the pool.",
        ),
        _number("--pool", click.IntRange(1, MOST["pool"]), default.pool, "Samples to take starts from."),
        _number(
            "--learning-rate", FiniteRange(0, MOST_RATE, min_open=True), default.learning_rate,
            "First learning rate of Adam; it falls as a cosine.",
        ),
        _number(
            "--lambda", FiniteRange(0, MOST_PRIOR), default.prior,
            "Weight of the discriminator's judgement.", "prior",
        ),
        _number(
            "--seed", click.IntRange(0, MAX_SEED - 10_000_000), default.seed,
            "Draw starts, noise and random masks from this seed on.",
        ),
    ]  # fmt: skip
    names = ["steps", "restarts", "pool", "learning_rate", "prior", "seed"]
    if with_loss:
        names.append("loss")
        options.append(
            click.option(
                "--loss",
                type=click.Choice(["l1", "l2"]),
                default=default.loss,
                show_default=True,
                help="Count absolute or squared differences of pixels.",
            )
        )

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def planned(**values: Any) -> Any:
            chosen = {name: values.pop(name) for name in names}
            return command(plan=dataclasses.replace(default, **chosen), **values)

        decorated: Command = all_of(options)(planned)  # type: ignore[assignment]
        return decorated

    return decorate


def picture_options(count: int) -> Callable[[Command], Command]:
    """Add the checkpoint, the images, the device, how results are drawn, and --json."""
    return all_of(
        [
            click.argument("checkpoint", type=click.Path(path_type=Path)),
            click.option(
                "--data",
                default="digits",
                show_default=True,
                help="Take the test images of 'digits', of an IDX, CIFAR-10 or SVHN folder; a folder of "
                "pictures; or one picture.",
            ),
            _number("--images", click.IntRange(1, 100_000), count, "Restore so many of them.", "count"),
            _number("--first", click.IntRange(0, 10**9), 0, "Begin with this image, counted from 0."),
            one_class_option,
            _number("--show", click.IntRange(1, 1000), 10, "Draw the first N images.", "shown"),
            scale_option,
            device_option,
            json_option,
        ]
    )


def out_option(default: str) -> Callable[[Command], Command]:
    """Add --out, the folder of the results."""
    return click.option(
        "--out",
        type=click.Path(path_type=Path),
        default=default,
        show_default=True,
        help="Write the results into this folder.",
    )


def all_of(options: Sequence[Callable[[Command], Command]]) -> Callable[[Command], Command]:
    """Return one decorator that does all of `options`, so that help lists them in their order."""

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def _number(
    name: str, kind: click.ParamType[Any], default: float, text: str, parameter: str | None = None
) -> Callable[[Command], Command]:
    names = (name, parameter) if parameter else (name,)
    return click.option(*names, type=kind, default=default, show_default=True, help=text)
