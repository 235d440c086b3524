"""The `dcgan-edge` command line. One module per command; a command parses, calls one function, prints.

Commands are imported when they are used, so that `--help` is quick and a device without torch runs the rest.
"""

from __future__ import annotations

import importlib
import json
import logging
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

import click

from dcgan_edge import __version__
from dcgan_edge.errors import INTERRUPTED, EdgeError, UnavailableError

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


class _Program(click.Group):
    """Finds commands lazily and turns every error of the user's world into a sentence and an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"dcgan_edge.cli.{COMMANDS[name]}").command
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except EdgeError as error:
            _fail(ctx, error)
        except ModuleNotFoundError as error:
            library = (error.name or "").partition(".")[0]
            if library not in EXTRAS:
                raise
            remedy = f"pip install 'dcgan-edge[{EXTRAS[library]}]'"
            _fail(ctx, UnavailableError(f"This needs {library}, which is not installed: {remedy}"))
        except KeyboardInterrupt:
            click.echo("Interrupted.", err=True)
            ctx.exit(INTERRUPTED)


def _fail(ctx: click.Context, error: EdgeError) -> NoReturn:
    if ctx.obj:  # a command with --json: its one document says what went wrong
        print_json({"error": {"message": str(error), "exit_code": error.exit_code}})
    click.echo(f"Error: {error}", err=True)
    ctx.exit(error.exit_code)


@click.command(
    cls=_Program, context_settings={"auto_envvar_prefix": "DCGAN_EDGE", "help_option_names": ["-h", "--help"]}
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
    """`--json`: exactly one JSON document on stdout, an error included; everything else goes to stderr."""

    def note(ctx: click.Context, _: click.Parameter, value: bool) -> bool:
        ctx.find_root().obj = value
        return value

    return click.option("--json", "as_json", is_flag=True, callback=note, help="Print one JSON document.")(
        command
    )


def print_json(document: dict[str, Any]) -> None:
    """Print `document` with its schema version, keys in the order given."""
    click.echo(json.dumps({"schema_version": 1, **document}, indent=2, allow_nan=False))


def is_quiet() -> bool:
    """Whether `-q` was given: no progress bars."""
    return bool(click.get_current_context().find_root().params.get("quiet"))
