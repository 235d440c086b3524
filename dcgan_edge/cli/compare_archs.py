"""`dcgan-edge compare-archs`: train every preset alike, and say which one is better and by how much."""

from __future__ import annotations

import json
from pathlib import Path

import click

from dcgan_edge.cli import json_option, print_json
from dcgan_edge.cli.evaluate import features_options, load_extractor
from dcgan_edge.cli.options import FiniteRange
from dcgan_edge.cli.progress import stderr
from dcgan_edge.errors import UsageError
from dcgan_edge.models import PRESETS

DEFAULT_EPOCHS = 30


@click.command("compare-archs")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of all runs.")
@click.option("--data", default="digits", show_default=True, help="As for train.")
@click.option("--presets", default="all", show_default=True, help="Such as dcgan,gan.")
@click.option(
    "--seeds", "runs", type=click.IntRange(1, 100), default=3, show_default=True, help="Runs of each preset."
)
@click.option(
    "--epochs",
    type=click.IntRange(min=1),
    help="Passes over the data: as many images for each. [default: 30]",
)
@click.option("--minutes", type=FiniteRange(min=0, min_open=True), help="Train each so long instead.")
@click.option(
    "--width",
    type=click.IntRange(min=1),
    default=32,
    show_default=True,
    help="As for train, for all presets.",
)
@click.option("--size", type=click.IntRange(min=1), help="Pixels. [default: as for train]")
@click.option("--batch", type=click.IntRange(min=2), default=128, show_default=True, help="Images per step.")
@click.option(
    "--n",
    "images",
    type=click.IntRange(min=50),
    default=1000,
    show_default=True,
    help="Images scored of each.",
)
@features_options
@json_option
def command(
    out: Path,
    data: str,
    presets: str,
    runs: int,
    epochs: int | None,
    minutes: float | None,
    width: int,
    size: int | None,
    batch: int,
    images: int,
    features: str,
    weights: Path | None,
    as_json: bool,
) -> None:
    """Train every preset on the same data with the same budget, several times, and score them all.

    Prints mean and spread over the runs, writes comparison.json and samples.png into --out. Runs that are
    there are kept: after Ctrl-C the same command goes on.

    \b
    dcgan-edge compare-archs --out comparison
    dcgan-edge compare-archs --presets dcgan,gan --seeds 5 --epochs 50 --out comparison
    """
    from dcgan_edge.claims.presets import ComparisonPlan, compare_architectures
    from dcgan_edge.cli.quality_tables import claim_in_words, comparison_table
    from dcgan_edge.cli.tables import show
    from dcgan_edge.cli.train import training_bar
    from dcgan_edge.data import native_channels, native_size
    from dcgan_edge.evaluation.pictures import rows_png
    from dcgan_edge.files import write_atomic

    if epochs is not None and minutes is not None:
        raise UsageError("Give --epochs or --minutes, not both.")
    plan = ComparisonPlan(
        presets=_presets(presets),
        size=size or native_size(data),
        channels=native_channels(data),
        width=width,
        runs=runs,
        epochs=DEFAULT_EPOCHS if epochs is None and minutes is None else epochs,
        minutes=minutes,
        data=data,
        batch=batch,
        images=images,
    )
    console = stderr()
    comparison = compare_architectures(
        plan, out, load_extractor(features, weights), on_step=console.print, bar=training_bar
    )
    document = comparison.to_dict()
    files = {
        "comparison.json": json.dumps({"schema_version": 1, **document}, indent=1).encode(),
        "samples.png": rows_png(comparison.samples()),
    }
    for name, data_written in files.items():
        write_atomic(out / name, data_written)
    if as_json:
        print_json({**document, "files": [str(out / name) for name in files]})
        return
    show(comparison_table(comparison))
    click.echo(claim_in_words(comparison))
    for name in files:
        click.echo(out / name)


def _presets(text: str) -> tuple[str, ...]:
    """The presets named in `text`, or all. Raises UsageError for one that there is not, or none."""
    if text == "all":
        return tuple(PRESETS)
    names = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    unknown = [name for name in names if name not in PRESETS]
    if unknown:
        raise UsageError(f"There is no preset {unknown[0]!r}; there are {', '.join(PRESETS)}.")
    return names
