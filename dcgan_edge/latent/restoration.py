"""Damaged images in, restored ones out, beside plain baselines and with figures against the truth.

Two answers come from each inversion. The `completion` is the best of the solutions: sharp, one of the images
that may have been there. The `average` of all solutions is blurred where they disagree, and nearer to the
truth in squared error, which is what PSNR counts. Both are reported, for they answer different questions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from dcgan_edge.errors import UsageError
from dcgan_edge.extras import need
from dcgan_edge.latent.blending import overlay, poisson
from dcgan_edge.latent.inversion import Inversion, Networks, invert_images
from dcgan_edge.latent.masks import BoolArray, context_weights
from dcgan_edge.latent.plan import SearchPlan
from dcgan_edge.latent.scores import Scores, score
from dcgan_edge.latents import FloatArray, latents

Blend = Literal["poisson", "overlay"]
Answer = Literal["completion", "projection", "average"]
Progress = Callable[[int], None]
ORIGINAL = "original"
HIDDEN = 0.0  # grey, which missing pixels are shown as
MEDIAN_WINDOW = 3
MOST_SIGMA = 100.0  # far beyond [-1, 1], and far within float32


@dataclass(frozen=True)
class Restoration:
    """`columns` are images (n, c, h, w) by what they show, the truth first where it is known; `restored`
    names the column that is the answer. `scores` has one entry for each column but the truth; without a
    truth, none.
    """

    columns: dict[str, FloatArray]
    restored: str
    inversion: Inversion
    scores: dict[str, Scores]

    def to_dict(self) -> dict[str, Any]:
        """Return losses and figures as JSON has them, one of each for every image."""
        return {
            "images": len(self.inversion.latents),
            "columns": list(self.columns),
            "restored": self.restored,
            "loss_first": self.inversion.first_losses[:, 0].tolist(),
            "loss_last": self.inversion.losses[:, 0].tolist(),
            "scores": {name: scores.to_dict() for name, scores in self.scores.items()},
        }


def reconstruct_images(
    networks: Networks, images: FloatArray, plan: SearchPlan, *, progress: Progress | None = None
) -> Restoration:
    """Find the nearest images that the generator makes to `images` (n, c, h, w): what it can say at all."""
    _need_tools(scores=True)
    size = networks.architecture.size
    inversion = invert_images(networks, images, np.ones((size, size), np.float32), plan, progress=progress)
    columns = {"reconstruction": inversion.best}
    return _finished(images, columns, "reconstruction", inversion)


def inpaint_images(
    networks: Networks,
    images: FloatArray,
    known: BoolArray,
    plan: SearchPlan,
    *,
    blend: Blend = "poisson",
    answer: Answer = "completion",
    mean: FloatArray | None = None,
    truth: bool = True,
    progress: Progress | None = None,
) -> Restoration:
    """Fill what is not `known` (h, w) in `images` (n, c, h, w).

    Baselines: the mean of each image's known pixels, and `mean` (c, h, w), that of training images, where it
    is given. `truth` tells whether the hidden pixels of `images` are the real ones; if not, there are no
    figures. `answer` is the column that counts as restored. Raises UnavailableError without scipy or
    scikit-image.
    """
    _need_tools(scores=truth)
    masked = np.where(known, images, np.float32(HIDDEN))
    inversion = invert_images(networks, masked, context_weights(known), plan, progress=progress)
    fill = poisson if blend == "poisson" else overlay
    level = images[:, :, known].mean(axis=2)[:, :, None, None]
    columns = {
        "masked": masked,
        "completion": fill(images, inversion.best, known),
        "average": fill(images, inversion.average, known),
        "mean fill": overlay(images, np.broadcast_to(level, images.shape), known),
    }
    if mean is not None:
        columns["mean image"] = overlay(images, np.broadcast_to(mean, images.shape), known)
    return _finished(images if truth else None, columns, answer, inversion)


def denoise_images(
    networks: Networks,
    images: FloatArray,
    plan: SearchPlan,
    *,
    sigma: float | None,
    seed: int = 0,
    answer: Answer = "projection",
    progress: Progress | None = None,
) -> Restoration:
    """Project noisy images onto what the generator makes, which has no noise.

    Normal noise of standard deviation `sigma` on the scale [-1, 1] is added to `images` and the result
    clipped; that of image i is of seed `seed` + i. `sigma` None: they are noisy already, and there are no
    figures. The baseline is a 3 x 3 median filter. Raises UnavailableError without scipy or scikit-image.
    """
    _need_tools(scores=sigma is not None)
    from scipy import ndimage

    noisy = images if sigma is None else add_noise(images, sigma, seed)
    size = networks.architecture.size
    inversion = invert_images(networks, noisy, np.ones((size, size), np.float32), plan, progress=progress)
    columns = {
        "noisy": noisy,
        "projection": inversion.best,
        "average": inversion.average,
        "median filter": ndimage.median_filter(noisy, size=(1, 1, MEDIAN_WINDOW, MEDIAN_WINDOW)),
    }
    return _finished(None if sigma is None else images, columns, answer, inversion)


def add_noise(images: FloatArray, sigma: float, seed: int) -> FloatArray:
    """Add noise N(0, sigma^2) to every value and clip to [-1, 1]; image i has the noise of seed + i.

    Raises UsageError unless `sigma` lies above 0 and is at most MOST_SIGMA.
    """
    if not 0.0 < sigma <= MOST_SIGMA:
        raise UsageError(f"Noise has a standard deviation above 0 and up to {MOST_SIGMA:g}, not {sigma}.")
    noise = latents(range(seed, seed + len(images)), int(np.prod(images.shape[1:])), "normal")
    return np.clip(images + np.float32(sigma) * noise.reshape(images.shape), -1.0, 1.0)


def _finished(
    truth: FloatArray | None, columns: dict[str, FloatArray], restored: str, inversion: Inversion
) -> Restoration:
    if truth is None:
        return Restoration(columns, restored, inversion, {})
    scores = {name: score(images, truth) for name, images in columns.items()}
    return Restoration({ORIGINAL: truth, **columns}, restored, inversion, scores)


def _need_tools(*, scores: bool) -> None:
    """Raise UnavailableError before the long part rather than after it."""
    need("scipy", "restore")
    if scores:
        need("skimage", "restore")
