"""`dcgan-edge latent arithmetic`: calculating with concepts on an artifact, and how often it works."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dcgan_edge.cli import print_json
from dcgan_edge.cli.latent_options import session_facts, session_options
from dcgan_edge.cli.options import FiniteRange
from dcgan_edge.cli.progress import counter
from dcgan_edge.errors import UsageError
from dcgan_edge.latents import MAX_SEED
from dcgan_edge.runtime.session import Backend, Session, open_session

if TYPE_CHECKING:
    from dcgan_edge.claims.arithmetic import Measurement

CLASSES = 10  # digits
POOL = 2000  # seeds that are classified to find members of each class


@click.command("arithmetic")
@session_options
@click.option(
    "--group",
    "groups",
    multiple=True,
    metavar="NAME=SEEDS",
    help="The seeds of a concept, three by custom, such as a=1,2,3; may be given several times.",
)
@click.option("--formula", metavar="TEXT", help="Of the groups' means: + - * / parentheses and numbers.")
@click.option(
    "--noise",
    type=FiniteRange(min=0),
    default=0.25,
    show_default=True,
    help="Of the answer's neighbours, +-.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, MAX_SEED - 9),
    default=0,
    show_default=True,
    help="Of the noise or the draws.",
)
@click.option("--measure", is_flag=True, help="Count how often arithmetic on digits gets the answer right.")
@click.option(
    "--draws",
    type=click.IntRange(min=1),
    default=500,
    show_default=True,
    help="Questions of each kind, measured.",
)
@click.option(
    "--pool",
    type=click.IntRange(min=1),
    default=POOL,
    show_default=True,
    help="Seeds sorted by digit, measured.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), default="arithmetic.png", show_default=True, help="The picture."
)
def arithmetic(
    artifact: Path,
    measure: bool,
    as_json: bool,
    device: str,
    backend: Backend,
    threads: int | None,
    **asked: Any,
) -> None:
    """Calculate with concepts, each the mean latent of a few seeds, or measure how well that works.

    The picture has a column for each concept, its seeds and at the foot their mean; to the right the answer
    among neighbours at a little noise, and at the foot alone.

    --measure puts questions to a generator of digits whose answers our digit classifier can check: A - B +
    other Bs, which should be an A; and bold A - thin A + thin B, which should be a bold B, and the same with
    slant.

    \b
    dcgan-edge latent arithmetic out/generator.fp16.onnx \\
      --group a=1,2,3 --group b=4,5,6 --group c=7,8,9 --formula "a - b + c"
    dcgan-edge latent arithmetic out/generator.fp16.onnx --measure --draws 500
    """
    if measure == bool(asked["groups"] or asked["formula"]):
        raise UsageError("Give --group and --formula for a picture, or --measure alone.")
    with open_session(artifact, device=device, backend=backend, threads=threads) as session:
        facts = session_facts(session, artifact)
        if measure:
            _measure(session, facts, asked, as_json=as_json)
        else:
            _calculate(session, facts, asked, as_json=as_json)


def _calculate(session: Session, facts: dict[str, Any], asked: dict[str, Any], *, as_json: bool) -> None:
    from dcgan_edge.files import write_atomic
    from dcgan_edge.images import encode_png
    from dcgan_edge.latent.arithmetic import draw_answer, parse_groups, solve

    if not asked["formula"]:
        raise UsageError('Groups need a --formula, such as "a - b + c".')
    groups = parse_groups(asked["groups"])
    architecture = session.manifest.architecture
    answer = solve(groups, asked["formula"], architecture, noise=asked["noise"], seed=asked["seed"])
    write_atomic(asked["out"], encode_png(draw_answer(session, answer), scale=asked["scale"]))
    if as_json:
        weights = {concept.name: concept.weight for concept in answer.concepts}
        print_json(
            {
                **facts,
                "groups": groups,
                "weights": weights,
                "latent": answer.latent.ravel().tolist(),
                "files": [str(asked["out"])],
            }
        )
    else:
        click.echo(str(asked["out"]))


def _measure(session: Session, facts: dict[str, Any], asked: dict[str, Any], *, as_json: bool) -> None:
    from dcgan_edge.claims.arithmetic import VARIANTS, measure
    from dcgan_edge.evaluation.classifier import SIZE, load_digit_features
    from dcgan_edge.latent.pools import MEASURES

    architecture = session.manifest.architecture
    if (architecture.size, architecture.channels) != (SIZE, 1):
        raise UsageError(
            f"--measure asks a classifier of grey digits of {SIZE} x {SIZE} pixels; this artifact makes "
            f"images of {architecture.size} x {architecture.size} with {architecture.channels} channels."
        )
    with counter("Measuring", (1 + len(MEASURES)) * len(VARIANTS), "experiments") as progress:
        found = measure(
            session,
            load_digit_features().logits,
            pool=range(asked["pool"]),
            draws=asked["draws"],
            seed=asked["seed"],
            progress=progress,
        )
    if as_json:
        listed = {
            experiment: {
                variant: {"share": rate.share, **dataclasses.asdict(rate)} for variant, rate in each.items()
            }
            for experiment, each in found.rates.items()
        }
        print_json(
            {
                **facts,
                "pool": asked["pool"],
                "draws": asked["draws"],
                "seed": asked["seed"],
                "rates": listed,
                "seeds": found.seeds,
            }
        )
    else:
        _show_rates(found)


def _show_rates(found: Measurement) -> None:
    from rich.table import Table

    from dcgan_edge.cli.tables import show

    table = Table()
    table.add_column("experiment")
    for variant in next(iter(found.rates.values())):
        table.add_column(variant, justify="right")
    for experiment, each in found.rates.items():
        table.add_row(experiment, *(f"{r.share:.1%} [{r.low:.1%}, {r.high:.1%}]" for r in each.values()))
    show(table)
    click.echo("Share of right answers, with 95 % Wilson intervals.")
    click.echo(
        "Seeds to calculate with: any three of a digit; those with the most (+) and the least (-) ink."
    )
    absent = [str(digit) for digit in range(CLASSES) if digit not in found.seeds]
    if absent:
        click.echo(f"Left out, for want of clear samples: {', '.join(absent)}.")
    for digit, examples in found.seeds.items():
        groups = (f"{name} {','.join(map(str, examples[name]))}" for name in ("any", "ink+", "ink-"))
        click.echo(f"  {digit}:  " + "   ".join(groups))
