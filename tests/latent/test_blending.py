"""Known pixels are never touched; Poisson blending keeps gradients and meets the rim of the hole."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcgan_edge.errors import UnavailableError
from dcgan_edge.latent.blending import overlay, poisson
from dcgan_edge.latent.masks import make_mask
from dcgan_edge.latents import FloatArray

SMALL = 0.2  # values so small that nothing is clipped
KINDS = st.sampled_from(["centre", "left", "random"])


def noise(seed: int, channels: int = 1) -> FloatArray:
    random = np.random.default_rng(seed)
    return random.uniform(-SMALL, SMALL, (2, channels, 12, 12)).astype(np.float32)


def laplacian(images: FloatArray) -> FloatArray:
    """Sum of differences to the neighbours inside the image."""
    padded = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge")
    around = padded[..., :-2, 1:-1] + padded[..., 2:, 1:-1] + padded[..., 1:-1, :-2] + padded[..., 1:-1, 2:]
    return np.asarray(4 * images - around, np.float32)


@given(KINDS, st.integers(0, 100), st.sampled_from([1, 3]))
def test_known_pixels_stay_as_they_are(kind: str, seed: int, channels: int) -> None:
    known = make_mask(kind, 12)
    images, generated = 5 * noise(seed, channels), 5 * noise(seed + 1, channels)
    for blend in (overlay, poisson):
        blended = blend(images, generated, known)
        assert np.array_equal(blended[:, :, known], images[:, :, known])
        assert np.abs(blended).max() <= 1.0
    assert np.array_equal(overlay(images, generated, known)[:, :, ~known], generated[:, :, ~known])


@given(KINDS, st.integers(0, 100))
def test_poisson_keeps_the_curvature_of_what_was_generated(kind: str, seed: int) -> None:
    known = make_mask(kind, 12)
    blended = poisson(noise(seed), noise(seed + 1), known)
    wanted = laplacian(noise(seed + 1))
    # float32 rounding of four sums of values up to 0.2
    assert laplacian(blended)[:, :, ~known] == pytest.approx(wanted[:, :, ~known], abs=1e-6)


@pytest.mark.parametrize("kind", ["centre", "left", "random"])
def test_poisson_takes_out_a_difference_of_brightness(kind: str) -> None:
    images = noise(3, 3)
    offset = np.array([0.3, -0.2, 0.1], np.float32)[:, None, None]
    restored = poisson(images, images + offset, make_mask(kind, 12))
    assert restored == pytest.approx(images, abs=1e-6)


def test_poisson_is_clipped_to_what_an_image_can_hold() -> None:
    known = make_mask("centre", 12)
    images = np.full((1, 1, 12, 12), 0.9, np.float32)
    generated = np.zeros_like(images)
    generated[:, :, 5:7, 5:7] = 0.8
    blended = poisson(images, generated, known)
    assert blended.max() == 1.0


def test_without_scipy_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(UnavailableError, match=r"dcgan-edge\[restore\]"):
        poisson(noise(0), noise(1), make_mask("centre", 12))
