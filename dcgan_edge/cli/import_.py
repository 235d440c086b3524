"""`dcgan-edge import`: a stranger's weights become a checkpoint, by their tensors alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click
from rich.text import Text

from dcgan_edge.cli import json_option, print_json
from dcgan_edge.cli.foreign_options import CLASSES
from dcgan_edge.cli.options import FiniteRange
from dcgan_edge.cli.progress import steps
from dcgan_edge.latents import Distribution

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dcgan_edge.export.foreign.imported import Imported, Listing, TensorRow
    from dcgan_edge.layers import Layer

NOT_LISTED = ("out", "expect", "activation", "output_activation", "upsample", "bn_eps", "distribution")


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default="imported",
    show_default=True,
    help="Folder to write into.",
)
@click.option("--list", "only_list", is_flag=True, help="Show the tensors and what would be made of each.")
@click.option("--key", help="Part of the file that holds the generator, such as netG_state_dict.")
@click.option(
    "--expect",
    type=click.Path(path_type=Path),
    help="File .npz of latents and the images that the owner's code made of them: proves the reading.",
)
@click.option("--size", type=click.IntRange(8, 512), help="Width and height of the images in pixels.")
@click.option("--latent-dim", type=click.IntRange(min=1), help="Length of the latents.")
@click.option(
    "--classes", type=CLASSES, help="Number of classes that the first layer takes, or their names: cat,dog."
)
@click.option("--class-first", is_flag=True, help="Take the class before the latent.")
@click.option(
    "--activation", help="Activation between the layers, such as relu, leaky_relu:0.2, elu or silu."
)
@click.option(
    "--output-activation",
    type=click.Choice(["tanh", "sigmoid", "none"]),
    help="Activation of the last layer.",
)
@click.option(
    "--upsample",
    type=click.Choice(["nearest", "bilinear", "pixel-shuffle"]),
    help="How pixels are repeated before a convolution.",
)
@click.option("--bn-eps", type=FiniteRange(0.0, 1.0), help="Constant eps of BatchNorm.")
@click.option("--distribution", type=click.Choice(["normal", "uniform"]), help="Distribution of the latents.")
@json_option
def command(
    file: Path,
    out: Path,
    only_list: bool,
    key: str | None,
    expect: Path | None,
    size: int | None,
    latent_dim: int | None,
    classes: int | Sequence[str] | None,
    class_first: bool,
    activation: str | None,
    output_activation: Literal["tanh", "sigmoid", "none"] | None,
    upsample: str | None,
    bn_eps: float | None,
    distribution: Distribution | None,
    as_json: bool,
) -> None:
    """Make a checkpoint of the generator in FILE, which another program wrote.

    FILE is a torch file (.pth, .pt, .ckpt, .bin, .tar), safetensors, a folder of a hub, or a Keras file
    (.keras, .h5), and nothing in it is run. Names and shapes of the tensors say what the layers are. What
    they cannot say, such as the activations, is assumed from the commonest use and printed; with --expect it
    is measured. A Keras file says everything itself.

    \b
    dcgan-edge import netG_epoch_24.pth --out faces
    dcgan-edge import checkpoint.pth --out pets --classes cat,dog --expect samples.npz
    dcgan-edge import --list netG_epoch_24.pth
    """
    from dcgan_edge.export.foreign.importing import import_generator, list_tensors

    first = True if class_first else None
    if only_list:
        _refuse_unlisted()
        listing = list_tensors(
            file, key=key, size=size, latent_dim=latent_dim, classes=classes, class_first=first
        )
        _show_listing(listing, as_json)
        return
    with steps() as say:
        imported = import_generator(
            file, out, key=key, expect=expect, size=size, latent_dim=latent_dim, classes=classes,
            class_first=first, activation=activation, output_activation=output_activation, upsample=upsample,
            bn_eps=bn_eps, distribution=distribution, progress=say,
        )  # fmt: skip
    if as_json:
        print_json(imported.to_dict())
    else:
        _show_imported(imported)


def _refuse_unlisted() -> None:
    """Raise a usage error for an option that the list of tensors does not depend on."""
    context = click.get_current_context()
    for name in NOT_LISTED:
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            option = f"--{name.replace('_', '-')}"
            raise click.UsageError(f"{option} does not apply to --list, which writes nothing.")


def _show_listing(listing: Listing, as_json: bool) -> None:
    """Show every tensor; then raise what makes them no generator, if something does."""
    if as_json:
        print_json(listing.to_dict())
    else:
        from dcgan_edge.cli.tables import new_table, show

        table = new_table("tensor", "shape", "type", "~became")
        for row in listing.tensors:
            table.add_row(Text(row.name), _numbers(row.shape), row.dtype, Text(_became(row)))
        show(table)
        _show_lines("Notes", listing.notes)
        _show_lines("Other parts, for --key", listing.others)
    if listing.error is not None:
        raise listing.error


def _show_imported(imported: Imported) -> None:
    """Show the layers as a table, what was assumed or measured, and what comes next."""
    from dcgan_edge.cli.tables import new_table, show

    table = new_table(">layer", "kind", "makes", "how", "~tensors of")
    for row in imported.layers:
        table.add_row(
            str(row.index), row.layer.kind, _numbers(row.shape), describe(row.layer), Text(row.module)
        )
    show(table)
    architecture = imported.spec.architecture
    classes = f" and {len(architecture.classes)} classes" if architecture.classes else ""
    click.echo(
        f"Makes {_numbers((architecture.channels, architecture.size, architecture.size))} of latents of "
        f"{architecture.latent_dim} numbers ({architecture.distribution}){classes}."
    )
    _show_lines("Notes", imported.notes)
    _show_lines("Assumed, as no tensor tells; prove it with --expect", imported.assumptions)
    click.echo(f"{imported.checkpoint}; look at {imported.grid}")
    click.echo(f"Next: dcgan-edge export {imported.checkpoint} --out {imported.checkpoint.parent}")


def describe(layer: Layer) -> str:
    """Return the figures of a layer in words: `4x4, stride 2, padding 1`."""
    said = []
    if layer.kernel:
        before, after = layer.padding
        said = [f"{layer.kernel}x{layer.kernel}"]
        said += [f"stride {layer.stride}"] if layer.stride > 1 else []
        said += (
            [f"padding {before}" if before == after else f"padding {before}, {after}"]
            if before or after
            else []
        )
    if layer.kind in ("dense", "conv", "conv_transpose") and not layer.bias:
        said.append("no bias")
    if layer.kind == "upsample":
        said = [f"{layer.factor}x, {layer.mode}"]
    if layer.kind == "pixel_shuffle":
        said = [f"{layer.factor}x"]
    if layer.kind == "leaky_relu":
        said = [f"slope {layer.slope:g}"]
    if layer.kind == "batch_norm":
        said = [f"eps {layer.eps:g}"]
    return ", ".join(said)


def _became(row: TensorRow) -> str:
    return "" if row.layer < 0 else f"layer {row.layer}, {row.kind}"


def _numbers(shape: Sequence[Any]) -> str:
    return " x ".join(map(str, shape)) or "1"


def _show_lines(heading: str, lines: Sequence[str]) -> None:
    if lines:
        click.echo(f"{heading}:")
    for line in lines:
        click.echo(f"  {line}")
