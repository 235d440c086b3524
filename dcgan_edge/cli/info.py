"""`dcgan-edge info`: what a file is and where it came from; where its engine runs, what it is made of."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dcgan_edge.cli import json_option, print_json

if TYPE_CHECKING:
    from rich.table import Table

MARGIN = 18  # columns of the labels, where none is longer
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
    from dcgan_edge.cli.file_facts import sections
    from dcgan_edge.describing import describe

    facts = describe(file)
    if as_json:
        print_json({"file": facts})
        return
    inspector = facts.pop("inspector", None)
    for heading, lines in sections(facts).items():
        shown = {label: value for label, value in lines.items() if value}
        if not shown:
            continue
        click.echo(heading)
        width = max(MARGIN, *map(len, shown)) + 2
        for label, value in shown.items():
            click.echo(f"  {label:<{width}}{value}")
    if inspector is not None:
        _show_inspector(inspector)


def _show_inspector(facts: dict[str, Any]) -> None:
    """Show what TensorRT knows, the layers as a table; or the one line that says why there is none."""
    from dcgan_edge.cli.tables import show
    from dcgan_edge.words import count_words, size_words

    click.echo("Layers")
    if not facts["available"]:
        click.echo(f"  not available here: {facts['because']}")
        return
    layers = count_words(facts["num_layers"], "layer")
    click.echo(f"  {layers}, by {facts['library']} on {facts['device']}")
    click.echo(
        f"  {size_words(facts['taken_bytes'])} taken by loading, {size_words(facts['scratch_bytes'])} for "
        f"each running context, {size_words(facts['weight_bytes'])} of weights that layers state"
    )
    if facts["verbosity"] != "DETAILED":
        click.echo(f"  detail {facts['verbosity']}, as the engine was built")
    if facts["layers"]:
        show(_layer_table(facts))


def _layer_table(facts: dict[str, Any]) -> Table:
    from rich.text import Text

    from dcgan_edge.cli.tables import new_table

    table = new_table("layer", "~type", "~tactic", "~output", ">weights", title=f"batch of {facts['batch']}")
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
