"""Folders of pictures: what is found, what is skipped, what is refused."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dcgan_edge.data import native_channels, native_size, open_data
from dcgan_edge.data.dataset import MemoryDataset
from dcgan_edge.data.folder import FolderImages, folder_channels, list_pictures
from dcgan_edge.errors import EdgeError, UsageError


def picture(path: Path, grey: int = 0, mode: str = "L") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, (20, 20), grey if mode == "L" else (grey, 10, 20)).save(path)


def test_the_search_is_recursive_sorted_and_leaves_hidden_files_out(tmp_path: Path) -> None:
    for name in ("b/2.png", "a/deep/er/1.JPG", "0.bmp", ".hidden.png", ".cache/3.png"):
        picture(tmp_path / name)
    (tmp_path / "labels.csv").write_text("not a picture by its name")
    picture(tmp_path / "plain.png")
    (tmp_path / "plain.png").rename(tmp_path / "no-ending")
    (tmp_path / "b/circle").symlink_to(tmp_path)
    names = [file.name for file in list_pictures(tmp_path).files]
    assert names == ["0.bmp", "a/deep/er/1.JPG", "b/2.png", "no-ending"]


def test_unreadable_files_are_counted_named_and_skipped(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for index in range(9):
        picture(tmp_path / f"{index}.png", grey=index)
    (tmp_path / "3.png").write_bytes((tmp_path / "3.png").read_bytes()[:-30])
    (tmp_path / "x.jpg").write_text("text")
    with caplog.at_level(logging.WARNING):
        data = open_data(str(tmp_path), 8, 1)
    assert [line.split(":")[0] for line in data.skipped] == ["3.png", "x.jpg"]
    assert "Skipped 2 of 10 files: 3.png: " in caplog.text
    assert isinstance(data, MemoryDataset)
    assert data.pixels[:, 0, 0, 0].tolist() == [0, 1, 2, 4, 4, 5, 6, 7, 8, 0]


def test_a_long_list_of_unreadable_files_is_cut(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    picture(tmp_path / "a.png")
    for index in range(20):
        (tmp_path / f"bad{index:02}.png").write_text("")
    open_data(str(tmp_path), 8, 1)
    assert "bad04.png" in caplog.text
    assert "and 15 more" in caplog.text
    assert "bad05.png" not in caplog.text


def test_a_folder_without_a_readable_picture_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(EdgeError, match="no pictures") as empty:
        open_data(str(tmp_path), 8)
    (tmp_path / "a.png").write_text("text")
    with pytest.raises(EdgeError, match=r"a\.png: not a picture") as spoiled:
        open_data(str(tmp_path), 8, 1)
    assert (empty.value.exit_code, spoiled.value.exit_code) == (1, 1)


def test_a_path_that_is_no_folder_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="There is no folder"):
        open_data(str(tmp_path / "none"), 8)
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="empty file"):
        native_channels(str(tmp_path / "file"))


def test_grey_pictures_have_one_channel_even_if_stored_in_colour(tmp_path: Path) -> None:
    for index in range(5):
        Image.new("RGB", (8, 8), (index, index, index)).save(tmp_path / f"{index}.png")
    assert folder_channels(tmp_path) == 1
    picture(tmp_path / "5.png", mode="RGB")
    assert native_channels(str(tmp_path)) == 3
    assert next(open_data(str(tmp_path), 8).batches(2, seed=0, epoch=0)).shape == (2, 3, 8, 8)


def test_the_size_that_is_proposed_is_that_of_the_data(tmp_path: Path) -> None:
    assert (native_size("digits"), native_size(str(tmp_path))) == (28, 64)


def test_names_are_relative_to_the_folder(tmp_path: Path) -> None:
    picture(tmp_path / "sub/a.png", grey=7)
    images = FolderImages(tmp_path, 8, 3)
    assert (len(images), images.name(0)) == (1, "sub/a.png")
    np.testing.assert_array_equal(images.load(0), np.full((3, 8, 8), 7))
