"""`dcgan-edge sample`: seeds in, PNG files out."""

from __future__ import annotations

from pathlib import Path

import click

from dcgan_edge.cli import json_option, print_json
from dcgan_edge.cli.options import backend_option, device_option, seeds_option, threads_option
from dcgan_edge.cli.progress import counter
from dcgan_edge.runtime.session import Backend


@click.command("sample")
@click.argument("artifact", type=click.Path(path_type=Path))
@seeds_option("0-63")
@click.option("--grid", "layout", metavar="ROWSxCOLUMNS", help="Also write grid.png, such as 8x8.")
@click.option("--out", type=click.Path(path_type=Path), default="samples", show_default=True, help="Folder.")
@click.option(
    "--scale", type=click.IntRange(1, 64), default=1, show_default=True, help="Draw each pixel N x N."
)
@device_option
@backend_option
@threads_option
@json_option
def command(
    artifact: Path,
    seeds: list[int],
    layout: str | None,
    out: Path,
    scale: int,
    device: str,
    backend: Backend,
    threads: int | None,
    as_json: bool,
) -> None:
    """Write one PNG for each seed, made by ARTIFACT (.onnx or .engine).

    A seed's picture is the same file whether it is asked for alone or among others.

    \b
    dcgan-edge sample out/generator.fp16.onnx --seeds 0-63 --grid 8x8 --out samples
    dcgan-edge sample out/generator.fp16.onnx --seeds 7,12,100-103 --scale 8
    """
    from dcgan_edge.images import parse_grid
    from dcgan_edge.runtime.parity import verification_words
    from dcgan_edge.runtime.sampling import sample_to_folder
    from dcgan_edge.runtime.session import open_session

    shape = parse_grid(layout) if layout else None
    with open_session(artifact, device=device, backend=backend, threads=threads) as session:
        with counter("Sampling", len(set(seeds)), "images") as progress:
            paths = sample_to_folder(session, seeds, out, layout=shape, scale=scale, progress=progress)
        facts, sha256 = session.facts.to_dict(), session.manifest.sha256
        words = verification_words(session)
    if as_json:
        files = [str(path) for path in paths]
        print_json(
            {
                "artifact": str(artifact),
                "sha256": sha256,
                "session": facts,
                "verification": words,
                "files": files,
            }
        )
    else:
        click.echo(f"{len(paths)} pictures in {out}, the last {paths[-1].name}; {artifact.name} is {words}")
