"""`dcgan-edge animate`: the grids of a training as a film."""

from __future__ import annotations

from pathlib import Path

import click

from dcgan_edge.cli import json_option, print_json
from dcgan_edge.cli.options import FiniteRange


@click.command("animate")
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="File to write, a .gif or an .mp4.  [default: training.gif in RUN]",
)
@click.option(
    "--frames",
    type=click.IntRange(2, 1000),
    default=40,
    show_default=True,
    help="Most grids to show, evenly spaced.",
)
@click.option(
    "--fps", type=FiniteRange(1, 50), default=8.0, show_default=True, help="Number of frames per second."
)
@json_option
def command(run: Path, output: Path | None, frames: int, fps: float, as_json: bool) -> None:
    """Show how the generator of RUN, the folder of a training, learnt.

    \b
    dcgan-edge train --data digits --minutes 3 --grid-every 100 --out runs/digits
    dcgan-edge animate runs/digits
    dcgan-edge animate runs/digits --frames 200 --output training.mp4
    """
    from dcgan_edge.report import animate

    path = animate(run, output, frames=frames, per_second=fps)
    if as_json:
        print_json({"film": str(path), "bytes": path.stat().st_size})
        return
    click.echo(f"{path} ({path.stat().st_size:,} bytes)")
