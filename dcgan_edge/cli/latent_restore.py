"""`dcgan-edge latent invert | inpaint | denoise | stylize`: images to latents, by the networks of a
checkpoint.
"""

from __future__ import annotations

import contextlib
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dcgan_edge.cli import print_json
from dcgan_edge.cli.latent_options import out_option, picture_options, plan_options
from dcgan_edge.cli.options import FiniteRange
from dcgan_edge.cli.progress import counter

if TYPE_CHECKING:
    from dcgan_edge.latent.inversion import Inversion, Networks, Plan
    from dcgan_edge.latent.restoration import Restoration


@click.command("invert")
@picture_options(10)
@plan_options(steps=200, restarts=4, prior=0.0, loss="l2")
@out_option("inverted")
def invert(checkpoint: Path, as_json: bool, **asked: Any) -> None:
    """Find the latents whose images are nearest to given ones: what the generator can say at all.

    \b
    dcgan-edge latent invert runs/digits/checkpoint.safetensors --images 10 --out inverted
    dcgan-edge latent invert runs/digits/checkpoint.safetensors --data seven.png
    """
    from dcgan_edge.latent.restoration import reconstruct

    networks, images, plan = _prepared(checkpoint, asked)
    with _bar(len(images), plan) as progress:
        found = reconstruct(networks, images, plan, progress=progress)
    _finish(found, {"checkpoint": str(checkpoint), "command": "invert"}, plan, asked, as_json=as_json)


@click.command("inpaint")
@picture_options(20)
@click.option(
    "--mask",
    default="centre",
    show_default=True,
    help="centre, random, left, or a picture with the hole in white.",
)
@click.option(
    "--missing",
    type=FiniteRange(0, 1, min_open=True, max_open=True),
    help="Share of the image that is missing.  [default: centre 0.25, left 0.5, random 0.8]",
)
@click.option(
    "--blend",
    type=click.Choice(["poisson", "overlay"]),
    default="poisson",
    show_default=True,
    help="Only the gradients of the generated pixels, or the pixels.",
)
@click.option(
    "--answer",
    type=click.Choice(["completion", "average"]),
    default="completion",
    show_default=True,
    help="The best solution, or the mean of all: blurred, and nearer in PSNR.",
)
@click.option("--no-truth", is_flag=True, help="What the mask hides is damaged in the files too: no figures.")
@plan_options(steps=100, restarts=8, prior=0.1, loss="l1")
@out_option("inpainted")
def inpaint(checkpoint: Path, as_json: bool, **asked: Any) -> None:
    """Fill holes in images, as Yeh and others did in 2016: by the latent that fits the pixels around the hole
    and looks real to the discriminator; beside it a fill with the mean, and PSNR and SSIM of both.

    \b
    dcgan-edge latent inpaint runs/digits/checkpoint.safetensors --mask centre --images 100 --out inpainted
    dcgan-edge latent inpaint runs/faces/checkpoint.safetensors --data torn.jpg --mask hole.png --no-truth
    """
    from dcgan_edge.latent import restoration
    from dcgan_edge.latent.masks import make_mask
    from dcgan_edge.latent.pictures import mean_image

    networks, images, plan = _prepared(checkpoint, asked)
    _, channels, size, _ = images.shape
    known = make_mask(asked["mask"], size, share=asked["missing"], seed=asked["seed"])
    with _bar(len(images), plan) as progress:
        found = restoration.inpaint(
            networks,
            images,
            known,
            plan,
            blend=asked["blend"],
            answer=asked["answer"],
            mean=mean_image(asked["data"], size, channels),
            truth=not asked["no_truth"],
            progress=progress,
        )
    facts = {
        "checkpoint": str(checkpoint),
        "command": "inpaint",
        "mask": asked["mask"],
        "missing": float(1.0 - known.mean()),
        "blend": asked["blend"],
    }
    _finish(found, facts, plan, asked, as_json=as_json)


@click.command("denoise")
@picture_options(20)
@click.option(
    "--sigma",
    type=FiniteRange(0, min_open=True),
    default=0.3,
    show_default=True,
    help="Of the noise that is added, on the scale [-1, 1].",
)
@click.option("--noisy", is_flag=True, help="The images are noisy already: none is added, and no figures.")
@click.option(
    "--answer",
    type=click.Choice(["projection", "average"]),
    default="projection",
    show_default=True,
    help="The best solution, or the mean of all.",
)
@plan_options(steps=200, restarts=4, prior=0.0, loss="l2")
@out_option("denoised")
def denoise(checkpoint: Path, as_json: bool, **asked: Any) -> None:
    """Take noise out of images: project them onto what the generator makes, which has none; beside it a 3 x 3
    median filter, and PSNR and SSIM of both.

    \b
    dcgan-edge latent denoise runs/digits/checkpoint.safetensors --sigma 0.3 --images 100 --out denoised
    dcgan-edge latent denoise runs/digits/checkpoint.safetensors --data scans --noisy
    """
    from dcgan_edge.latent import restoration

    networks, images, plan = _prepared(checkpoint, asked)
    sigma = None if asked["noisy"] else asked["sigma"]
    with _bar(len(images), plan) as progress:
        found = restoration.denoise(
            networks, images, plan, sigma=sigma, seed=asked["seed"], answer=asked["answer"], progress=progress
        )
    facts = {"checkpoint": str(checkpoint), "command": "denoise", "sigma": sigma}
    _finish(found, facts, plan, asked, as_json=as_json)


