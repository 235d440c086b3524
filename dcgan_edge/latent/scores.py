"""How near restored images are to the truth: PSNR and SSIM of each image, and their means."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dcgan_edge.errors import UnavailableError
from dcgan_edge.latents import FloatArray

RANGE = 2.0  # of values in [-1, 1]
EXACT = 100.0  # dB that stand for equal images, whose PSNR is infinite


@dataclass(frozen=True)
class Scores:
    """One figure for each image: `psnr` in dB, at most 100; `ssim` at most 1."""

    psnr: tuple[float, ...]
    ssim: tuple[float, ...]

    def to_dict(self) -> dict[str, float | list[float]]:
        return {
            "psnr_db": float(np.mean(self.psnr)),
            "ssim": float(np.mean(self.ssim)),
            "psnr_db_each": list(self.psnr),
            "ssim_each": list(self.ssim),
        }


def score(images: FloatArray, truth: FloatArray) -> Scores:
    """PSNR and SSIM of each of `images` (n, c, h, w) in [-1, 1] against `truth`, over the whole image.

    SSIM with the Gaussian window of its authors (Wang et al. 2004). Raises UnavailableError without
    scikit-image.
    """
    try:
        from skimage.metrics import structural_similarity
    except ImportError as error:
        raise UnavailableError(
            "SSIM is computed by scikit-image, which is not installed: pip install 'dcgan-edge[restore]'"
        ) from error
    errors = np.mean((images.astype(np.float64) - truth) ** 2, axis=(1, 2, 3))
    psnr = np.minimum(10.0 * np.log10(RANGE**2 / np.maximum(errors, 1e-30)), EXACT)
    ssim = [
        float(
            structural_similarity(
                image,
                true,
                data_range=RANGE,
                channel_axis=0,
                gaussian_weights=True,
                sigma=1.5,
                use_sample_covariance=False,
            )
        )
        for image, true in zip(images, truth, strict=True)
    ]
    return Scores(tuple(psnr.tolist()), tuple(ssim))
