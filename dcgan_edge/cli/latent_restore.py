"""`dcgan-edge latent invert | inpaint | denoise | stylize`: images to latents, by the networks of a
checkpoint.
"""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from dcgan_edge.cli import print_json
from dcgan_edge.cli.latent_options import (
    DENOISE_OPTIONS,
    INPAINT_OPTIONS,
    all_of,
    out_option,
    picture_options,
    plan_options,
)
from dcgan_edge.cli.progress import fraction
from dcgan_edge.errors import UsageError
from dcgan_edge.latent.plan import DENOISE, INPAINT, INVERT, SIGMA, STYLIZE, SearchPlan

if TYPE_CHECKING:
    from dcgan_edge.latent.restoration import Answer, Blend
    from dcgan_edge.latent.restoring import Restored


@click.command("invert")
@picture_options(10)
@plan_options(INVERT)
@out_option("inverted")
def invert(
    checkpoint: Path,
    data: str,
    count: int,
    first: int,
    class_name: str | None,
    plan: SearchPlan,
    shown: int,
    scale: int,
    out: Path,
    device: str,
    as_json: bool,
) -> None:
    """Find the latents whose images are nearest to given ones: what the generator can say at all.

    \b
    dcgan-edge latent invert runs/digits/checkpoint.safetensors --images 10 --out inverted
    dcgan-edge latent invert runs/digits/checkpoint.safetensors --data seven.png
    """
    from dcgan_edge.latent import restoring

    with fraction("Searching latents", "steps") as progress:
        found = restoring.invert(
            checkpoint,
            out,
            data=data,
            count=count,
            first=first,
            class_name=class_name,
            plan=plan,
            shown=shown,
            scale=scale,
            device=device,
            progress=progress,
        )
    _print(found, as_json=as_json)


@click.command("inpaint")
@picture_options(20)
@all_of(INPAINT_OPTIONS)
@plan_options(INPAINT)
@out_option("inpainted")
def inpaint(
    checkpoint: Path,
    data: str,
    count: int,
    first: int,
    class_name: str | None,
    mask: str,
    missing: float | None,
    blend: Blend,
    answer: Literal["completion", "average"],
    truth: bool,
    plan: SearchPlan,
    shown: int,
    scale: int,
    out: Path,
    device: str,
    as_json: bool,
) -> None:
    """Fill holes in images, as Yeh and others did in 2016: by the latent that fits the pixels around the hole
    and looks real to the discriminator; beside it a fill with the mean, and PSNR and SSIM of both.

    \b
    dcgan-edge latent inpaint runs/digits/checkpoint.safetensors --mask centre --images 100 --out inpainted
    dcgan-edge latent inpaint runs/faces/checkpoint.safetensors --data torn.jpg --mask hole.png --no-truth
    """
    from dcgan_edge.latent import restoring

    with fraction("Searching latents", "steps") as progress:
        found = restoring.inpaint(
            checkpoint,
            out,
            data=data,
            count=count,
            first=first,
            class_name=class_name,
            mask=mask,
            missing=missing,
            blend=blend,
            answer=answer,
            truth=truth,
            plan=plan,
            shown=shown,
            scale=scale,
            device=device,
            progress=progress,
        )
    _print(found, as_json=as_json)


@click.command("denoise")
@picture_options(20)
@all_of(DENOISE_OPTIONS)
@plan_options(DENOISE)
@out_option("denoised")
def denoise(
    checkpoint: Path,
    data: str,
    count: int,
    first: int,
    class_name: str | None,
    sigma: float | None,
    noisy: bool,
    answer: Answer,
    plan: SearchPlan,
    shown: int,
    scale: int,
    out: Path,
    device: str,
    as_json: bool,
) -> None:
    """Take noise out of images: project them onto what the generator makes, which has none; beside it a 3 x 3
    median filter, and PSNR and SSIM of both.

    \b
    dcgan-edge latent denoise runs/digits/checkpoint.safetensors --sigma 0.3 --images 100 --out denoised
    dcgan-edge latent denoise runs/digits/checkpoint.safetensors --data scans --noisy
    """
    from dcgan_edge.latent import restoring

    if noisy and sigma is not None:
        raise UsageError("Give --sigma or --noisy, not both.")
    with fraction("Searching latents", "steps") as progress:
        found = restoring.denoise(
            checkpoint,
            out,
            data=data,
            count=count,
            first=first,
            class_name=class_name,
            sigma=None if noisy else sigma or SIGMA,
            answer=answer,
            plan=plan,
            shown=shown,
            scale=scale,
            device=device,
            progress=progress,
        )
    _print(found, as_json=as_json)


@click.command("stylize")
@picture_options(8)
@click.option(
    "--layer",
    "layers",
    multiple=True,
    help="Match this layer, such as conv1; may be given several times.  [default: all]",
)
@plan_options(STYLIZE, with_loss=False)
@out_option("stylized")
def stylize(
    checkpoint: Path,
    data: str,
    count: int,
    first: int,
    class_name: str | None,
    layers: tuple[str, ...],
    plan: SearchPlan,
    shown: int,
    scale: int,
    out: Path,
    device: str,
    as_json: bool,
) -> None:
    """Redraw pictures by a generator of another domain, matched in features of its discriminator.

    This is projection, not a transfer of texture. --lambda decides between two wishes: at 0 the content is
    copied as well as the generator can, and the more there is of it, the more the result is an image of the
    generator's own domain that follows the content in its rough shape only.

    \b
    dcgan-edge latent stylize runs/digits/checkpoint.safetensors --data letters --out stylized
    """
    from dcgan_edge.latent import restoring

    with fraction("Searching latents", "steps") as progress:
        found = restoring.stylize(
            checkpoint,
            out,
            data=data,
            count=count,
            first=first,
            class_name=class_name,
            layers=layers,
            plan=plan,
            shown=shown,
            scale=scale,
            device=device,
            progress=progress,
        )
    _print(found, as_json=as_json)
    if not as_json:
        for name, figures in (("Distance in features", "distances"), ("Discriminator's logit", "logits")):
            means = (
                f"{column} {statistics.fmean(each):.2f}" for column, each in found.facts[figures].items()
            )
            click.echo(f"{name}: {', '.join(means)}.")


def _print(found: Restored, *, as_json: bool) -> None:
    """Print the document, or what the picture shows and the figures where there are any."""
    if as_json:
        print_json(found.to_dict())
        return
    click.echo(f"{found.files[0]}: {', '.join(found.facts['columns'])}, from left to right.")
    scores = found.facts.get("scores")
    if scores:
        _show_scores(scores, found.facts["images"])


def _show_scores(scores: dict[str, dict[str, float]], images: int) -> None:
    from dcgan_edge.cli.tables import new_table, show

    table = new_table("image", ">PSNR", ">SSIM")
    for name, figures in scores.items():
        table.add_row(name, f"{figures['psnr_db']:.2f} dB", f"{figures['ssim']:.3f}")
    show(table)
    counted = "the original of one image" if images == 1 else f"the originals, means over {images} images"
    click.echo(f"Against {counted}.")
