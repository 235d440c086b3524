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


def write_batches(folder: Path) -> None:
    """CIFAR-10 with 20 images of training and 10 of test, of grey levels that tell them apart."""
    folder.mkdir()
    for number, name in enumerate([*(f"data_batch_{n}.bin" for n in range(1, 6)), "test_batch.bin"]):
        count = 10 if name == "test_batch.bin" else 4
        records = np.zeros((count, 3073), np.uint8)
        records[:, 1:] = (10 * number + np.arange(count))[:, None]
        (folder / name).write_bytes(records.tobytes())


def test_the_official_test_split_of_cifar10_is_held_out(tmp_path: Path) -> None:
    write_batches(tmp_path / "cifar")
    real = real_images(str(tmp_path / "cifar"), 32, 3)
    assert real.split == "train and test split"
    assert sorted(real.held_out[:, 0, 0, 0].tolist()) == list(range(50, 60))
    trained = all_of(real)[:, 0, 0, 0].tolist()
    assert sorted(trained) == [10 * batch + image for batch in range(5) for image in range(4)]
    assert all_of(real)[:, 0, 0, 0].tolist() == trained  # the same order again


def test_the_official_test_split_of_svhn_is_held_out(tmp_path: Path) -> None:
    io = pytest.importorskip("scipy.io", reason="the extra 'data' is not installed")
    for name, first in (("train_32x32.mat", 0), ("test_32x32.mat", 100)):
        levels = np.arange(first, first + 6, dtype=np.uint8)
        images = np.broadcast_to(levels, (32, 32, 3, 6))
        io.savemat(tmp_path / name, {"X": images, "y": np.ones((6, 1), np.uint8)})
    real = real_images(str(tmp_path), 32, 3)
    assert sorted(real.held_out[:, 0, 0, 0].tolist()) == list(range(100, 106))
    assert sorted(all_of(real)[:, 0, 0, 0].tolist()) == list(range(6))


def test_an_idx_folder_without_a_test_split_is_cut_in_two(tmp_path: Path) -> None:
    images = load_digits()[0][:30]
    header = struct.pack(">HBB3I", 0, 8, 3, *images.shape)
    (tmp_path / "train-images-idx3-ubyte").write_bytes(header + images.tobytes())
    real = real_images(str(tmp_path), 28, 1)
    assert (real.split, len(all_of(real)), len(real.held_out)) == ("two halves by chance", 15, 15)
