"""`dcgan-edge features`: what the discriminator of a checkpoint has learned, as figures and as pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from dcgan_edge.cli import json_option, print_json
from dcgan_edge.cli.latent_options import all_of
from dcgan_edge.cli.progress import steps
from dcgan_edge.errors import UsageError

if TYPE_CHECKING:
    from dcgan_edge.claims.features.classification import Cell

METHODS = {
    "trained": "SVM on the discriminator's features",
    "pixels": "SVM on raw pixels",
    "untrained": "SVM on an untrained discriminator's",
    "supervised": "supervised network of its shape",
}
CLASSIFY_OPTIONS = [
    click.option(
        "--data", default="digits", show_default=True,
        help="Classify the images of 'digits', or of an IDX, CIFAR-10 or SVHN folder with labels.",
    ),
    click.option(
        "--labels", multiple=True, default=("100", "1000", "all"), show_default=True, metavar="N|all",
        help="Train with so many labels in all, equally many of each class; may be given several times.",
    ),
    click.option(
        "--runs", type=click.IntRange(1, 100), default=3, show_default=True,
        help="Repeat with other draws of the labels.",
    ),
    click.option(
        "--method", "methods", type=click.Choice(list(METHODS)), multiple=True,
        help="Measure only these.  [default: all of them]",
    ),
    click.option("--output", type=click.Path(path_type=Path), help="Write the document to this file."),
]  # fmt: skip
VISUALIZE_OPTIONS = [
    click.option("--data", default="digits", show_default=True, help="Show these images, as for train."),
    click.option(
        "--images", "count", type=click.IntRange(1, 1_000_000), default=2000, show_default=True,
        help="Search so many of them.",
    ),
    click.option("--layer", help="Show this layer: conv1, conv2, ...  [default: the last]"),
    click.option(
        "--filters", type=click.IntRange(1, 256), default=12, show_default=True, help="Rows of the picture."
    ),
    click.option(
        "--each", type=click.IntRange(1, 64), default=6, show_default=True, help="Images for each filter."
    ),
    click.option(
        "--out", type=click.Path(path_type=Path), default="filters", show_default=True,
        help="Write the pictures into this folder.",
    ),
    click.option(
        "--scale", type=click.IntRange(1, 64), default=4, show_default=True, help="Draw each pixel N x N."
    ),
]  # fmt: skip


@click.group("features")
def command() -> None:
    """Classify images by what the discriminator sees in them, and look at its filters.

    \b
    dcgan-edge features classify runs/digits/checkpoint.safetensors --labels 100 --labels all
    dcgan-edge features visualize runs/digits/checkpoint.safetensors --out filters
    """


@command.command("classify")
@click.argument("checkpoint", type=click.Path(path_type=Path))
@all_of(CLASSIFY_OPTIONS)
@json_option
def classify(
    checkpoint: Path,
    data: str,
    labels: tuple[str, ...],
    runs: int,
    methods: tuple[str, ...],
    output: Path | None,
    as_json: bool,
) -> None:
    """Train a linear SVM on the discriminator's features, max-pooled to 4 x 4 (the DCGAN paper's protocol),
    and count on the test images; beside it raw pixels, an untrained discriminator, and a supervised network
    of the same shape.

    \b
    dcgan-edge features classify runs/digits/checkpoint.safetensors --labels 10 --labels 100 --labels all
    dcgan-edge features classify runs/cifar/checkpoint.safetensors --data cifar10 --labels 4000 --json
    """
    from dcgan_edge.claims.features.classification import classify_features

    with steps() as say:
        found = classify_features(
            checkpoint,
            data,
            labels=[_count(text) for text in labels],
            runs=runs,
            methods=methods or tuple(METHODS),
            output=output,
            progress=say,
        )
    if as_json:
        print_json(found.to_dict())
    else:
        _show(found.cells, found.facts["test_images"])


@command.command("visualize")
@click.argument("checkpoint", type=click.Path(path_type=Path))
@all_of(VISUALIZE_OPTIONS)
@json_option
def visualize(
    checkpoint: Path,
    data: str,
    count: int,
    layer: str | None,
    filters: int,
    each: int,
    out: Path,
    scale: int,
    as_json: bool,
) -> None:
    """Draw what excites the filters of a discriminator layer most: by guided backpropagation (guided.png) and
    as the patches of the images themselves (patches.png). Left the trained filters, right those of an
    untrained network.

    \b
    dcgan-edge features visualize runs/digits/checkpoint.safetensors --layer conv2 --out filters
    """
    from dcgan_edge.claims.features.visualisation import visualize_filters

    with steps() as say:
        drawn = visualize_filters(
            checkpoint,
            out,
            data=data,
            count=count,
            layer=layer,
            filters=filters,
            each=each,
            scale=scale,
            progress=say,
        )
    if as_json:
        print_json(drawn.to_dict())
    else:
        click.echo("\n".join([*map(str, drawn.files), "Left: trained. Right: untrained. A row is a filter."]))


def _count(text: str) -> int | Literal["all"]:
    """Return the number of labels. Raises UsageError for what is none."""
    if text == "all":
        return "all"
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 10**9):
        raise UsageError(f"{text!r} is not a number of labels; write 100, or all.")
    return int(text)


def _show(cells: Sequence[Cell], images: int) -> None:
    from dcgan_edge.cli.tables import new_table, show

    counts = list(dict.fromkeys(cell.labels for cell in cells))
    table = new_table("features", *(f">{count:,} labels" for count in counts))
    for method in dict.fromkeys(cell.method for cell in cells):
        row = [next(c for c in cells if c.method == method and c.labels == count) for count in counts]
        table.add_row(METHODS[method], *(_accuracy(cell) for cell in row))
    show(table)
    click.echo(f"Accuracy on {images:,} test images, and its standard deviation between draws of the labels.")


def _accuracy(cell: Cell) -> str:
    spread = "" if cell.spread is None else f" ± {cell.spread:.1%}"
    return f"{cell.mean:.1%}{spread}{'' if cell.converged else ' (solver stopped early)'}"
