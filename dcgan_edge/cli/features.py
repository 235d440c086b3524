"""`dcgan-edge features`: what the discriminator of a checkpoint has learned, as figures and as pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dcgan_edge.cli import json_option, print_json
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


@click.group("features")
def command() -> None:
    """Classify images by what the discriminator sees in them, and look at its filters.

    \b
    dcgan-edge features classify runs/digits/checkpoint.safetensors --labels 100 --labels all
    dcgan-edge features visualize runs/digits/checkpoint.safetensors --out filters
    """


@command.command("classify")
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option(
    "--data",
    default="digits",
    show_default=True,
    help="'digits', an IDX, CIFAR-10 or SVHN folder, with labels.",
)
@click.option(
    "--labels",
    "labels",
    multiple=True,
    default=("100", "1000", "all"),
    show_default=True,
    metavar="N|all",
    help="Labels in all, as many of each class as of any other, to one; may be given several times.",
)
@click.option(
    "--seeds", "draws", type=click.IntRange(1, 100), default=3, show_default=True, help="Draws of the labels."
)
@click.option(
    "--method",
    "methods",
    type=click.Choice(list(METHODS)),
    multiple=True,
    help="Only these.  [default: all of them]",
)
@click.option("--out", type=click.Path(path_type=Path), help="Also write the document of --json here.")
@json_option
def classify(
    checkpoint: Path,
    data: str,
    labels: tuple[str, ...],
    draws: int,
    methods: tuple[str, ...],
    out: Path | None,
    as_json: bool,
) -> None:
    """Train a linear SVM on the discriminator's features, max-pooled to 4 x 4 (the DCGAN paper's protocol),
    and count on the test images; beside it raw pixels, an untrained discriminator, and a supervised network
    of the same shape.

    \b
    dcgan-edge features classify runs/digits/checkpoint.safetensors --labels 10 --labels 100 --labels all
    dcgan-edge features classify runs/cifar/checkpoint.safetensors --data cifar10 --labels 4000 --json
    """
    import json

    from dcgan_edge.claims.features import classification
    from dcgan_edge.data.labelled import load_labelled
    from dcgan_edge.files import write_atomic
    from dcgan_edge.training.checkpoint import load_discriminator

    counts = [_count(text) for text in dict.fromkeys(labels)]
    discriminator, architecture = load_discriminator(checkpoint)
    with steps() as say:
        say("reading images")
        train = load_labelled(data, "train", architecture.size, architecture.channels)
        test = load_labelled(data, "test", architecture.size, architecture.channels)
        counts = list(dict.fromkeys(None if count == len(train.labels) else count for count in counts))
        cells = classification.classify(
            discriminator,
            architecture,
            train,
            test,
            counts=counts,
            draws=draws,
            methods=methods or tuple(METHODS),
            say=say,
        )
    facts = {
        "checkpoint": str(checkpoint),
        "data": data,
        "training_images": len(train.labels),
        "test_images": len(test.labels),
        "draws": draws,
        "results": [cell.to_dict() for cell in cells],
    }
    if out is not None:
        write_atomic(out, (json.dumps({"schema_version": 1, **facts}, indent=2) + "\n").encode())
    if as_json:
        print_json(facts)
    else:
        _show(cells, len(test.labels))


@command.command("visualize")
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option("--data", default="digits", show_default=True, help="Training images, as for train.")
@click.option(
    "--images", type=click.IntRange(min=1), default=2000, show_default=True, help="How many are looked at."
)
@click.option("--layer", help="conv1, conv2, ...  [default: the last]")
@click.option(
    "--filters", type=click.IntRange(1, 256), default=12, show_default=True, help="Rows of the picture."
)
@click.option(
    "--each", type=click.IntRange(1, 64), default=6, show_default=True, help="Images for each filter."
)
@click.option("--out", type=click.Path(path_type=Path), default="filters", show_default=True, help="Folder.")
@click.option(
    "--scale", type=click.IntRange(1, 64), default=4, show_default=True, help="Draw each pixel N x N."
)
@json_option
def visualize(checkpoint: Path, data: str, out: Path, scale: int, as_json: bool, **asked: Any) -> None:
    """Draw what excites the filters of a discriminator layer most: by guided backpropagation (guided.png) and
    as the patches of the images themselves (patches.png). Left the trained filters, right those of an
    untrained network.

    \b
    dcgan-edge features visualize runs/digits/checkpoint.safetensors --layer conv2 --out filters
    """
    from dcgan_edge.claims.features.classification import untrained
    from dcgan_edge.claims.features.visualisation import draw_responses, some_images, strongest
    from dcgan_edge.files import write_atomic
    from dcgan_edge.images import encode_png
    from dcgan_edge.training.checkpoint import load_discriminator

    discriminator, architecture = load_discriminator(checkpoint)
    shape = {name: asked[name] for name in ("layer", "filters", "each")}
    with steps() as say:
        say("reading images")
        pixels = some_images(data, architecture.size, architecture.channels, asked["images"])
        say("looking for the strongest responses")
        sides = {
            "trained": strongest(discriminator, pixels, **shape),
            "untrained": strongest(untrained(architecture, seed=0), pixels, **shape),
        }
    paths = {"gradients": out / "guided.png", "patches": out / "patches.png"}
    for kind, path in paths.items():
        write_atomic(path, encode_png(draw_responses(list(sides.values()), kind), scale=scale))
    files = [str(path) for path in paths.values()]
    if as_json:
        facts = {name: side.to_dict() for name, side in sides.items()}
        print_json(
            {"checkpoint": str(checkpoint), "data": data, "images": len(pixels), **facts, "files": files}
        )
    else:
        click.echo("\n".join([*files, "Left: trained. Right: untrained. A row is a filter."]))


def _count(text: str) -> int | None:
    """The number of labels, None for all."""
    if text == "all":
        return None
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
