"""Which images are restored: those that training never saw, or the ones that were asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dcgan_edge.data import load_digits
from dcgan_edge.errors import EdgeError, UsageError
from dcgan_edge.images import to_uint8
from dcgan_edge.latent.pictures import mean_image, pictures


def test_digits_are_those_held_out() -> None:
    found = pictures("digits", 28, 1, count=3, first=5)
    assert found.dtype == np.float32
    assert np.array_equal(to_uint8(found)[:, 0], load_digits("test")[0][5:8])
    assert len(pictures("digits", 28, 1, count=10, first=995)) == 5
    with pytest.raises(UsageError, match="1000 images; the first one asked for is number 1000"):
        pictures("digits", 28, 1, count=1, first=1000)


def test_pictures_of_a_folder_and_one_alone(tmp_path: Path) -> None:
    for level, name in ((0, "a.png"), (255, "b.png")):
        Image.new("L", (40, 40), level).save(tmp_path / name)
    found = pictures(str(tmp_path), 28, 1, count=9)
    assert found.shape == (2, 1, 28, 28)
    assert found.mean(axis=(1, 2, 3)).tolist() == [-1.0, 1.0]
    assert pictures(str(tmp_path / "b.png"), 32, 3, count=9).shape == (1, 3, 32, 32)
    (tmp_path / "notes.txt").write_text("no picture")
    with pytest.raises(EdgeError, match=r"notes.txt"):
        pictures(str(tmp_path / "notes.txt"), 28, 1, count=1)
    with pytest.raises(UsageError, match="no folder"):
        pictures(str(tmp_path / "absent"), 28, 1, count=1)


def test_the_mean_is_of_training_images(tmp_path: Path) -> None:
    found = mean_image("digits", 28, 1)
    assert found is not None
    expected = load_digits()[0].mean(axis=0) / 127.5 - 1
    assert found[0] == pytest.approx(expected, abs=1e-6)  # 7000 of 7000, rounded to float32
    Image.new("L", (40, 40)).save(tmp_path / "a.png")
    assert mean_image(str(tmp_path), 28, 1) is None
    assert mean_image(str(tmp_path / "a.png"), 28, 1) is None


def test_one_picture_has_no_second(tmp_path: Path) -> None:
    Image.new("L", (28, 28)).save(tmp_path / "one.png")
    with pytest.raises(UsageError, match="number 5"):
        pictures(str(tmp_path / "one.png"), 28, 1, count=1, first=5)
