"""Labels belong to their images, and few labels are drawn fairly."""

from __future__ import annotations

import gzip
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcgan_edge.data import load_digits
from dcgan_edge.data.idx import PREFIXES, Split
from dcgan_edge.data.labelled import draw_labels, load_labelled
from dcgan_edge.errors import EdgeError, UsageError


def write_idx(path: Path, values: np.ndarray) -> None:
    header = struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape)
    path.write_bytes(gzip.compress(header + values.astype(np.uint8).tobytes()))


@pytest.fixture
def idx_folder(tmp_path: Path) -> Path:
    for split, prefix in PREFIXES.items():
        images, labels = load_digits(split)
        write_idx(tmp_path / f"{prefix}-images-idx3-ubyte.gz", images[:20])
        write_idx(tmp_path / f"{prefix}-labels-idx1-ubyte.gz", labels[:20])
    return tmp_path


@pytest.mark.parametrize("split", ["train", "test"])
def test_digits_with_their_labels(split: Split) -> None:
    found = load_labelled("digits", split, 28, 1)
    images, labels = load_digits(split)
    assert np.array_equal(found.pixels[:, 0], images)
    assert np.array_equal(found.labels, labels)


def test_a_folder_at_another_size(idx_folder: Path) -> None:
    found = load_labelled(str(idx_folder), "test", 32, 3)
    assert found.pixels.shape == (20, 3, 32, 32)
    assert np.array_equal(found.labels, load_digits("test")[1][:20])


def test_what_has_no_labels_is_refused(idx_folder: Path, tmp_path: Path) -> None:
    (idx_folder / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(UsageError, match="no labels for its test images"):
        load_labelled(str(idx_folder), "test", 28, 1)
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    shutil.copy(idx_folder / "train-labels-idx1-ubyte.gz", pictures / "photo.png")
    with pytest.raises(UsageError, match="not split into training and test images"):
        load_labelled(str(pictures), "test", 28, 1)
    with pytest.raises(UsageError, match="no folder"):
        load_labelled(str(tmp_path / "absent"), "train", 28, 1)


@given(st.integers(3, 60), st.integers(0, 2**64 - 1))
def test_draws_are_even_and_of_their_seed(count: int, seed: int) -> None:
    labels = np.tile(np.arange(3), 20)[np.random.default_rng(0).permutation(60)]
    drawn = draw_labels(labels, count, seed=seed)
    assert len(set(drawn.tolist())) == count
    counts = np.bincount(labels[drawn], minlength=3)
    assert counts.max() - counts.min() <= 1
    assert np.array_equal(drawn, draw_labels(labels, count, seed=seed))


def test_other_seeds_draw_others() -> None:
    labels = np.repeat(np.arange(10), 100)
    draws = {tuple(draw_labels(labels, 20, seed=seed).tolist()) for seed in range(5)}
    assert len(draws) == 5


def test_all_labels_and_impossible_numbers() -> None:
    labels = np.array([0] * 8 + [1] * 2)
    assert draw_labels(labels, None, seed=0).tolist() == list(range(10))
    for count in (1, 11):
        with pytest.raises(UsageError, match=f"{count} labels cannot be drawn"):
            draw_labels(labels, count, seed=0)
    with pytest.raises(EdgeError, match="Class 1 has 2 labels"):
        draw_labels(labels, 8, seed=0)
