"""`dcgan-edge latent invert | inpaint | denoise | stylize` as functions: a checkpoint and images in, restored
images and figures out.

Each searches latents with both networks of a checkpoint (`inversion`), compares with plain baselines
(`restoration`, `stylize`) and leaves a folder of results (`output`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dcgan_edge.errors import UsageError
from dcgan_edge.files import StrPath, check_writable
from dcgan_edge.images import check_grid
from dcgan_edge.latent import plan as plans
from dcgan_edge.latent.inversion import Networks, load_networks, step_count
from dcgan_edge.latent.masks import make_mask
from dcgan_edge.latent.output import write_results
from dcgan_edge.latent.pictures import mean_image, pictures
from dcgan_edge.latent.plan import SearchPlan
from dcgan_edge.latent.restoration import (
    Answer,
    Blend,
    Restoration,
    denoise_images,
    inpaint_images,
    reconstruct_images,
)
from dcgan_edge.latent.stylize import Stylized, stylize_images
from dcgan_edge.latents import FloatArray

Progress = Callable[[int, int], None]  # steps of the search that are done, and steps in all
MOST_IMAGES, MOST_SCALE = 100_000, 64
MOST_COLUMNS = 6  # of the picture of any of them


@dataclass(frozen=True)
class Restored:
    """What was `found`, the `facts` that were written as figures.json, and all `files`, the picture first."""

    found: Restoration | Stylized
    facts: Mapping[str, Any]
    files: tuple[Path, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the facts and the paths as JSON has them."""
        return {**self.facts, "files": [str(path) for path in self.files]}


def invert(
    checkpoint: StrPath,
    out: StrPath = "inverted",
    *,
    data: str = "digits",
    count: int = 10,
    first: int = 0,
    class_name: str | None = None,
    plan: SearchPlan = plans.INVERT,
    shown: int = 10,
    scale: int = 2,
    device: str = "auto",
    progress: Progress | None = None,
) -> Restored:
    """Find the latents whose images are nearest to `count` images of `data`, from number `first` on.

    It measures how much of an image the generator can say at all. `data` is "digits", a data set that has
    test images (those are taken), a folder of pictures, or one picture. `class_name` is the class that is
    searched in, which a conditional generator needs. Into `out` go rows.png (`shown` images, each pixel drawn
    `scale` x `scale`), the reconstructions, latents.npy and figures.json.

    Raises UsageError, ArtifactError and UnavailableError for images, a checkpoint or a device that are not
    there, and EdgeError when `out` cannot be written.
    """
    job = _prepared(checkpoint, out, data, count, first, class_name, device, shown, scale)
    found = reconstruct_images(job.networks, job.images, plan, progress=job.ticks(plan, progress))
    return job.finish(found, {"command": "invert"}, plan, shown, scale)


def inpaint(
    checkpoint: StrPath,
    out: StrPath = "inpainted",
    *,
    data: str = "digits",
    count: int = 20,
    first: int = 0,
    class_name: str | None = None,
    mask: str = "centre",
    missing: float | None = None,
    blend: Blend = "poisson",
    answer: Answer = "completion",
    truth: bool = True,
    plan: SearchPlan = plans.INPAINT,
    shown: int = 10,
    scale: int = 2,
    device: str = "auto",
    progress: Progress | None = None,
) -> Restored:
    """Fill holes in images by the latent that fits the pixels around the hole (Yeh et al. 2016).

    `mask` is "centre", "left", "random" or the path of a picture with the hole in white; `missing` is the
    share of the image that the first three hide. `blend` "poisson" takes over the gradients of the generated
    pixels, "overlay" the pixels. `answer` is the result that is written: the best "completion", or the
    "average" of all. `truth` False says that the images are damaged under the mask: then there are no
    figures. The rest is as in `invert`.

    Raises what `invert` raises, and UsageError for a mask that leaves all or nothing.
    """
    job = _prepared(checkpoint, out, data, count, first, class_name, device, shown, scale)
    _, channels, size, _ = job.images.shape
    known = make_mask(mask, size, share=missing, seed=plan.seed)
    found = inpaint_images(
        job.networks,
        job.images,
        known,
        plan,
        blend=blend,
        answer=answer,
        mean=mean_image(data, size, channels),
        truth=truth,
        progress=job.ticks(plan, progress),
    )
    facts = {"command": "inpaint", "mask": mask, "missing": float(1.0 - known.mean()), "blend": blend}
    return job.finish(found, facts, plan, shown, scale)


