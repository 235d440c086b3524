"""`python -m benchmarks.ablation`: which part of a recipe is worth what.

Every variant is the recipe `sn-hinge` with one thing changed, and gets the same CPU time on one core: as many
steps as fit into what STEPS steps of it take. How long its step takes is measured beside that of `sn-hinge`,
in alternating rounds. Results are lines of benchmarks/results/ablation.jsonl; what is there is not
made again. `--table` prints them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import torch

from benchmarks.ablation_variants import ARCHITECTURE, VARIANTS, Variant, seconds_per_step, train
from benchmarks.command import errors_said
from benchmarks.digit_scores import FIGURES, real_scores, score_generator
from dcgan_edge.claims.spread import spread

RESULTS = Path(__file__).parent / "results" / "ablation.jsonl"
STEPS = 600  # of sn-hinge
ROUNDS, ROUND_STEPS = 4, 8
HEAD = ("what is changed", "to", "runs", "steps", "FID", "precision", "recall", "read", "class sizes")


@click.command()
@click.option("--steps", default=STEPS, show_default=True, help="The budget, in steps of sn-hinge.")
@click.option(
    "--runs", default=3, show_default=True, help="Trainings of each variant, of the seeds from 0 on."
)
@click.option("--only", multiple=True, help="Variants to train, by the beginning of their names; else all.")
@click.option("--results", type=click.Path(path_type=Path), default=RESULTS, help="File of the results.")
@click.option("--table", is_flag=True, help="Print what there is as Markdown, and train nothing.")
@errors_said()
def main(steps: int, runs: int, only: tuple[str, ...], results: Path, table: bool) -> None:
    """Train what is missing of the variants, and print a row of Markdown for each."""
    torch.set_num_threads(1)
    chosen = [variant for variant in VARIANTS if not only or variant.name.startswith(only)]
    for seed in range(0 if table else runs):
        for variant in chosen:
            _run_once(variant, seed, steps, results)
    click.echo("\n".join(_table([record for record in _read(results) if record["budget"] == steps])))


def _run_once(variant: Variant, seed: int, steps: int, results: Path) -> None:
    """Train `variant` with `seed`, score it and append the record, unless there is one already."""
    known = [record for record in _read(results) if record["variant"] == variant.name]
    if any((record["seed"], record["budget"]) == (seed, steps) for record in known):
        return
    cost = known[0]["cost"] if known else _cost(variant)
    taken = round(steps / cost)
    scores = score_generator(train(variant, steps=taken, seed=seed), ARCHITECTURE)
    record = {"variant": variant.name, "seed": seed, "budget": steps, "cost": cost, "steps": taken}
    record |= {**asdict(scores), "torch": torch.__version__}
    results.parent.mkdir(parents=True, exist_ok=True)
    with results.open("a") as file:
        file.write(json.dumps(record) + "\n")
    click.echo(f"{variant.name}, seed {seed}: FID {scores.fid:.2f}", err=True)


def _cost(variant: Variant) -> float:
    """How many times the CPU time of a step of `sn-hinge` one of `variant` takes."""
    if variant == VARIANTS[0]:
        return 1.0
    usual, own = seconds_per_step((VARIANTS[0], variant), rounds=ROUNDS, steps=ROUND_STEPS)
    return round(own / usual, 3)


def _read(results: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in results.read_text().splitlines()] if results.is_file() else []


def _table(records: Sequence[dict[str, Any]]) -> Iterable[str]:
    """Rows of Markdown in the order of VARIANTS, below one of real images."""
    yield _row(HEAD)
    yield _row("---" for _ in HEAD)
    real = asdict(real_scores())
    yield _row(("real images", "", "", "", *_figures([real])))
    for variant in VARIANTS:
        own = [record for record in records if record["variant"] == variant.name]
        if own:
            steps = f"{own[0]['steps']:,}"
            yield _row((variant.axis, variant.setting, str(len(own)), steps, *_figures(own)))


def _figures(records: Sequence[dict[str, Any]]) -> list[str]:
    """Mean and standard deviation of each figure over `records`, and the extremes of the class sizes."""
    values = {name: [record[name] for record in records] for name in FIGURES}
    return [
        _with_spread(values["fid"], "{:.2f}"),
        *(_with_spread(values[name], "{:.2f}") for name in ("precision", "recall", "read")),
        f"{min(values['fewest'])} to {max(values['most'])}",
    ]


def _with_spread(values: Sequence[float], form: str) -> str:
    found = spread(values)
    return form.format(found.mean) + (f" ± {form.format(found.sd)}" if found.sd is not None else "")


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
