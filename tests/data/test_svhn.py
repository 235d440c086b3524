"""SVHN from MATLAB files that scipy itself has written; skipped where the extra `data` is not installed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dcgan_edge.data import native_channels, native_size, open_data
from dcgan_edge.data import svhn as module
from dcgan_edge.data.svhn import is_svhn_folder, load_svhn
from dcgan_edge.errors import EdgeError, UnavailableError

IMAGES = np.random.default_rng(0).integers(0, 256, (32, 32, 3, 6), np.uint8)
LABELS = np.array([[1], [2], [9], [10], [5], [10]], np.uint8)


def write(folder: Path, name: str = "train_32x32.mat", **variables: Any) -> None:
    io = pytest.importorskip("scipy.io", reason="the extra `data` is not installed")
    io.savemat(folder / name, {"X": IMAGES, "y": LABELS} | variables, do_compression=True)


def test_images_are_turned_to_planes_and_ten_is_zero(tmp_path: Path) -> None:
    write(tmp_path)
    images, labels = load_svhn(tmp_path)
    assert images.shape == (6, 3, 32, 32)
    assert images.dtype == labels.dtype == np.uint8
    assert images.flags.c_contiguous
    assert images[4, 2, 7, 30] == IMAGES[7, 30, 2, 4]
    assert labels.tolist() == [1, 2, 9, 0, 5, 0]


def test_the_splits_are_two_files(tmp_path: Path) -> None:
    write(tmp_path, "test_32x32.mat", X=IMAGES[..., :2], y=LABELS[:2].astype(np.float64))
    assert is_svhn_folder(tmp_path)
    assert load_svhn(tmp_path, "test")[1].tolist() == [1, 2]
    with pytest.raises(EdgeError, match=r"has no train_32x32\.mat; fetch it: dcgan-edge data fetch svhn"):
        load_svhn(tmp_path)


def test_training_recognises_the_folder(tmp_path: Path) -> None:
    write(tmp_path)
    assert (native_channels(str(tmp_path)), native_size(str(tmp_path))) == (3, 32)
    data = open_data(str(tmp_path), 32)
    assert (len(data), next(data.batches(2, seed=0, epoch=0)).shape) == (6, (2, 3, 32, 32))
    assert not is_svhn_folder(tmp_path / "elsewhere")


def test_without_scipy_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "train_32x32.mat").write_bytes(b"whatever")
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(UnavailableError, match=r"pip install 'dcgan-edge\[data\]'"):
        load_svhn(tmp_path)


@pytest.mark.parametrize(
    "variables",
    [
        {"X": {"a": IMAGES}},  # a struct
        {"X": np.array([IMAGES, "cell"], object)},
        {"X": IMAGES.astype(np.float64)},
        {"X": IMAGES[:16]},
        {"X": IMAGES[..., 0]},
        {"y": LABELS[:5]},
        {"y": {"labels": LABELS}},
        {"y": LABELS + 1},  # 11 is no digit
        {"y": np.full((6, 1), np.nan)},
    ],
)
def test_other_variables_are_refused(tmp_path: Path, variables: dict[str, Any]) -> None:
    write(tmp_path, **variables)
    with pytest.raises(EdgeError, match=r"not a file of SVHN|labels other than"):
        load_svhn(tmp_path)


@pytest.mark.parametrize("size", [0, 100, 300, 5000])
def test_a_file_that_is_cut_short_is_refused(tmp_path: Path, size: int) -> None:
    write(tmp_path)
    path = tmp_path / "train_32x32.mat"
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(EdgeError, match=r"damaged or no MATLAB file|not a file of SVHN"):
        load_svhn(tmp_path)


def test_version_7_3_is_refused_by_name(tmp_path: Path) -> None:
    pytest.importorskip("scipy.io", reason="the extra `data` is not installed")
    header = b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM"
    (tmp_path / "train_32x32.mat").write_bytes(header + bytes(512))
    with pytest.raises(EdgeError, match=r"version 7\.3"):
        load_svhn(tmp_path)


def test_what_does_not_fit_into_memory_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path)
    monkeypatch.setattr(module, "available_memory", lambda: 30_000)
    with pytest.raises(EdgeError, match="holds 6 images, more than fit"):
        load_svhn(tmp_path)
