"""The digits that travel with the package."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from dcgan_edge.data import load_digits
from dcgan_edge.data.idx import Split


@pytest.mark.parametrize(("split", "count"), [("train", 7000), ("test", 1000)])
def test_every_digit_has_a_label_and_all_classes_are_there(split: Split, count: int) -> None:
    images, labels = load_digits(split)
    assert images.shape == (count, 28, 28)
    assert labels.shape == (count,)
    # ten classes of about a tenth each; MNIST's rarest, the five, has 9 %
    assert np.bincount(labels, minlength=10).min() > 0.08 * count
    assert len(np.bincount(labels)) == 10


def test_they_are_white_on_black_strokes() -> None:
    images, _ = load_digits("train")
    border = np.concatenate([images[:, 0], images[:, -1]])
    assert (border == 0).mean() > 0.999  # MNIST centres digits in a frame of background
    assert images.max() == 255
    assert 0.1 < (images / 255).mean() < 0.16  # MNIST's mean grey value is 0.13


def test_the_two_parts_share_no_image() -> None:
    parts = [
        {hashlib.sha256(image.tobytes()).digest() for image in load_digits(s)[0]} for s in ("train", "test")
    ]
    assert not parts[0] & parts[1]
