"""`python -m benchmarks.recipe_scores --minutes 3 --out runs/scores`: how good the digits of a recipe are.

Trains the demo's generator by one recipe, with several seeds, one after the other on the whole machine: what
is measured depends on how fast that is, so nothing else should run on it. Prints a row of Markdown for each
run and one of their means. Runs that lie in the folder already are gone on with, or only scored.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import click

from benchmarks.command import errors_said
from benchmarks.digit_scores import FIGURES, DigitScores, real_scores, score_generator
from dcgan_edge.claims.spread import spread
from dcgan_edge.cli.training import training_bar
from dcgan_edge.demo import ARCHITECTURE
from dcgan_edge.recipes import DEFAULT_RECIPE, RECIPES, recipe_settings
from dcgan_edge.training import CHECKPOINT_NAME, TrainConfig, load_generator, run_training


@click.command()
@click.option("--minutes", default=3.0, show_default=True, help="Training time of each run.")
@click.option("--runs", default=3, show_default=True, help="Trainings, of the seeds from 0 on.")
@click.option("--recipe", type=click.Choice(list(RECIPES)), default=DEFAULT_RECIPE, show_default=True)
@click.option("--conditional", is_flag=True, help="Learn the classes too, as the demo does.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of the runs.")
@errors_said()
def main(minutes: float, runs: int, recipe: str, conditional: bool, out: Path) -> None:
    """Train the demo's generator with several seeds, and print how good its digits are."""
    click.echo(_row(("run", "steps", *FIGURES)))
    click.echo(_row("---" for _ in range(2 + len(FIGURES))))
    click.echo(_row(("real images", "", *_cells(real_scores()))))
    found = []
    architecture = ARCHITECTURE if conditional else dataclasses.replace(ARCHITECTURE, classes=())
    kind = f"{recipe}-classes" if conditional else recipe
    for seed in range(runs):
        config = TrainConfig(architecture, minutes=minutes, seed=seed, **recipe_settings(recipe))
        steps, scores = _trained(config, out / f"{kind}-{minutes:g}-seed{seed}")
        found.append(scores)
        click.echo(_row((f"{recipe}, seed {seed}", f"{steps:,}", *_cells(scores))))
    means = [spread([asdict(scores)[name] for scores in found]).mean for name in FIGURES]
    click.echo(_row((f"{recipe}, mean", "", *(f"{value:.3g}" for value in means))))


def _trained(config: TrainConfig, out: Path) -> tuple[int, DigitScores]:
    """Train into `out`, or go on there, and return the steps taken and the scores."""
    is_begun = (out / CHECKPOINT_NAME).is_file()
    with training_bar() as progress:
        result = run_training(config, out, resume=is_begun, progress=progress)
    generator, spec = load_generator(result.checkpoint)
    return result.step, score_generator(generator, spec.architecture)


def _cells(scores: DigitScores) -> list[str]:
    return [f"{asdict(scores)[name]:.3g}" for name in FIGURES]


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
