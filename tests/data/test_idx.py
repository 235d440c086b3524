"""IDX files: what MNIST's format says, and everything that can be wrong with one."""

from __future__ import annotations

import gzip
import io
import itertools
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcgan_edge.data import idx, native_channels, open_data
from dcgan_edge.data.idx import idx_images, is_idx_folder, load_idx, read_idx
from dcgan_edge.errors import EdgeError
from dcgan_edge.images import PixelArray


def idx_bytes(array: PixelArray) -> bytes:
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


IMAGES = np.arange(5 * 28 * 28, dtype=np.uint8).reshape(5, 28, 28)
LABELS = np.arange(5, dtype=np.uint8)


@pytest.mark.parametrize("name", ["train-images-idx3-ubyte", "train-images.idx3-ubyte"])
@pytest.mark.parametrize("packed", [False, True])
def test_plain_and_gzipped_files_by_either_name(tmp_path: Path, name: str, packed: bool) -> None:
    data = idx_bytes(IMAGES)
    (tmp_path / (name + ".gz" * packed)).write_bytes(gzip.compress(data) if packed else data)
    images, labels = load_idx(tmp_path)
    np.testing.assert_array_equal(images, IMAGES)
    assert labels is None
    assert is_idx_folder(tmp_path)


def test_gzip_is_known_by_its_content_not_its_name(tmp_path: Path) -> None:
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(gzip.compress(idx_bytes(IMAGES)))
    (tmp_path / "t10k-labels-idx1-ubyte.gz").write_bytes(idx_bytes(LABELS))
    images, labels = load_idx(tmp_path, "test")
    np.testing.assert_array_equal(images, IMAGES)
    assert labels is not None
    np.testing.assert_array_equal(labels, LABELS)


def test_a_folder_of_idx_files_opens_as_data(tmp_path: Path) -> None:
    (tmp_path / "train-images-idx3-ubyte").write_bytes(idx_bytes(IMAGES))
    assert native_channels(str(tmp_path)) == 1
    batch = next(open_data(str(tmp_path), 28).batches(5, seed=0, epoch=0))
    assert sorted(map(bytes, batch.numpy())) == sorted(map(bytes, IMAGES[:, None]))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not an IDX file"),
        (idx_bytes(IMAGES)[:10], "not an IDX file"),
        (idx_bytes(LABELS), "not an IDX file"),
        (b"\0\0\x0d\x03" + idx_bytes(IMAGES)[4:], "not an IDX file"),  # floats
        (idx_bytes(IMAGES)[:-1], "cut short"),
        (idx_bytes(IMAGES) + b"\0", "has more"),
        (struct.pack(">HBB3I", 0, 8, 3, 0, 28, 28), "is empty"),
        (struct.pack(">HBB3I", 0, 8, 3, 2**32 - 1, 2**32 - 1, 2**32 - 1), "more than this machine has"),
        (gzip.compress(idx_bytes(IMAGES))[:-20], "damaged gzip"),
        (gzip.compress(idx_bytes(IMAGES))[:-8] + b"\xff" * 8, "damaged gzip"),  # its checksum
    ],
    ids=itertools.count(),
)
def test_what_is_wrong_is_said(tmp_path: Path, data: bytes, reason: str) -> None:
    (tmp_path / "train-images-idx3-ubyte").write_bytes(data)
    with pytest.raises(EdgeError, match=reason) as caught:
        load_idx(tmp_path)
    assert caught.value.exit_code == 1
    assert "train-images-idx3-ubyte" in str(caught.value)


def test_as_many_labels_as_images(tmp_path: Path) -> None:
    (tmp_path / "train-images-idx3-ubyte").write_bytes(idx_bytes(IMAGES))
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx_bytes(LABELS[:4]))
    with pytest.raises(EdgeError, match="4 labels for 5 images"):
        load_idx(tmp_path)


def test_only_test_images_cannot_be_trained_on(tmp_path: Path) -> None:
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(idx_bytes(IMAGES))
    with pytest.raises(EdgeError, match="has no train-images"):
        open_data(str(tmp_path), 28)


def test_a_gzip_bomb_is_refused_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idx, "available_memory", lambda: 1000)
    bomb = gzip.compress(idx_bytes(np.zeros((1, 1000, 1000), np.uint8)))
    with pytest.raises(EdgeError, match="announces 1000000 bytes"):
        read_idx(io.BytesIO(bomb), "bomb", dimensions=3)


@given(st.binary(max_size=64))
def test_any_bytes_are_an_array_or_an_edge_error(data: bytes) -> None:
    try:
        array = read_idx(io.BytesIO(data), "it", dimensions=1)
    except EdgeError:
        return
    assert array.dtype == np.uint8
    assert array.ndim == 1


def test_a_little_larger_is_framed_and_much_larger_is_resized() -> None:
    framed = idx_images(IMAGES, 32, 1).load(3)
    np.testing.assert_array_equal(framed[0, 2:30, 2:30], IMAGES[3])
    assert not framed[:, :2].any()
    assert not framed[..., 30:].any()
    flat = np.full((1, 28, 28), 77, np.uint8)
    np.testing.assert_array_equal(idx_images(flat, 64, 1).load(0), np.full((1, 64, 64), 77))


def test_three_channels_repeat_the_grey_one() -> None:
    for size in (28, 32, 64):
        image = idx_images(IMAGES, size, 3).load(1)
        assert image.shape == (3, size, size)
        np.testing.assert_array_equal(image, np.broadcast_to(image[:1], image.shape))
        np.testing.assert_array_equal(image[:1], idx_images(IMAGES, size, 1).load(1))
