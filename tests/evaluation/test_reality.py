"""Which real images are compared with, and which are held out."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dcgan_edge.data import load_digits
from dcgan_edge.errors import EdgeError, UsageError
from dcgan_edge.evaluation.reality import RealImages, real_images
from dcgan_edge.images import PixelArray


def all_of(real: RealImages) -> PixelArray:
    return np.concatenate(list(real.train()))


def test_the_bundled_digits_are_those_of_the_data_package() -> None:
    real = real_images("digits", 28, 1)
    np.testing.assert_array_equal(all_of(real)[:, 0], load_digits("train")[0])
    np.testing.assert_array_equal(real.held_out[:, 0], load_digits("test")[0])
    assert real.split == "train and test split"


def test_digits_of_another_size() -> None:
    real = real_images("digits", 32, 1)
    assert (all_of(real).shape, real.held_out.shape) == ((7000, 1, 32, 32), (1000, 1, 32, 32))
    np.testing.assert_array_equal(real.held_out[:, 0, 2:-2, 2:-2], load_digits("test")[0])


def test_an_idx_folder_has_its_own_test_split(tmp_path: Path) -> None:
    for prefix, count in (("train", 30), ("t10k", 12)):
        images = load_digits()[0][:count]
        header = struct.pack(">HBB3I", 0, 8, 3, *images.shape)
        (tmp_path / f"{prefix}-images-idx3-ubyte").write_bytes(header + images.tobytes())
    real = real_images(str(tmp_path), 28, 1)
    assert (len(all_of(real)), len(real.held_out)) == (30, 12)
    np.testing.assert_array_equal(real.held_out[:, 0], load_digits()[0][:12])


def test_pictures_are_cut_in_two_halves_without_overlap(tmp_path: Path) -> None:
    for level in range(20):
        Image.new("RGB", (16, 16), (level * 10, 0, 0)).save(tmp_path / f"{level}.png")
    real = real_images(str(tmp_path), 16, 3)
    assert real.split == "two halves by chance"
    halves = [set(pixels[:, 0, 0, 0].tolist()) for pixels in (all_of(real), real.held_out)]
    assert [len(half) for half in halves] == [10, 10]
    assert halves[0] | halves[1] == set(range(0, 200, 10))


def test_too_few_or_no_pictures(tmp_path: Path) -> None:
    Image.new("L", (16, 16)).save(tmp_path / "one.png")
    with pytest.raises(EdgeError, match="too few to compare"):
        real_images(str(tmp_path), 16, 1)
    with pytest.raises(UsageError, match="There is no folder"):
        real_images(str(tmp_path / "none"), 16, 1)
