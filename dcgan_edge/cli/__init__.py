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
    "import": "import_",
    "export": "export",
    "adopt": "adopt",
    "build": "build",
    "verify": "verify",
    "package": "package",
    "check": "check",
    "selftest": "selftest",
    "sample": "sample",
    "serve": "serve",
    "latent": "latent",
    "features": "features",
    "bench": "bench",
    "fleet": "fleet",
    "tune": "tune",
    "report": "report",
    "animate": "animate",
    "eval": "evaluate",
    "fid": "fid",
    "compare-archs": "compare_archs",
    "info": "info",
    "doctor": "doctor",
    "demo": "demo",
}
SUMMARIES = {  # what the list of commands says of each: as many letters as 80 columns hold
    "train": "Train a generator on images.",
    "data": "Fetch public data sets, or pack pictures into one file.",
    "import": "Make a checkpoint of another program's weights.",
    "export": "Write a checkpoint as verified ONNX files, or as an engine.",
    "adopt": "Make artifacts of another program's ONNX file.",
    "build": "Build TensorRT engines from ONNX files.",
    "verify": "Prove that artifacts make PyTorch's images here.",
    "package": "Make a bundle for machines offline, or a Triton repository.",
    "check": "Check a bundle before it is loaded, or a set of samples.",
    "selftest": "Prove artifacts on a device, and say what changed.",
    "sample": "Write images of seeds, alone or as one of many jobs.",
    "serve": "Answer requests for images over HTTP, with a page.",
    "latent": "Walk, calculate and restore images in the latent space.",
    "features": "Classify images by the discriminator's features.",
    "bench": "Measure latency and throughput on this machine.",
    "fleet": "Measure on many boards over SSH.",
    "tune": "Find how artifacts or a checkpoint run best here.",
    "report": "Show records of bench or train as a page or a table.",
    "animate": "Show how a generator learnt, as a GIF or an MP4.",
    "eval": "Score images: FID, KID, precision, recall and more.",
    "fid": "Measure the FID of images that are written, in shards.",
    "compare-archs": "Train every preset alike, and score them.",
    "info": "Show what a file is and where it came from.",
    "doctor": "Show what this machine has, and what can be done on it.",
    "demo": "Do all of it on bundled digits, with a report at the end.",
}
EXTRAS = {  # library -> the extra of this package that brings it
    "torch": "train",
    "safetensors": "train",
    "onnx": "export",
    "onnxscript": "export",
    "onnxruntime": "cpu",
    "openvino": "openvino",
    "pooch": "data",
    "scipy": "data",
    "torch_fidelity": "eval",
    "skimage": "restore",
    "sklearn": "features",
    "imageio_ffmpeg": "video",
    "h5py": "keras",
    "jinja2": "report",
    "matplotlib": "report",
    "tensorboard": "tensorboard",
    "packaging": "bundle",
    "pip": "bundle",
    "model_signing": "sign",
    "fastapi": "serve",
    "uvicorn": "serve",
    "prometheus_client": "serve",
    "fsspec": "cluster",
    "pyarrow": "cluster",
    "ray": "ray",
}


class _DcganEdge(Program):
    modules, extras = COMMANDS, EXTRAS

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command with its summary, None if there is none of that name."""
        command = super().get_command(ctx, cmd_name)
        if command is not None:
            command.short_help = SUMMARIES[cmd_name]
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands with their summaries, without importing them all."""
        with formatter.section("Commands"):
            formatter.write_dl(list(SUMMARIES.items()))


@click.command(
    cls=_DcganEdge,
    context_settings={"auto_envvar_prefix": "DCGAN_EDGE", "help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="dcgan-edge")
@click.option("-v", "--verbose", count=True, help="Show what is done (-vv: in every detail).")
@click.option("-q", "--quiet", is_flag=True, help="Show warnings only, and no progress bars.")
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
    5 missing optional dependency or device, 6 artifact refused,
    130 interrupted, 143 terminated.

    Every option can be set by an environment variable, such as DCGAN_EDGE_SAMPLE_OUT. Completion of commands
    and options in bash (or zsh, fish): eval "$(_DCGAN_EDGE_COMPLETE=bash_source dcgan-edge)"
    """
    level = logging.WARNING if quiet or not verbose else logging.INFO if verbose == 1 else logging.DEBUG
    logging.basicConfig(level=level, format="%(levelname)s %(name)s: %(message)s")


def json_option(command: Command) -> Command:
    """Add `--json`: exactly one JSON document on stdout, an error included; all else goes to stderr."""

    def note(ctx: click.Context, _: click.Parameter, value: bool) -> bool:
        json_answer().wanted = value
        return value

    option = click.option(
        "--json",
        "as_json",
        is_flag=True,
        is_eager=True,
        callback=note,
        help="Print one JSON document instead of text, errors included.",
    )
    return option(command)


def print_json(document: dict[str, Any]) -> None:
    """Print `document` with its schema version when the command ends, its error within if it has one."""
    json_answer().document = document


def is_quiet() -> bool:
    """Whether `-q` was given: no progress bars."""
    return bool(click.get_current_context().find_root().params.get("quiet"))
