"""Is everything made, and is anything made twice: class balance, mode coverage, duplicates."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dcgan_edge.entropy import entropy_bits
from dcgan_edge.errors import UsageError
from dcgan_edge.evaluation.distances import Floats, to_neighbour
from dcgan_edge.images import PixelArray

COVERED_FROM = 0.02  # share of the images from which on a class counts as made
NEAR_QUANTILE = 0.01  # of the distances of real images to each other: what is nearer is a near duplicate


@dataclass(frozen=True)
class ClassBalance:
    """How the classes of generated images compare with those of real ones.

    `shares` are of the images in each class, `chi2` is the sum over the classes that real images have of
    (share - real)^2 / real: 0 when balanced as the real images are, about (classes - 1) / n by chance, and
    classes - 1 for a single class of equally frequent ones. `covered` of the `expected` classes that real
    images have are at least COVERED_FROM of the images. `elsewhere` is the share of images that are seen as a
    class that no real image has. `entropy` is in bits, log2(classes) at most.
    """

    shares: tuple[float, ...]
    chi2: float
    covered: int
    expected: int
    elsewhere: float
    entropy: float


def class_balance(labels: npt.NDArray[np.integer], real_shares: npt.NDArray[np.floating]) -> ClassBalance:
    """Compare the classes (n,) of generated images with the shares (k,) of the real ones.

    Classes without real images are left out of `chi2` and `covered`. Raises UsageError when all are.
    """
    real = real_shares > 0
    if not real.any():
        raise UsageError("Class balance needs real images.")
    shares = class_shares(labels, len(real_shares))
    return ClassBalance(
        shares=tuple(shares.tolist()),
        chi2=float(((shares[real] - real_shares[real]) ** 2 / real_shares[real]).sum()),
        covered=int((shares[real] >= COVERED_FROM).sum()),
        expected=int(real.sum()),
        elsewhere=float(shares[~real].sum()),
        entropy=entropy_bits(shares),
    )


def class_shares(labels: npt.NDArray[np.integer], classes: int) -> npt.NDArray[np.float64]:
    """Return the share of each class among `labels`, (classes,)."""
    return np.bincount(labels, minlength=classes) / len(labels)


def exact_duplicates(pixels: PixelArray) -> float:
    """Return the share of the images (n, c, h, w) that have the very pixels of an earlier one."""
    return 1.0 - len({hashlib.sha256(image.tobytes()).digest() for image in pixels}) / len(pixels)


def near_duplicates(features: Floats, threshold: float) -> float:
    """Return the share of the images whose features (n, d) lie within `threshold` of another one's."""
    return float((to_neighbour(features) <= threshold).mean())


def near_threshold(real: Floats) -> float:
    """Return the distance to the nearest other that NEAR_QUANTILE of real images (n, d) are below.

    It shrinks with n: take as many real images as there are generated ones.
    """
    return float(np.quantile(to_neighbour(real), NEAR_QUANTILE))
