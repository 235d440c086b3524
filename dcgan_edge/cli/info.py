"""`dcgan-edge info`: what a file is and where it came from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from dcgan_edge.cli import json_option, print_json


@click.command("info")
@click.argument("file", type=click.Path(path_type=Path))
@json_option
def command(file: Path, as_json: bool) -> None:
    """Say what FILE (.onnx, .engine, .safetensors) is, after checking its hash.

    \b
    dcgan-edge info out/generator.fp16.onnx
    """
    from dcgan_edge.runtime.info import describe

    facts = describe(file)
    if as_json:
        print_json({"file": facts})
    else:
        _show(facts)


def _show(facts: dict[str, Any], indent: str = "") -> None:
    """Key and value on a line each, what is inside a value indented below it."""
    for key, value in facts.items():
        if isinstance(value, dict):
            click.echo(f"{indent}{key}:")
            _show(value, indent + "  ")
        elif isinstance(value, list | tuple) and value and isinstance(value[0], dict):
            for entry in value:
                click.echo(
                    f"{indent}{key}: {', '.join(f'{k}={v}' for k, v in entry.items() if v is not None)}"
                )
        elif value not in ("", [], (), None):
            shown = ", ".join(map(str, value)) if isinstance(value, list | tuple) else value
            click.echo(f"{indent}{key}: {shown}")
