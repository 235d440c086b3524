"""`dcgan-edge latent arithmetic | measure`: calculating with concepts, and how often it works."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dcgan_edge.cli import print_json
from dcgan_edge.cli.latent_options import all_of, one_class_option, scale_option, session_options
from dcgan_edge.cli.options import SEEDS, FiniteRange, seeds_option
from dcgan_edge.cli.progress import fraction
from dcgan_edge.runtime.device import Backend
from dcgan_edge.seeds import MAX_SEED

if TYPE_CHECKING:
    from dcgan_edge.claims.arithmetic import ArithmeticMeasurement

CLASSES = 10  # digits
ARITHMETIC_OPTIONS = [
    click.option(
        "--from",
        "start",
        type=SEEDS,
        required=True,
        help="Seeds of the concept to start from, three by custom.",
    ),
    click.option("--minus", type=SEEDS, default=(), help="Seeds of the concept to take away."),
    click.option("--plus", type=SEEDS, default=(), help="Seeds of the concept to add."),
    click.option(
        "--noise",
        type=FiniteRange(0, 1e6),
        default=0.25,
        show_default=True,
        help="Show the answer among neighbours at uniform noise of plus or minus this.",
    ),
    click.option(
        "--seed",
        type=click.IntRange(0, MAX_SEED - 9),
        default=0,
        show_default=True,
        help="Draw the noise from this seed.",
    ),
]


@click.command("arithmetic")
@session_options
@all_of(ARITHMETIC_OPTIONS)
@one_class_option
@scale_option
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default="arithmetic.png",
    show_default=True,
    help="Write the picture to this file.",
)
def arithmetic(
    artifact: Path,
    start: list[int],
    minus: list[int],
    plus: list[int],
    noise: float,
    seed: int,
    class_name: str | None,
    scale: int,
    output: Path,
    device: str,
    backend: Backend,
    threads: int | None,
    as_json: bool,
) -> None:
    """Calculate A - B + C with concepts, each the mean latent of a few seeds.

    The picture has a column for each concept, its seeds and at the foot their mean; to the right the answer
    among its neighbours, and at the foot alone.

    \b
    dcgan-edge latent arithmetic out/generator.fp16.onnx --from 1,2,3 --minus 4,5,6 --plus 7,8,9
    """
    from dcgan_edge.latent.drawing import latent_arithmetic

    drawn = latent_arithmetic(
        artifact,
        output,
        start=start,
        minus=minus,
        plus=plus,
        noise=noise,
        seed=seed,
        class_name=class_name,
        scale=scale,
        device=device,
        backend=backend,
        threads=threads,
    )
    if as_json:
        print_json(drawn.to_dict())
    else:
        click.echo(drawn.files[0])


@click.command("measure")
@session_options
@seeds_option("0-1999")
@click.option(
    "--draws",
    type=click.IntRange(1, 100_000),
    default=500,
    show_default=True,
    help="Ask so many questions of each kind.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, MAX_SEED),
    default=0,
    show_default=True,
    help="Draw questions from this seed.",
)
def measure(
    artifact: Path,
    seeds: list[int],
    draws: int,
    seed: int,
    device: str,
    backend: Backend,
    threads: int | None,
    as_json: bool,
) -> None:
    """Count how often arithmetic on digits gets the answer right, as our digit classifier sees it.

    It asks for A - B + other Bs, which should be an A; and for bold A - thin A + thin B, which should be a
    bold B, and the same with slant. The samples of --seeds are sorted by digit first.

    \b
    dcgan-edge latent measure out/generator.fp16.onnx --draws 500
    """
    from dcgan_edge.claims.arithmetic import measure_arithmetic

    with fraction("Measuring", "experiments") as progress:
        found = measure_arithmetic(
            artifact,
            seeds,
            draws=draws,
            seed=seed,
            device=device,
            backend=backend,
            threads=threads,
            progress=progress,
        )
    if as_json:
        print_json(found.to_dict())
    else:
        _show(found)


def _show(found: ArithmeticMeasurement) -> None:
    from dcgan_edge.cli.tables import new_table, show

    table = new_table("answer from", *(f">{experiment}" for experiment in found.rates))
    for variant in next(iter(found.rates.values())):
        rates = (each[variant] for each in found.rates.values())
        table.add_row(variant, *(f"{r.share:.1%} [{r.low:.1%}, {r.high:.1%}]" for r in rates))
    show(table)
    click.echo("Share of right answers, with 95 % Wilson intervals.")
    click.echo(
        "Seeds to calculate with: any three of a digit; those with the most (+) and the least (-) ink."
    )
    absent = [str(digit) for digit in range(CLASSES) if digit not in found.examples]
    if absent:
        click.echo(f"Left out, for want of clear samples: {', '.join(absent)}.")
    for digit, examples in found.examples.items():
        groups = (f"{name} {','.join(map(str, examples[name]))}" for name in ("any", "ink+", "ink-"))
        click.echo(f"  {digit}:  " + "   ".join(groups))
