"""How near restored images are to the truth: PSNR and SSIM of each image, and their means."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dcgan_edge.errors import UnavailableError
from dcgan_edge.images import PEAK, psnr
from dcgan_edge.latents import FloatArray

EXACT = 100.0  # dB that stand for equal images, whose PSNR is infinite


@dataclass(frozen=True)
class Scores:
    """One figure for each image: `psnr` in dB, at most 100; `ssim` at most 1."""

    psnr: tuple[float, ...]
    ssim: tuple[float, ...]

    def to_dict(self) -> dict[str, float | list[float]]:
        """Return the means and the figures of each image as JSON has them."""
        return {
            "psnr_db": float(np.mean(self.psnr)),
            "ssim": float(np.mean(self.ssim)),
            "psnr_db_each": list(self.psnr),
            "ssim_each": list(self.ssim),
        }


def score(images: FloatArray, truth: FloatArray) -> Scores:
    """Measure PSNR and SSIM of each of `images` (n, c, h, w) in [-1, 1] against `truth`, over whole images.

    SSIM with the Gaussian window of its authors (Wang et al. 2004). Raises UnavailableError without
    scikit-image.
    """
    try:
        from skimage.metrics import structural_similarity
    except ImportError as error:
        raise UnavailableError(
            "SSIM is computed by scikit-image, which is not installed: pip install 'dcgan-edge[restore]'"
        ) from error
    decibels = np.minimum(psnr(images, truth), EXACT)
    ssim = [
        float(
            structural_similarity(
                image,
                true,
                data_range=PEAK,
                channel_axis=0,
                gaussian_weights=True,
                sigma=1.5,
                use_sample_covariance=False,
            )
        )
        for image, true in zip(images, truth, strict=True)
    ]
    return Scores(tuple(decibels.tolist()), tuple(ssim))
