from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dcgan_edge.data import cifar as module
from dcgan_edge.data import native_channels, native_size, open_data
from dcgan_edge.data.cifar import BATCHES, FOLDER, find_cifar10, load_cifar10
from dcgan_edge.data.dataset import MemoryDataset
from dcgan_edge.errors import EdgeError
from dcgan_edge.images import PixelArray


def write_cifar(folder: Path, records: int = 4) -> PixelArray:
    """All six batches, random; the records of the training batches, (5 * records, 3073)."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(0)
    written = []
    for name in (*BATCHES["train"], *BATCHES["test"]):
        batch = generator.integers(0, 256, (records, 3073), np.uint8)
        batch[:, 0] = np.arange(records) % 10
        (folder / name).write_bytes(batch.tobytes())
        written.append(batch)
    return np.concatenate(written[:5])


def test_images_are_planes_row_by_row_after_the_label(tmp_path: Path) -> None:
    write_cifar(tmp_path)
    red, green, blue = range(1024), range(1024, 2048), range(2048, 3072)
    planes = np.array([[value % 251 for value in plane] for plane in (red, green, blue)], np.uint8)
    (tmp_path / "test_batch.bin").write_bytes(b"\x07" + planes.tobytes())
    images, labels = load_cifar10(tmp_path, "test")
    assert images.dtype == np.uint8
    assert (images.shape, labels.tolist()) == ((1, 3, 32, 32), [7])
    assert images[0, 1, 2, 3] == (1024 + 2 * 32 + 3) % 251


def test_the_training_images_are_five_batches_in_order(tmp_path: Path) -> None:
    records = write_cifar(tmp_path)
    images, labels = load_cifar10(tmp_path)
    assert np.array_equal(images.reshape(20, -1), records[:, 1:])
    assert np.array_equal(labels, records[:, 0])
    assert len(load_cifar10(tmp_path, "test")[0]) == 4


def test_training_recognises_the_folder_and_the_one_around_it(tmp_path: Path) -> None:
    records = write_cifar(tmp_path / FOLDER)
    assert find_cifar10(tmp_path) == find_cifar10(tmp_path / FOLDER) == tmp_path / FOLDER
    assert (native_channels(str(tmp_path)), native_size(str(tmp_path))) == (3, 32)
    data = open_data(str(tmp_path), 32)
    assert isinstance(data, MemoryDataset)
    assert np.array_equal(data.pixels.numpy().reshape(20, -1), records[:, 1:])


@pytest.mark.parametrize(("size", "channels"), [(64, 3), (32, 1), (28, 1)])
def test_other_sizes_and_grey_are_made_from_it(tmp_path: Path, size: int, channels: int) -> None:
    write_cifar(tmp_path)
    data = open_data(str(tmp_path), size, channels)
    assert next(data.batches(2, seed=0, epoch=0)).shape == (2, channels, size, size)


def test_colours_stay_in_their_planes_when_resized(tmp_path: Path) -> None:
    write_cifar(tmp_path)
    plain = b"\x00" + bytes([200]) * 1024 + bytes([100]) * 1024 + bytes([50]) * 1024
    for name in BATCHES["train"]:
        (tmp_path / name).write_bytes(plain)
    (image, *_) = next(open_data(str(tmp_path), 64).batches(5, seed=0, epoch=0))
    assert [plane.unique().tolist() for plane in image] == [[200], [100], [50]]


def test_a_missing_batch_is_named(tmp_path: Path) -> None:
    write_cifar(tmp_path)
    (tmp_path / "data_batch_3.bin").unlink()
    with pytest.raises(EdgeError, match=r"lacks data_batch_3\.bin; fetch the set again"):
        load_cifar10(tmp_path)
    assert find_cifar10(tmp_path / "nowhere") is None


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "has 0 bytes"),
        (bytes(3072), "has 3072 bytes, not a multiple of 3073"),
        (bytes(3074), "has 3074 bytes"),
        (b"\x0a" + bytes(3072), "has the label 10; those of CIFAR-10 are 0 to 9"),
    ],
)
def test_damaged_batches_are_refused(tmp_path: Path, data: bytes, message: str) -> None:
    write_cifar(tmp_path)
    (tmp_path / "test_batch.bin").write_bytes(data)
    with pytest.raises(EdgeError, match=message):
        load_cifar10(tmp_path, "test")


def test_what_does_not_fit_into_memory_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_cifar(tmp_path)
    monkeypatch.setattr(module, "available_memory", lambda: 100_000)
    with pytest.raises(EdgeError, match="does not fit into the memory that is free"):
        load_cifar10(tmp_path)
