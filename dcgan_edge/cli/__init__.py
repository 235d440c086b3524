"""The `dcgan-edge` command line. One module per command; a command parses, calls one function, prints.

Commands are imported when they are used, so that `--help` is quick and a device without torch runs the rest.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeVar

import click

from dcgan_edge import __version__
from dcgan_edge.cli.program import Program, json_answer

Command = TypeVar("Command", bound=Callable[..., Any])
COMMANDS = {  # in the order of a user's work; each is `command` in dcgan_edge.cli.<module>
    "train": "train",
    "data": "data",
    "export": "export",
    "build": "build",
    "verify": "verify",
    "sample": "sample",
    "latent": "latent",
    "features": "features",
    "bench": "bench",
    "report": "report",
    "eval": "evaluate",
    "compare-archs": "compare_archs",
    "info": "info",
    "doctor": "doctor",
    "demo": "demo",
}
EXTRAS = {  # library -> the extra of this package that brings it
    "torch": "train",
    "safetensors": "train",
    "onnx": "export",
    "onnxscript": "export",
    "onnxruntime": "cpu",
    "scipy": "restore",
    "skimage": "restore",
    "sklearn": "features",
    "imageio_ffmpeg": "video",
    "jinja2": "report",
    "matplotlib": "report",
}


class _DcganEdge(Program):
    modules, extras = COMMANDS, EXTRAS


@click.command(
    cls=_DcganEdge,
    context_settings={"auto_envvar_prefix": "DCGAN_EDGE", "help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="dcgan-edge")
@click.option("-v", "--verbose", count=True, help="Say more (-vv: everything).")
@click.option("-q", "--quiet", is_flag=True, help="No progress bars, warnings only.")
@click.pass_context
def main(ctx: click.Context, verbose: int, quiet: bool) -> None:
    """Train DCGAN generators, export them with proof, and run them on edge devices.

    \b
    dcgan-edge demo                                        the whole way, on bundled digits
    dcgan-edge train --data digits --out runs/digits       a checkpoint
    dcgan-edge export runs/digits/checkpoint.safetensors --out out
    dcgan-edge sample out/generator.fp16.onnx --seeds 0-63 --out samples
    dcgan-edge bench out/generator.fp32.onnx out/generator.fp16.onnx

    Exit codes: 0 ok, 1 error, 2 usage, 3 verification failed, 4 benchmark regression or unstable,
    5 missing optional dependency or device, 6 artifact refused, 130 interrupted.
    """
    level = logging.WARNING if quiet or not verbose else logging.INFO if verbose == 1 else logging.DEBUG
    logging.basicConfig(level=level, format="%(levelname)s %(name)s: %(message)s")


def json_option(command: Command) -> Command:
    """Add `--json`: exactly one JSON document on stdout, an error included; all else goes to stderr."""

    def note(ctx: click.Context, _: click.Parameter, value: bool) -> bool:
        json_answer().wanted = value
        return value

    option = click.option(
        "--json", "as_json", is_flag=True, is_eager=True, callback=note, help="Print one JSON document."
    )
    return option(command)


def print_json(document: dict[str, Any]) -> None:
    """Print `document` with its schema version when the command ends, its error within if it has one."""
    json_answer().document = document


def is_quiet() -> bool:
    """Whether `-q` was given: no progress bars."""
    return bool(click.get_current_context().find_root().params.get("quiet"))
