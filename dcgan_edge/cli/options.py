"""Options that several commands share, and the types that read their values."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click

from dcgan_edge.artifact import LAYOUTS, OUTPUTS, TARGETS
from dcgan_edge.cli import Command
from dcgan_edge.errors import UsageError
from dcgan_edge.runtime.device import BACKENDS, MOST_THREADS, parse_device
from dcgan_edge.seeds import MOST_IN_SETS, parse_seeds

if TYPE_CHECKING:
    ParamType = click.ParamType[Any]
else:
    ParamType = click.ParamType  # which is generic from click 8.4 on only

SIZE_UNITS = {
    "": 2**20, "b": 1, "kib": 2**10, "mib": 2**20, "gib": 2**30, "kb": 10**3, "mb": 10**6, "gb": 10**9
}  # fmt: skip
DURATION_UNITS = {"": 1.0, "ms": 1e-3, "s": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0}


def parse_size(text: str) -> int:
    """Read `256MiB`, `1.5GiB`, `500MB` into bytes; a bare number is in MiB, as trtexec has it.

    Raises UsageError for anything else, and for less than one byte or more than 2**63.
    """
    size = int(_quantity(text, SIZE_UNITS, "an amount of memory; write 256MiB or 1GiB"))
    if not 1 <= size < 2**63:
        raise UsageError(f"{text!r} is no possible amount of memory.")
    return size


def parse_duration(text: str) -> float:
    """Read `2s`, `200ms`, `1.5min`, `1h` into seconds; a bare number is in seconds.

    Raises UsageError for anything else, and for a negative or endless time.
    """
    return _quantity(text, DURATION_UNITS, "a duration; write 2s, 200ms or 1.5min")


def _quantity(text: str, units: Mapping[str, float], what: str) -> float:
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*([a-zA-Z]*)", text.strip())
    if match is None or match[2].lower() not in units:
        raise UsageError(f"{text!r} is not {what}.")
    value = float(match[1]) * units[match[2].lower()]
    if not math.isfinite(value):
        raise UsageError(f"{text!r} is too large.")
    return value


class Parsed(ParamType):
    """A value read by `parse`, whose UsageError becomes click's message about this option."""

    def __init__(self, name: str, parse: Any) -> None:
        self.name = name
        self._parse = parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return what `parse` makes of `value`. Fails with the sentence of its UsageError."""
        if not isinstance(value, str):
            return value
        try:
            return self._parse(value)
        except UsageError as error:
            self.fail(str(error), param, ctx)


def parse_percentiles(text: str) -> tuple[float, ...]:
    """Read `50,99,99.9`. Raises UsageError unless all lie between 0 and 100."""
    try:
        percents = tuple(float(part) for part in text.split(","))
    except ValueError:
        percents = ()
    if not percents or not all(0 < percent < 100 for percent in percents):
        raise UsageError(f"{text!r} is not a list of percentiles; write 50,90,99.")
    return percents


def parse_share(text: str) -> float:
    """Read `3%` or `0.03` into 0.03. Raises UsageError for anything that is not between 0 and 1."""
    number = text.strip()
    try:
        share = float(number[:-1]) / 100 if number.endswith("%") else float(number)
    except ValueError:
        share = math.nan
    if not 0 < share < 1:
        raise UsageError(f"{text!r} is not a share; write 3% or 0.03.")
    return share


class Duration(ParamType):
    """Seconds, read by `parse_duration`; `least` and `most` are allowed."""

    name = "duration"

    def __init__(self, least: float = 0.0, most: float = 86_400.0) -> None:
        self.least, self.most = least, most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the seconds that `value` says. Fails unless they are within the limits."""
        try:
            seconds = parse_duration(value) if isinstance(value, str) else float(value)
        except UsageError as error:
            self.fail(str(error), param, ctx)
        if not self.least <= seconds <= self.most:
            self.fail(f"{value!r} is not between {self.least:g} and {self.most:g} seconds.", param, ctx)
        return seconds


