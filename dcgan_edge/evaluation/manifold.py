"""Precision and recall: how many images look real, and how much of what is real is made.

Source: Kynkaanniemi et al. 2019, "Improved precision and recall metric for assessing generative models",
arXiv:1904.06991, section 2.
"""

from __future__ import annotations

import numpy as np

from dcgan_edge.evaluation.distances import Doubles, Floats, distance_blocks, to_neighbour

NEIGHBOURS = 3  # as in the paper


def precision_recall(generated: Floats, real: Floats, *, k: int = NEIGHBOURS) -> tuple[float, float]:
    """Return (precision, recall) of features (n, d) and (m, d), which should be equally many.

    Around each image is a ball that reaches to its k-th neighbour in its own set. Precision is the share of
    generated images in a ball of a real one, recall the share of real images in a ball of a generated one.

    Raises UsageError for sets of `k` images or fewer.
    """
    radii = to_neighbour(real, k), to_neighbour(generated, k)
    return _share_inside(generated, real, radii[0]), _share_inside(real, generated, radii[1])


def _share_inside(points: Floats, centres: Floats, radii: Doubles) -> float:
    inside = [(block <= radii).any(1) for _, block in distance_blocks(points, centres)]
    return float(np.concatenate(inside).mean())
