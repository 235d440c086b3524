"""FID: the distance between two sets of features, each taken for a Gaussian.

Source: Heusel et al. 2017, "GANs trained by a two time-scale update rule converge to a local Nash
equilibrium", arXiv:1706.08500, section 3.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dcgan_edge.errors import UsageError
from dcgan_edge.evaluation.distances import Doubles, Floats, pieces


@dataclass(frozen=True)
class Moments:
    """Mean (d,) and covariance (d, d) of a set of features, float64."""

    mean: Doubles
    covariance: Doubles


def moments(features: Floats) -> Moments:
    """Return mean and unbiased covariance of features (n, d). Raises UsageError for fewer than two rows."""
    if len(features) < 2:
        raise UsageError(f"A covariance takes at least two images, not {len(features)}.")
    mean = features.mean(0, dtype=np.float64)
    products = np.zeros((len(mean), len(mean)))
    for _, piece in pieces(features):  # a float64 copy of all would be large
        piece -= mean
        products += piece.T @ piece
    return Moments(mean, products / (len(features) - 1))


def fid(generated: Floats, real: Floats) -> float:
    """Return the Frechet distance between the Gaussians of features (n, d) and (m, d), at least 0.

    It is biased upwards by about 1/n: compare values of the same n only (Binkowski et al. 2018, section 4).
    """
    return frechet_distance(moments(generated), moments(real))


def frechet_distance(one: Moments, other: Moments) -> float:
    """Return |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)), the squared 2-Wasserstein distance of Gaussians.

    The eigenvalues of (C1 C2)^(1/2) are the singular values of C1^(1/2) C2^(1/2): no complex numbers appear,
    and half as many digits are lost as by the square root of a product.
    """
    roots = _root(one.covariance) @ _root(other.covariance)
    overlap = np.linalg.svd(roots, compute_uv=False).sum()
    shift = ((one.mean - other.mean) ** 2).sum()
    distance = shift + np.trace(one.covariance) + np.trace(other.covariance) - 2.0 * overlap
    return max(float(distance), 0.0)


def _root(covariance: Doubles) -> Doubles:
    """The symmetric square root; eigenvalues that rounding has made negative count as 0."""
    values, vectors = np.linalg.eigh(covariance)
    root: Doubles = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    return root
