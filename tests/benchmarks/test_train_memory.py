"""The slope of memory: known lines are found, noise that is not one is called flat."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.train_memory import fitted
from dcgan_edge.errors import EdgeError

MINUTES = np.arange(0, 30, 1 / 60)  # a reading each second


@pytest.mark.parametrize("slope", [0.0, 300.0, -50.0])
def test_a_line_under_noise_is_found_within_its_interval(slope: float) -> None:
    noise = np.random.default_rng(0).normal(0.0, 2.0, len(MINUTES))  # MiB
    found = fitted(MINUTES.tolist(), (500.0 + MINUTES * slope / 1024.0 + noise).tolist())
    assert abs(found.slope - slope) < found.half
    assert found.half < 100.0  # narrow enough to tell 300 KiB per minute from none
    assert found.peak_mib > found.first_mib


def test_the_beginning_is_left_out() -> None:
    mib = np.where(MINUTES < 5.0, 100.0, 500.0)
    assert fitted(MINUTES.tolist(), mib.tolist()).slope == pytest.approx(0.0, abs=1e-6)


def test_a_few_readings_have_no_slope() -> None:
    with pytest.raises(EdgeError, match="longer"):
        fitted([0.0, 1.0], [1.0, 2.0])
