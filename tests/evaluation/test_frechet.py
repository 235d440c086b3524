"""FID against closed forms and against an independent formula."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcgan_edge.errors import UsageError
from dcgan_edge.evaluation.frechet import Moments, fid, frechet_distance, moments

Generator = np.random.Generator


def covariance(random: Generator, size: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    factor = random.normal(size=(size, size + 2))
    return factor @ factor.T / size


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 2**32), size=st.integers(1, 40))
def test_it_is_the_trace_formula(seed: int, size: int) -> None:
    """tr (C1 C2)^(1/2) is the sum of the roots of the eigenvalues of C1 C2, which is not symmetric."""
    random = np.random.default_rng(seed)
    one, other = (Moments(random.normal(size=size), covariance(random, size)) for _ in range(2))
    roots = np.sqrt(np.linalg.eigvals(one.covariance @ other.covariance).astype(np.complex128)).real
    expected = ((one.mean - other.mean) ** 2).sum() + np.trace(one.covariance + other.covariance)
    # eigenvalues of a product that is not symmetric carry about 1e-12 of its size; their roots more
    assert frechet_distance(one, other) == pytest.approx(expected - 2 * roots.sum(), rel=1e-6, abs=1e-6)


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**32), size=st.integers(1, 20))
def test_covariances_that_share_their_axes_have_a_closed_form(seed: int, size: int) -> None:
    random = np.random.default_rng(seed)
    axes = np.linalg.qr(random.normal(size=(size, size)))[0]
    deviations = random.uniform(0, 3, (2, size))
    shift = random.normal(size=size)
    one, other = (
        Moments(mean, (axes * sd**2) @ axes.T)
        for mean, sd in zip((np.zeros(size), shift), deviations, strict=True)
    )
    expected = (shift**2).sum() + ((deviations[0] - deviations[1]) ** 2).sum()
    assert frechet_distance(one, other) == pytest.approx(expected, rel=1e-7, abs=1e-7)  # double precision


def test_a_set_is_at_no_distance_from_itself_and_a_shifted_one_at_the_square_of_the_shift() -> None:
    random = np.random.default_rng(0)
    features = random.normal(size=(200, 16)).astype(np.float32)
    assert fid(features, features) == pytest.approx(0.0, abs=1e-9)  # rounding of 16 variances of about 1
    shift = np.arange(16, dtype=np.float32) / 8
    # the shift is exact to float32's 24 bits
    assert fid(features, features + shift) == pytest.approx(float((shift**2).sum()), rel=1e-5)


def test_fewer_images_than_features_are_no_obstacle() -> None:
    features = np.random.default_rng(0).normal(size=(8, 32))
    assert fid(features, features) == pytest.approx(0.0, abs=1e-6)  # roots of eigenvalues that are rounding
    assert np.isfinite(fid(features, features[:2]))


def test_the_samples_of_gaussians_are_at_the_distance_of_the_gaussians() -> None:
    random = np.random.default_rng(0)
    one, other = random.normal(size=(20_000, 4)), 2.0 * random.normal(size=(20_000, 4)) + 1.0
    # 4 means of 1 and 4 deviations of 2 - 1; sampling error of a sum of 8 squares at n = 20,000 is about 0.05
    assert fid(one, other) == pytest.approx(8.0, abs=0.2)


def test_fewer_images_are_further_from_the_truth() -> None:
    """The bias that makes values of different n incomparable."""
    random = np.random.default_rng(0)
    real = random.normal(size=(5000, 16))
    assert fid(random.normal(size=(100, 16)), real) > 3 * fid(random.normal(size=(1000, 16)), real)


def test_moments_are_those_of_numpy() -> None:
    features = np.random.default_rng(0).normal(size=(50, 5)).astype(np.float32)
    found = moments(features)
    np.testing.assert_allclose(found.mean, features.astype(np.float64).mean(0), rtol=1e-12)
    np.testing.assert_allclose(found.covariance, np.cov(features.astype(np.float64).T), rtol=1e-10)
    with pytest.raises(UsageError, match="at least two images"):
        moments(features[:1])