def denoise(
    checkpoint: StrPath,
    out: StrPath = "denoised",
    *,
    data: str = "digits",
    count: int = 20,
    first: int = 0,
    class_name: str | None = None,
    sigma: float | None = plans.SIGMA,
    answer: Answer = "projection",
    plan: SearchPlan = plans.DENOISE,
    shown: int = 10,
    scale: int = 2,
    device: str = "auto",
    progress: Progress | None = None,
) -> Restored:
    """Take noise out of images: project them onto what the generator makes, which has none.

    Normal noise of standard deviation `sigma`, on the scale [-1, 1], is added first; None says that the
    images are noisy already, and then there are no figures. `answer` is the result that is written: the best
    "projection", or the "average" of all. The rest is as in `invert`.
    """
    job = _prepared(checkpoint, out, data, count, first, class_name, device, shown, scale)
    found = denoise_images(
        job.networks,
        job.images,
        plan,
        sigma=sigma,
        seed=plan.seed,
        answer=answer,
        progress=job.ticks(plan, progress),
    )
    return job.finish(found, {"command": "denoise", "sigma": sigma}, plan, shown, scale)


def stylize(
    checkpoint: StrPath,
    out: StrPath = "stylized",
    *,
    data: str = "digits",
    count: int = 8,
    first: int = 0,
    class_name: str | None = None,
    layers: tuple[str, ...] = (),
    plan: SearchPlan = plans.STYLIZE,
    shown: int = 10,
    scale: int = 2,
    device: str = "auto",
    progress: Progress | None = None,
) -> Restored:
    """Redraw images by a generator of another domain, matched in the features of its discriminator.

    `layers` names the layers whose features count, such as "conv2"; empty takes all of them. `plan.prior`
    weighs the generator's own domain against the content. The rest is as in `invert`.

    Raises what `invert` raises, and UsageError for a layer that the discriminator does not have.
    """
    job = _prepared(checkpoint, out, data, count, first, class_name, device, shown, scale)
    ticks = job.ticks(plan, progress)
    found = stylize_images(job.networks, job.images, plan, layers=layers, progress=ticks)
    return job.finish(found, {"command": "stylize"}, plan, shown, scale)


@dataclass(frozen=True)
class _Job:
    """What all four share: networks, images (n, c, h, w), and where results go."""

    checkpoint: Path
    out: Path
    data: str
    first: int
    networks: Networks
    images: FloatArray

    def ticks(self, plan: SearchPlan, progress: Progress | None) -> Callable[[int], None] | None:
        """Return what the search tells its steps to."""
        if progress is None:
            return None
        total = step_count(len(self.images), plan)
        progress(0, total)
        return lambda done: progress(done, total)

    def finish(
        self, found: Restoration | Stylized, facts: dict[str, Any], plan: SearchPlan, shown: int, scale: int
    ) -> Restored:
        """Write the results, and return them with the facts of the request."""
        facts = {
            "checkpoint": str(self.checkpoint),
            **facts,
            **found.to_dict(),
            "data": self.data,
            "first": self.first,
            "plan": dataclasses.asdict(plan),
        }
        columns, inversion = found.columns, found.inversion
        files = write_results(self.out, columns, found.restored, inversion, facts, shown=shown, scale=scale)
        return Restored(found, facts, tuple(files))


def _prepared(
    checkpoint: StrPath,
    out: StrPath,
    data: str,
    count: int,
    first: int,
    class_name: str | None,
    device: str,
    shown: int,
    scale: int,
) -> _Job:
    if not (1 <= count <= MOST_IMAGES and first >= 0):
        raise UsageError(f"1 to {MOST_IMAGES:,} images are restored, from number 0 or later on.")
    if not (shown >= 1 and 1 <= scale <= MOST_SCALE):
        raise UsageError(f"A picture shows at least one image, each pixel 1 to {MOST_SCALE} times as large.")
    out = Path(out)
    check_writable(out / "rows.png")
    networks = load_networks(checkpoint, device, class_name)
    architecture = networks.architecture
    check_grid(min(shown, count), MOST_COLUMNS, architecture.size, scale=scale)
    images = pictures(data, architecture.size, architecture.channels, count=count, first=first)
    return _Job(Path(checkpoint), out, data, first, networks, images)
