"""The entropy of shares: the same figure in an evaluation and in the log of a training."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def entropy_bits(shares: npt.NDArray[np.floating]) -> float:
    """Return the entropy in bits of `shares` (k,), which add up to 1: 0 for one class, log2(k) at most."""
    made = shares[shares > 0]
    return float(abs((made * np.log2(made)).sum()))
