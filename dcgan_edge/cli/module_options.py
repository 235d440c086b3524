"""The options of `dcgan-edge export --module`: somebody's own code in place of a checkpoint."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import click

from dcgan_edge.architecture import LARGEST
from dcgan_edge.cli.foreign_options import CLASSES, RANGE
from dcgan_edge.cli.options import Parsed
from dcgan_edge.errors import UsageError
from dcgan_edge.latents import Distribution


def parse_arguments(text: str) -> dict[str, Any]:
    """Read keyword arguments as a JSON object. Raises UsageError for anything else."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise UsageError(f'{text[:80]!r} is not a JSON object of arguments; write {{"nz": 100}}.')
    return found


@dataclass(frozen=True)
class ModuleOptions:
    """What was said of a module; None where nothing was."""

    module: str
    latent_dim: int
    module_args: Mapping[str, Any] | None = None
    weights: Path | None = None
    key: str | None = None
    classes: int | Sequence[str] | None = None
    distribution: Distribution | None = None
    value_range: tuple[float, float] | None = None


OPTIONS = (
    click.option(
        "--module",
        metavar="PACKAGE.MODULE:FACTORY",
        help="Export this torch.nn.Module instead of a CHECKPOINT. Its code is run here; the current folder "
        "is looked in as well.",
    ),
    click.option(
        "--module-args",
        type=Parsed("json", parse_arguments),
        metavar="JSON",
        help="""Keyword arguments of the factory, such as '{"nz": 64}'.""",
    ),
    click.option(
        "--weights",
        type=click.Path(path_type=Path),
        help="File of the module's state dict. [default: the weights that the factory makes]",
    ),
    click.option("--key", help="Part of that file that holds the generator, such as netG_state_dict."),
    click.option(
        "--latent-dim",
        type=click.IntRange(1, LARGEST["latent_dim"]),
        help="Number of components of the module's latents.",
    ),
    click.option(
        "--classes",
        type=CLASSES,
        help="Number of classes that the module takes, or their names: cat,dog.",
    ),
    click.option(
        "--distribution",
        type=click.Choice(get_args(Distribution)),
        help="Distribution of the module's latents. [default: normal]",
    ),
    click.option(
        "--range",
        "value_range",
        type=RANGE,
        metavar="LOW..HIGH",
        help="Range of the module's images: -1..1, 0..1 or 0..255. [default: told by the images]",
    ),
)
NAMES = tuple(ModuleOptions.__dataclass_fields__)


def module_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of a module to `command`, which gets them as `module`, None where there is none.

    Fails where one of them is given without --module, or --module without --latent-dim.
    """

    @functools.wraps(command)
    def collected(**values: Any) -> None:
        given = {name: value for name in NAMES if (value := values.pop(name)) is not None}
        if "module" not in given:
            if given:
                name = "--range" if "value_range" in given else f"--{next(iter(given)).replace('_', '-')}"
                raise UsageError(f"{name} describes a module; add --module PACKAGE.MODULE:FACTORY.")
            command(module=None, **values)
            return
        if "latent_dim" not in given:
            raise UsageError(f"How many numbers does {given['module']} take? Add --latent-dim N.")
        command(module=ModuleOptions(**given), **values)

    for option in reversed(OPTIONS):
        collected = option(collected)
    return collected
