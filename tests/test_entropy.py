from __future__ import annotations

import numpy as np
import pytest

from dcgan_edge.entropy import entropy_bits


def test_entropy_is_in_bits() -> None:
    assert entropy_bits(np.array([1.0, 0.0])) == 0.0
    assert entropy_bits(np.full(8, 1 / 8)) == pytest.approx(3.0)
    assert entropy_bits(np.array([0.5, 0.25, 0.25, 0.0])) == pytest.approx(1.5)
