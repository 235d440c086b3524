"""Masks hide what they say, and the context weights are those of the definition, pixel by pixel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from dcgan_edge.errors import EdgeError, UsageError
from dcgan_edge.latent.masks import BoolArray, context_weights, make_mask
from dcgan_edge.latents import FloatArray


def by_definition(known: BoolArray, window: int) -> FloatArray:
    """Share of missing pixels in the window around each known pixel, by looking at each."""
    weights = np.zeros(known.shape, np.float32)
    reach = window // 2
    for row, column in np.argwhere(known):
        top, left = max(0, row - reach), max(0, column - reach)
        seen = known[top : row + reach + 1, left : column + reach + 1]
        weights[row, column] = np.mean(~seen)
    return weights


@given(arrays.arrays(np.bool_, (9, 11)), st.sampled_from([3, 7]))
def test_weights_are_the_share_of_missing_neighbours(known: BoolArray, window: int) -> None:
    assert context_weights(known, window=window) == pytest.approx(by_definition(known, window))


def test_one_missing_pixel_weighs_a_forty_ninth() -> None:
    known = np.ones((28, 28), np.bool_)
    known[14, 14] = False
    weights = context_weights(known)
    assert weights[14, 14] == 0.0
    around = weights[11:18, 11:18]
    assert np.delete(around.ravel(), 24) == pytest.approx(1 / 49)
    assert weights.sum() == pytest.approx(48 / 49)  # and nothing farther away counts


@pytest.mark.parametrize(
    ("kind", "share", "missing"),
    [
        ("centre", None, 14 * 14),
        ("center", None, 14 * 14),
        ("left", None, 14 * 28),
        ("random", None, 627),  # 80 % of 784, to the nearest pixel
        ("random", 0.1, 78),
        ("left", 0.25, 7 * 28),
    ],
)
def test_a_mask_hides_its_share(kind: str, share: float | None, missing: int) -> None:
    known = make_mask(kind, 28, share=share)
    assert known.shape == (28, 28)
    assert (~known).sum() == missing


def test_masks_hide_what_they_are_called_for() -> None:
    centre = make_mask("centre", 28)
    assert not centre[7:21, 7:21].any()
    left = make_mask("left", 28)
    assert not left[:, :14].any()
    assert left[:, 14:].all()
    one, same, other = (make_mask("random", 28, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_a_mask_from_a_file_is_white_where_pixels_are_missing(tmp_path: Path) -> None:
    pixels = np.zeros((56, 56), np.uint8)
    pixels[:28] = 255
    Image.fromarray(pixels).save(tmp_path / "hole.png")
    known = make_mask(str(tmp_path / "hole.png"), 28)
    assert not known[:13].any()
    assert known[15:].all()
    with pytest.raises(UsageError, match="its own share"):
        make_mask(str(tmp_path / "hole.png"), 28, share=0.5)
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(EdgeError, match=r"mask .*text.png"):
        make_mask(str(tmp_path / "text.png"), 28)


@pytest.mark.parametrize(
    ("kind", "share", "why"),
    [
        ("middle", None, "no mask middle"),
        ("centre", 0.0, "between 0 and 1"),
        ("centre", 1.0, "between 0 and 1"),
        ("centre", 1e-6, "nothing to restore"),
        ("left", 0.999, "no pixel known"),
        ("random", float("nan"), "between 0 and 1"),
    ],
)
def test_a_mask_that_makes_no_sense_is_refused(kind: str, share: float | None, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        make_mask(kind, 28, share=share)
