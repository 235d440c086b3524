"""`dcgan-edge info`: what a file is and where it came from; where its engine runs, what it is made of."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dcgan_edge.cli import json_option, print_json

if TYPE_CHECKING:
    from rich.table import Table

SHOWN_NAME = 60  # characters of a layer's or a kernel's name; --json has the whole


@click.command("info")
@click.argument("file", type=click.Path(path_type=Path))
@json_option
def command(file: Path, as_json: bool) -> None:
    """Say what FILE (.onnx, .engine, .safetensors) is, after checking its hash.

    Of an engine on a GPU that it was built for, the layers are listed too, with kernels, data types and
    weights, by TensorRT's own engine inspector.

    \b
    dcgan-edge info out/generator.fp16.onnx
    dcgan-edge info out/generator.fp16.sm87.trt10.3.0.engine
    """
    from dcgan_edge.runtime.info import describe

    facts = describe(file)
    if as_json:
        print_json({"file": facts})
        return
    inspector = facts.pop("inspector", None)
    _show(facts)
    if inspector is not None:
        _show_inspector(inspector)


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


def _show_inspector(facts: dict[str, Any]) -> None:
    """What TensorRT knows, the layers as a table; or one line that says why there is none."""
    from dcgan_edge.cli.tables import show, size

    if not facts["available"]:
        click.echo(f"layers: not available here, because {facts['because']}")
        return
    click.echo(f"layers: {facts['num_layers']}, by {facts['library']} on {facts['device']}")
    click.echo(
        f"memory: {size(facts['taken_bytes'])} taken by loading, {size(facts['scratch_bytes'])} for each "
        f"running context, {size(facts['weight_bytes'])} of weights that layers state"
    )
    if facts["verbosity"] != "DETAILED":
        click.echo(f"detail: {facts['verbosity']}, as the engine was built")
    if facts["layers"]:
        show(_layer_table(facts))


def _layer_table(facts: dict[str, Any]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(title=f"batch of {facts['batch']}", title_justify="left")
    for heading in ("layer", "type", "tactic", "output"):
        table.add_column(heading, overflow="fold")
    table.add_column("weights", justify="right")
    for layer in facts["layers"]:
        cells = (
            _short(layer["name"]),
            layer["type"],
            _short(layer["tactic"]),
            "\n".join(_tensor_words(tensor) for tensor in layer["outputs"]),
            "\n".join(f"{weights['count']:,} {weights['dtype']}" for weights in layer["weights"]),
        )
        table.add_row(*map(Text, cells))  # names have brackets, which rich would take for markup
    return table


def _tensor_words(tensor: dict[str, Any]) -> str:
    extents = "x".join(map(str, tensor["shape"]))
    return f"{tensor['dtype'] or 'unknown type'} {extents}".rstrip()


def _short(name: str) -> str:
    """The end of a kernel's name tells as much as its beginning."""
    half = SHOWN_NAME // 2 - 1
    return name if len(name) <= SHOWN_NAME else f"{name[:half]}..{name[-half:]}"