@click.command("stylize")
@picture_options(8)
@click.option(
    "--layer", "layers", multiple=True, help="conv1, conv2, ...; may be given several times. [default: all]"
)
@plan_options(steps=200, restarts=4, prior=0.05, loss=None)
@out_option("stylized")
def stylize(checkpoint: Path, as_json: bool, **asked: Any) -> None:
    """Redraw pictures by a generator of another domain, matched in features of its discriminator.

    This is projection, not a transfer of texture. --lambda decides between two wishes: at 0 the content is
    copied as well as the generator can, and the more there is of it, the more the result is an image of the
    generator's own domain that follows the content in its rough shape only.

    \b
    dcgan-edge latent stylize runs/digits/checkpoint.safetensors --data letters --out stylized
    """
    from dcgan_edge.latent.stylize import stylize

    networks, images, plan = _prepared(checkpoint, asked)
    with _bar(len(images), plan) as progress:
        found = stylize(networks, images, plan, layers=asked["layers"], progress=progress)
    facts = {"checkpoint": str(checkpoint), "command": "stylize", **found.to_dict()}
    _write(found.columns, "projection", found.inversion, facts, plan, asked, as_json=as_json)
    if not as_json:
        for name, figures in (("Distance in features", "distances"), ("Discriminator's logit", "logits")):
            means = (f"{column} {statistics.fmean(each):.2f}" for column, each in facts[figures].items())
            click.echo(f"{name}: {', '.join(means)}.")


def _prepared(checkpoint: Path, asked: dict[str, Any]) -> tuple[Networks, Any, Plan]:
    """The networks, the images (n, c, h, w) and the plan that were asked for."""
    from dcgan_edge.latent.inversion import Plan, load_networks
    from dcgan_edge.latent.pictures import pictures

    names = ("steps", "restarts", "pool", "learning_rate", "prior", "loss", "seed")
    plan = Plan(**{name: asked[name] for name in names if name in asked})
    networks = load_networks(checkpoint, asked["device"])
    architecture = networks.architecture
    images = pictures(
        asked["data"], architecture.size, architecture.channels, count=asked["count"], first=asked["first"]
    )
    return networks, images, plan


@contextlib.contextmanager
def _bar(images: int, plan: Plan) -> Iterator[Callable[[int], None]]:
    from dcgan_edge.latent.inversion import step_count

    with counter("Searching latents", step_count(images, plan), "steps") as progress:
        yield progress


def _finish(
    found: Restoration, facts: dict[str, Any], plan: Plan, asked: dict[str, Any], *, as_json: bool
) -> None:
    facts = {**facts, **found.to_dict()}
    _write(found.columns, found.restored, found.inversion, facts, plan, asked, as_json=as_json)
    if not as_json and found.scores:
        _show_scores(found)


def _write(
    columns: dict[str, Any],
    restored: str,
    inversion: Inversion,
    facts: dict[str, Any],
    plan: Plan,
    asked: dict[str, Any],
    *,
    as_json: bool,
) -> None:
    import dataclasses

    from dcgan_edge.latent.output import write_results

    facts = {**facts, "data": asked["data"], "first": asked["first"], "plan": dataclasses.asdict(plan)}
    paths = write_results(
        asked["out"], columns, restored, inversion, facts, shown=asked["shown"], scale=asked["scale"]
    )
    if as_json:
        print_json({**facts, "files": [str(path) for path in paths]})
    else:
        click.echo(f"{paths[0]}: {', '.join(columns)}, from left to right.")


def _show_scores(found: Restoration) -> None:
    from rich.table import Table

    from dcgan_edge.cli.tables import show

    table = Table()
    table.add_column("")
    table.add_column("PSNR", justify="right")
    table.add_column("SSIM", justify="right")
    for name, scores in found.scores.items():
        table.add_row(name, f"{statistics.fmean(scores.psnr):.2f} dB", f"{statistics.fmean(scores.ssim):.3f}")
    show(table)
    click.echo(f"Means over {len(found.inversion.latents)} images, against the originals.")