class Minutes(Duration):
    """Minutes, above 0: a bare number, or what `parse_duration` reads, with its unit."""

    name = "minutes"

    def __init__(self) -> None:
        super().__init__(least=0.0, most=60.0 * 1e6)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return `value` in minutes; fail for no duration, and for none at all."""
        bare = isinstance(value, str) and value.strip()[-1:].isdigit()
        minutes = super().convert(f"{value}min" if bare else value, param, ctx) / 60.0
        if isinstance(value, float):  # a default, which is in minutes
            minutes = value
        if minutes <= 0.0:
            self.fail(f"{value!r} is no time to train.", param, ctx)
        return minutes


class FiniteRange(click.FloatRange):
    """A FloatRange of finite numbers: click's own lets NaN through every bound."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number that `value` says. Fails unless it is finite and within the range."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number.", param, ctx)
        return number


PERCENTILES = Parsed("percentiles", parse_percentiles)
SHARE = Parsed("share", parse_share)
SIZE = Parsed("size", parse_size)
DEVICE = Parsed("device", lambda text: str(parse_device(text)))
MANY_SEEDS = Parsed("seeds", lambda text: parse_seeds(text, MOST_IN_SETS))
SEEDS = Parsed("seeds", lambda text: list(parse_seeds(text)))


def seeds_option(default: str, kind: Parsed = SEEDS) -> Callable[[Command], Command]:
    """Add `--seeds`, the latent seeds as a list of integers, or as `kind` has them."""
    return click.option(
        "--seeds",
        type=kind,
        default=default,
        show_default=True,
        help="Latent seeds, such as 7, 0-63 or 1,4,7-9. A seed is the same latent everywhere.",
    )


def class_option(help_text: str) -> Callable[[Command], Command]:
    """Add `--class`, names or numbers of classes as one text, which the generator's own names explain."""
    return click.option("--class", "classes", metavar="NAMES", help=help_text)


device_option = click.option(
    "--device",
    type=DEVICE,
    default="auto",
    show_default=True,
    metavar="auto|cpu|cuda[:N]",
    help="Device that computes. Fail if it is not available; never fall back to the CPU.",
)
backend_option = click.option(
    "--backend",
    type=click.Choice(BACKENDS),
    default="auto",
    show_default=True,
    help="Library or provider that runs the artifact. Fail if it is not available.",
)
threads_option = click.option(
    "--threads",
    type=click.IntRange(1, MOST_THREADS),
    help="Number of CPU threads to compute with. [default: one per physical core]",
)
targets_option = click.option(
    "--target",
    "targets",
    multiple=True,
    metavar="SM",
    help="GPU generation to build an engine for ahead of time, such as sm86; may be given several times.",
)


for_option = click.option(
    "--for",
    "target",
    type=click.Choice(TARGETS),
    default="any",
    show_default=True,
    help="Runtime that the graph is written for: the same images, in a form that suits it.",
)


def output_options(command: Command) -> Command:
    """Add `--output` and `--layout`: what the images of an artifact are."""
    command = click.option(
        "--layout",
        type=click.Choice(LAYOUTS, case_sensitive=False),
        default="NCHW",
        show_default=True,
        help="Order of the axes of uint8 images: channels before or after the pixels.",
    )(command)
    return click.option(
        "--output",
        type=click.Choice(OUTPUTS),
        default="float32",
        show_default=True,
        help="What the graph gives: floats in [-1, 1], or pixels 0..255, a quarter of the bytes.",
    )(command)


def batch_options(command: Command) -> Command:
    """--min-batch, --opt-batch and --max-batch: the profile an artifact accepts and is tuned for."""
    for name, default, what in (
        ("max", 64, "Largest number of images per call."),
        ("opt", 16, "Number of images per call to tune for."),
        ("min", 1, "Smallest number of images per call; equal to the largest, the batch is fixed."),
    ):
        command = click.option(
            f"--{name}-batch", type=click.IntRange(min=1), default=default, show_default=True, help=what
        )(command)
    return command
