"""`dcgan-edge compare-archs`: train every preset alike, and say which one is better and by how much."""

from __future__ import annotations

from pathlib import Path

import click

from dcgan_edge.cli import json_option, print_json
from dcgan_edge.cli.evaluate import features_options
from dcgan_edge.cli.latent_options import all_of
from dcgan_edge.cli.options import FiniteRange, device_option, seeds_option
from dcgan_edge.cli.progress import stderr
from dcgan_edge.evaluation.extractor import Features
from dcgan_edge.recipes import RECIPES

MOST_MINUTES = 525_600  # a year
OPTIONS = [
    click.option(
        "--out", type=click.Path(path_type=Path), required=True, help="Keep all runs in this folder."
    ),
    click.option("--data", default="digits", show_default=True, help="Train on these images, as for train."),
    click.option("--presets", default="all", show_default=True, help="Compare these, such as dcgan,gan."),
    click.option(
        "--runs", type=click.IntRange(1, 100), default=3, show_default=True, help="Trainings of each preset."
    ),
    click.option(
        "--epochs", type=click.IntRange(1, 1_000_000),
        help="Passes over the data: as many images for each.  [default: 30]",
    ),
    click.option(
        "--minutes", type=FiniteRange(0, MOST_MINUTES, min_open=True), help="Train each so long instead."
    ),
    click.option(
        "--width", type=click.IntRange(1, 4096), default=32, show_default=True,
        help="Width of all networks, as for train.",
    ),
    click.option("--size", type=click.IntRange(1, 4096), help="Pixels of a side.  [default: as for train]"),
    click.option(
        "--recipe", type=click.Choice(list(RECIPES)), default="paper", show_default=True,
        help="How the networks are trained, as for train.",
    ),
    click.option(
        "--batch", type=click.IntRange(2, 100_000), help="Images per step.  [default: the recipe's]",
    ),
    seeds_option("0-999"),
    features_options,
    device_option,
    json_option,
]  # fmt: skip


@click.command("compare-archs")
@all_of(OPTIONS)
def command(
    out: Path,
    data: str,
    presets: str,
    runs: int,
    epochs: int | None,
    minutes: float | None,
    width: int,
    size: int | None,
    recipe: str,
    batch: int | None,
    seeds: list[int],
    features: Features,
    weights: Path | None,
    device: str,
    as_json: bool,
) -> None:
    """Train every preset on the same data with the same budget, several times, and score them all.

    Prints mean and spread over the runs, writes comparison.json and samples.png into --out. Runs that are
    there are kept: after Ctrl-C the same command goes on. --seeds are those of the images that are scored.

    \b
    dcgan-edge compare-archs --out comparison
    dcgan-edge compare-archs --recipe spectral --out comparison-spectral
    dcgan-edge compare-archs --presets dcgan,gan --runs 5 --epochs 50 --out comparison
    """
    from dcgan_edge.claims.presets import compare_presets
    from dcgan_edge.cli.quality_tables import show_comparison
    from dcgan_edge.cli.training import training_bar

    comparison = compare_presets(
        out, data,
        presets=() if presets == "all" else [name.strip() for name in presets.split(",")],
        runs=runs, epochs=epochs, minutes=minutes, width=width, size=size, recipe=recipe, batch=batch,
        seeds=seeds, features=features, weights=weights, device=device, progress=stderr().print,
        bar=training_bar,
    )  # fmt: skip
    files = [str(out / name) for name in ("comparison.json", "samples.png")]
    if as_json:
        print_json({**comparison.to_dict(), "files": files})
        return
    show_comparison(comparison)
    click.echo("\n".join(files))
