"""`dcgan-edge latent interpolate | grid`: pictures and films from an exported artifact, without torch."""

from __future__ import annotations

from pathlib import Path

import click

from dcgan_edge.cli import print_json
from dcgan_edge.cli.latent_options import all_of, one_class_option, out_option, scale_option, session_options
from dcgan_edge.cli.options import SEEDS, FiniteRange, class_option
from dcgan_edge.runtime.device import Backend

FORMATS = ("png", "gif", "mp4")
INTERPOLATE_OPTIONS = [
    click.option("--seeds", type=SEEDS, required=True, help="Walk through these seeds, such as 1,4,7-9."),
    class_option("One class for all seeds, or one for each, such as 3,7; one seed may go through several."),
    click.option(
        "--steps",
        type=click.IntRange(2, 1000),
        default=12,
        show_default=True,
        help="Pictures from one seed to the next, both included.",
    ),
    click.option("--loop", is_flag=True, help="Return from the last seed to the first, too."),
    click.option(
        "--format",
        "formats",
        type=click.Choice(FORMATS),
        multiple=True,
        default=("png", "gif"),
        show_default=True,
        help="Write a strip (png) or a film; may be given several times. mp4 needs the extra 'video'.",
    ),
    click.option(
        "--fps", type=FiniteRange(1, 50), default=12.0, show_default=True, help="Frames per second of a film."
    ),
]


@click.command("interpolate")
@session_options
@all_of(INTERPOLATE_OPTIONS)
@scale_option
@out_option("walk")
def interpolate(
    artifact: Path,
    seeds: list[int],
    classes: str | None,
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

    The strip has a row for each pair of seeds, and begins and ends with their own pictures. Between classes
    their weights go in a straight line.

    \b
    dcgan-edge latent interpolate out/generator.fp16.onnx --seeds 1,2,3 --out walk
    dcgan-edge latent interpolate out/generator.fp16.onnx --seeds 1-8 --loop --format gif --format mp4
    dcgan-edge latent interpolate out/generator.fp16.onnx --seeds 5 --class 3,7
    """
    from dcgan_edge.latent import drawing

    drawn = drawing.interpolate(
        artifact,
        seeds,
        out,
        classes=classes,
        steps=steps,
        loop=loop,
        formats=formats,
        per_second=fps,
        scale=scale,
        device=device,
        backend=backend,
        threads=threads,
    )
    if as_json:
        print_json(drawn.to_dict())
    else:
        click.echo("\n".join(str(path) for path in drawn.files))


@click.command("grid")
@session_options
@click.option(
    "--seeds", type=SEEDS, required=True, help="Three seeds: the top left, top right and bottom left corner."
)
@click.option(
    "--layout", metavar="ROWSxCOLUMNS", default="9x9", show_default=True, help="Pictures of the plane."
)
@one_class_option
@scale_option
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default="grid.png",
    show_default=True,
    help="Write the picture to this file.",
)
def grid(
    artifact: Path,
    seeds: list[int],
    layout: str,
    class_name: str | None,
    output: Path,
    scale: int,
    device: str,
    backend: Backend,
    threads: int | None,
    as_json: bool,
) -> None:
    """Draw the plane through three seeds.

    \b
    dcgan-edge latent grid out/generator.fp16.onnx --seeds 1,2,3 --layout 9x9 --output grid.png
    """
    from dcgan_edge.images import parse_grid
    from dcgan_edge.latent.drawing import latent_grid

    rows, columns = parse_grid(layout)
    drawn = latent_grid(
        artifact,
        seeds,
        output,
        rows=rows,
        columns=columns,
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
