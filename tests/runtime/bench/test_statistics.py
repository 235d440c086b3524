from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcgan_edge.runtime.bench.statistics import percentile, summarise

SAMPLES = st.lists(st.floats(1e-3, 1e4), min_size=1, max_size=300)


@pytest.mark.parametrize(
    ("count", "percent", "index"),
    [
        (100, 99, 98),
        (100, 90, 89),
        (10, 90, 8),
        (10, 99, 9),
        (1, 50, 0),
        (1000, 99, 989),
        (3, 0, 0),
        (5, 100, 4),
    ],
)
def test_percentile_takes_the_sample_that_trtexec_takes(count: int, percent: float, index: int) -> None:
    assert percentile(list(range(count)), percent) == index


@given(SAMPLES)
def test_summary_agrees_with_numpy_where_the_rules_agree(samples: list[float]) -> None:
    summary = summarise(samples)
    assert summary.count == len(samples)
    assert summary.min <= summary.median <= summary.max
    assert summary.min <= summary.p90 <= summary.p95 <= summary.p99 <= summary.max
    # numpy sums in another order than fsum: relative errors of 300 double additions.
    assert summary.median == pytest.approx(np.median(samples), rel=1e-12)
    assert summary.mean == pytest.approx(np.mean(samples), rel=1e-12)
    assert summary.cv_percent == pytest.approx(np.std(samples) / np.mean(samples) * 100, rel=1e-6, abs=1e-5)


def test_p99_is_trusted_from_662_samples() -> None:
    assert not summarise([1.0] * 661).p99_trusted
    assert summarise([1.0] * 662).p99_trusted
