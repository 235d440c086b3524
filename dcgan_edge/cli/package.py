"""`dcgan-edge package`: artifacts as a bundle for machines without network, or as models of Triton."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from dcgan_edge.cli import Command, json_option, print_json
from dcgan_edge.cli.options import Duration
from dcgan_edge.cli.progress import steps
from dcgan_edge.errors import UsageError
from dcgan_edge.packaging.layout import PLATFORMS

WORDS = {"delay_s": "delay", "extras": "extra", "key": "sign"}  # parameters that options do not name
TRITON_OPTIONS = (
    click.option(
        "--delay",
        "delay_s",
        type=Duration(most=60.0),
        help="Longest time that a request waits for others to run with. [default: 1ms]",
    ),
    click.option(
        "--instances",
        type=click.IntRange(1, 256),
        help="Number of copies of a model on each GPU, or on the CPU. [default: 1]",
    ),
)
BUNDLE_OPTIONS = (
    click.option(
        "--platform", type=click.Choice(PLATFORMS), help="Machine to bring wheels for. [default: this]"
    ),
    click.option("--python", metavar="VERSION", help="Its Python, such as 3.10. [default: this one's]"),
    click.option(
        "--extra",
        "extras",
        multiple=True,
        metavar="NAME",
        help="Extra of dcgan-edge to install there. [default: cpu for ONNX, jetson for engines on aarch64]",
    ),
    click.option("--license", metavar="NAME", help="Licence of the generators, for the bill of materials."),
    click.option(
        "--sign",
        "key",
        type=click.Path(path_type=Path),
        metavar="KEY",
        help="Private key in PEM to sign with.",
    ),
)


def _options(command: Command) -> Command:
    """Add the options of both forms; those of the other form are refused."""
    for option in reversed((*TRITON_OPTIONS, *BUNDLE_OPTIONS)):
        command = option(command)
    return command


@click.command("package")
@click.argument("artifacts", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="ARTIFACT...")
@click.option("--bundle", type=click.Path(path_type=Path), metavar="FILE", help="Bundle to write, a .tar.gz.")
@click.option(
    "--triton", type=click.Path(path_type=Path), metavar="REPO", help="Model repository to write into."
)
@_options
@json_option
def command(
    artifacts: tuple[Path, ...], bundle: Path | None, triton: Path | None, as_json: bool, **given: Any
) -> None:
    """Make each ARTIFACT ready for where it runs: a bundle for machines offline, or a model of Triton.

    A bundle holds artifacts, manifests, golden images, the wheels that run them and install.sh. There,
    `dcgan-edge check` and `dcgan-edge selftest` prove it. The same input gives the same bytes.

    \b
    dcgan-edge package out/generator.fp16.onnx --bundle bundle.tar.gz --platform linux-aarch64 --python 3.10
    dcgan-edge package out/generator.fp16.onnx --triton models
    """
    if (bundle is None) == (triton is None):
        raise UsageError("Say what to make of the artifacts: --bundle FILE or --triton REPO.")
    wanted = {name: value for name, value in given.items() if value not in (None, ())}
    belonging = {"delay_s", "instances"} if triton is not None else given.keys() - {"delay_s", "instances"}
    for name in sorted(wanted.keys() - belonging):
        form = "--bundle" if triton is not None else "--triton"
        raise UsageError(f"--{WORDS.get(name, name)} is for {form} alone.")
    if triton is not None:
        _triton(artifacts, triton, wanted, as_json)
    elif bundle is not None:
        _bundle(artifacts, bundle, wanted, as_json)


def _triton(artifacts: tuple[Path, ...], repository: Path, wanted: dict[str, Any], as_json: bool) -> None:
    from dcgan_edge.packaging.triton import write_triton_repository

    models = write_triton_repository(artifacts, repository, **wanted)
    if as_json:
        print_json({"repository": str(repository), "models": [model.to_dict() for model in models]})
        return
    for model in models:
        click.echo(str(model.folder))
        if model.requires:
            click.echo(f"  needs {model.requires}")
        click.echo(f"  {model.perf_analyzer}")


def _bundle(artifacts: tuple[Path, ...], path: Path, wanted: dict[str, Any], as_json: bool) -> None:
    from dcgan_edge.packaging.bundle import write_bundle
    from dcgan_edge.words import count_words, size_words

    with steps() as say:
        made = write_bundle(artifacts, path, progress=say, **wanted)
    if as_json:
        print_json(made.to_dict())
        return
    what = (
        f"{count_words(len(made.facts.artifacts), 'artifact')} and {count_words(len(made.wheels), 'wheel')}"
    )
    click.echo(
        f"{path}: {what} for {made.facts.platform} and Python {made.facts.python}, {size_words(made.size)}"
    )
    click.echo(f"sha256 {made.sha256}{', signed' if made.signed else ''}")
    click.echo(
        f"There: dcgan-edge check {path.name}, or tar -xzf {path.name} and sh install.sh in its folder"
    )
