"""`dcgan-edge latent interpolate | grid`: pictures and films from an exported artifact, without torch."""

from __future__ import annotations

from pathlib import Path

import click

from dcgan_edge.cli import print_json
from dcgan_edge.cli.latent_options import session_facts, session_options
from dcgan_edge.cli.options import SEEDS, FiniteRange
from dcgan_edge.runtime.session import Backend, open_session

FORMATS = ("png", "gif", "apng", "mp4")


@click.command("interpolate")
@session_options
@click.option("--seeds", type=SEEDS, required=True, help="Two or more, such as 1,4,7-9.")
@click.option(
    "--steps",
    type=click.IntRange(2, 1000),
    default=12,
    show_default=True,
    help="From one to the next, both in.",
)
@click.option("--loop", is_flag=True, help="From the last seed back to the first, too.")
@click.option(
    "--format",
    "formats",
    type=click.Choice(FORMATS),
    multiple=True,
    default=("png", "gif"),
    show_default=True,
    help="A strip, or a film; may be given several times. mp4 needs the extra 'video'.",
)
@click.option(
    "--fps",
    type=FiniteRange(1, 50),
    default=12.0,
    show_default=True,
    help="Frames per second of a film.",
)
@click.option("--out", type=click.Path(path_type=Path), default="walk", show_default=True, help="Folder.")
def interpolate(
    artifact: Path,
    seeds: list[int],
    steps: int,
    loop: bool,
    formats: tuple[str, ...],
    fps: float,
    out: Path,
    scale: int,
    device: str,
    backend: Backend,
    threads: int | None,
    as_json: bool,
) -> None:
    """Walk from seed to seed: by slerp for normal latents, in a straight line for uniform ones.

    The strip has a row for each pair of seeds, and begins and ends with their own pictures.

    \b
    dcgan-edge latent interpolate out/generator.fp16.onnx --seeds 1,2,3 --out walk
    dcgan-edge latent interpolate out/generator.fp16.onnx --seeds 1-8 --loop --format apng --format mp4
    """
    from dcgan_edge.latent.interpolation import walk_to_folder

    with open_session(artifact, device=device, backend=backend, threads=threads) as session:
        paths = walk_to_folder(
            session, seeds, out, steps=steps, loop=loop, formats=formats, per_second=fps, scale=scale
        )
        facts = session_facts(session, artifact)
    if as_json:
        print_json({**facts, "seeds": seeds, "steps": steps, "loop": loop, "files": [str(p) for p in paths]})
    else:
        click.echo("\n".join(str(path) for path in paths))


@click.command("grid")
@session_options
@click.option(
    "--seeds", type=SEEDS, required=True, help="Three: the top left, top right and bottom left corner."
)
@click.option(
    "--layout", metavar="ROWSxCOLUMNS", default="9x9", show_default=True, help="Pictures of the plane."
)
@click.option(
    "--out", type=click.Path(path_type=Path), default="grid.png", show_default=True, help="The picture."
)
def grid(
    artifact: Path,
    seeds: list[int],
    layout: str,
    out: Path,
    scale: int,
    device: str,
    backend: Backend,
    threads: int | None,
    as_json: bool,
) -> None:
    """Draw the plane through three seeds.

    \b
    dcgan-edge latent grid out/generator.fp16.onnx --seeds 1,2,3 --layout 9x9 --out grid.png
    """
    from dcgan_edge.images import parse_grid
    from dcgan_edge.latent.interpolation import plane_to_file

    rows, columns = parse_grid(layout)
    with open_session(artifact, device=device, backend=backend, threads=threads) as session:
        plane_to_file(session, seeds, out, rows=rows, columns=columns, scale=scale)
        facts = session_facts(session, artifact)
    if as_json:
        print_json({**facts, "seeds": seeds, "layout": [rows, columns], "files": [str(out)]})
    else:
        click.echo(str(out))
