"""What users bring: archives, torchvision's folders, EMNIST, foreign files, and runs inside the data."""

from __future__ import annotations

import gzip
import io
import logging
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dcgan_edge.data import check_source, dataset, native_channels, native_size, open_data
from dcgan_edge.data.folder import FolderImages
from dcgan_edge.data.idx import load_idx
from dcgan_edge.data.labelled import load_labelled
from dcgan_edge.data.pixels import read_image
from dcgan_edge.data.prepare import prepare
from dcgan_edge.errors import EdgeError, UsageError
from dcgan_edge.images import PixelArray

IMAGES = np.arange(6 * 28 * 28, dtype=np.uint8).reshape(6, 28, 28)
LABELS = np.arange(6, dtype=np.uint8)


def idx(array: PixelArray) -> bytes:
    header = bytes((0, 0, 8, array.ndim)) + b"".join(size.to_bytes(4, "big") for size in array.shape)
    return header + array.tobytes()


def png(grey: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (20, 20), grey).save(buffer, "PNG")
    return buffer.getvalue()


def pictures(folder: Path, greys: range = range(10, 16)) -> Path:
    folder.mkdir(parents=True)
    for grey in greys:
        (folder / f"{grey}.png").write_bytes(png(grey))
    return folder


def make_zip(path: Path, folder: Path) -> Path:
    with zipfile.ZipFile(path.with_suffix(".zip"), "w") as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder))
    return path.with_suffix(".zip")


def make_tar(kind: str) -> Callable[[Path, Path], Path]:
    def make(path: Path, folder: Path) -> Path:
        target = path.with_suffix(".tar" + kind)
        with tarfile.open(target, f"w:{kind[1:]}") as archive:  # type: ignore[call-overload]  # any of four
            archive.add(folder, ".")
        return target

    return make


def greys(source: Path) -> list[int]:
    data = open_data(str(source), 8, 1)
    return sorted(data.pixels[:, 0, 0, 0].tolist())  # type: ignore[attr-defined]  # they fit into memory


@pytest.mark.parametrize("make", [make_zip, make_tar(""), make_tar(".gz"), make_tar(".xz"), make_tar(".bz2")])
def test_an_archive_is_read_as_its_folder_would_be(
    make: Callable[[Path, Path], Path], tmp_path: Path
) -> None:
    folder = pictures(tmp_path / "photos")
    pictures(folder / "sub", range(100, 103))
    archive = make(tmp_path / "archive", folder)
    assert greys(archive) == greys(folder) == [*range(10, 16), 100, 101, 102]
    assert FolderImages(archive, 8, 1).digest() == FolderImages(folder, 8, 1).digest()
    assert (native_size(str(archive)), native_channels(str(archive))) == (64, 1)
    packed = [prepare(place, tmp_path / f"{n}.npy", size=8) for n, place in enumerate((folder, archive))]
    assert packed[0].sha256 == packed[1].sha256
    assert [path.name for path in tmp_path.iterdir() if "photos" not in path.name and path.is_dir()] == []


def test_strange_members_are_named_and_nothing_is_written_by_their_names(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "inner" / "strange.tar"
    path.parent.mkdir()
    with tarfile.open(path, "w") as archive:
        for name in ("good.png", "../evil.png", "/evil.png", ".hidden.png", "notes.txt", "bad.png"):
            info = tarfile.TarInfo(name)
            content = b"no picture" if name == "bad.png" else png(50)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        link = tarfile.TarInfo("link.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    with caplog.at_level(logging.WARNING):
        data = open_data(str(path), 8, 1)
    assert [line.partition(":")[0] for line in data.skipped] == [
        ".hidden.png", "notes.txt", "link.png", "bad.png"
    ]  # fmt: skip
    assert [entry.name for entry in tmp_path.iterdir()] == ["inner"]


@pytest.mark.parametrize(
    "data", [b"", b"no archive", b"PK\x03\x04" + bytes(100), gzip.compress(b"no tar", mtime=0)]
)
@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz"])
def test_a_damaged_archive_is_a_sentence(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(EdgeError):
        open_data(str(tmp_path / name), 8, 1)


@pytest.mark.parametrize("layout", ["MNIST/raw", "FashionMNIST/raw", "raw", ""])
def test_the_folders_of_torchvision_are_idx_folders(tmp_path: Path, layout: str) -> None:
    folder = tmp_path / layout
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "train-images-idx3-ubyte").write_bytes(idx(IMAGES))
    (folder / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(IMAGES)))
    (folder / "train-labels-idx1-ubyte").write_bytes(idx(LABELS))
    images, labels = load_idx(tmp_path)
    np.testing.assert_array_equal(images, IMAGES)
    np.testing.assert_array_equal(labels, LABELS)
    assert (native_size(str(tmp_path)), native_channels(str(tmp_path))) == (28, 1)


def test_emnist_is_turned_upright_and_one_of_its_sets_is_chosen_by_its_file(tmp_path: Path) -> None:
    for name in ("letters", "digits"):
        for split in ("train", "test"):
            stem = f"emnist-{name}-{split}"
            (tmp_path / f"{stem}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(IMAGES)))
            (tmp_path / f"{stem}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(LABELS)))
    with pytest.raises(UsageError, match="2 data sets"):
        open_data(str(tmp_path), 28)
    file = str(tmp_path / "emnist-letters-train-images-idx3-ubyte.gz")
    check_source(file)
    labelled = load_labelled(file, "test", 28, 1)
    np.testing.assert_array_equal(labelled.pixels[:, 0], IMAGES.transpose(0, 2, 1))
    assert labelled.labels.tolist() == LABELS.tolist()
    assert len(open_data(file, 28)) == 6


@pytest.mark.parametrize("folder", ["cifar-10-batches-py", "."])
def test_pickled_cifar_is_refused_with_what_to_fetch(tmp_path: Path, folder: str) -> None:
    (tmp_path / folder).mkdir(exist_ok=True)
    (tmp_path / folder / "data_batch_1").write_bytes(b"\x80\x02}q\x00.")
    with pytest.raises(UsageError, match="data fetch cifar10"):
        open_data(str(tmp_path), 32)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("film.mp4", b"", "ffmpeg"),
        ("photo.heic", b"", "HEIC"),
        ("pointer.npz", b"version https://git-lfs.github.com/spec/v1\n", "array file"),
        ("pointer", b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        ("drawing", b"<?xml version='1.0'?><svg/>", "SVG"),
        ("database.mdb", b"", "LMDB"),
        ("batch", b"\x80\x05}.", "pickle"),
        ("notes.txt", b"hello", "is a file"),
        ("none", None, "There is no folder"),
    ],
)
def test_a_file_that_is_no_data_is_called_what_it_is(
    tmp_path: Path, name: str, content: bytes | None, words: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=words):
        open_data(str(tmp_path / name), 8)


@pytest.mark.parametrize("source", ["", "  "])
def test_an_empty_source_is_refused(source: str) -> None:
    with pytest.raises(UsageError, match="empty"):
        open_data(source, 8)
    with pytest.raises(UsageError, match="empty"):
        prepare("", "x.npy", size=8)


def test_a_folder_of_foreign_files_says_what_they_are(tmp_path: Path) -> None:
    (tmp_path / "a.heic").write_bytes(b"")
    (tmp_path / "data.mdb").write_bytes(b"")
    with pytest.raises(EdgeError, match=r"(?s)a\.heic: a HEIC picture.*LMDB"):
        open_data(str(tmp_path), 8)


def test_the_first_frame_of_an_animation_is_taken_and_that_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    frames = [Image.new("L", (16, 16), grey) for grey in (40, 200)]
    folder = pictures(tmp_path / "photos")
    for name in ("a.gif", "b.gif"):
        frames[0].save(folder / name, save_all=True, append_images=frames[1:])
    with caplog.at_level(logging.WARNING):
        assert greys(folder)[-2:] == [40, 40]
    assert caplog.text.count("first frame") == 1
    assert prepare(folder, tmp_path / "out.npy", size=8).findings.animated == ("a.gif", "b.gif")


def test_a_run_inside_the_data_is_no_part_of_it(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "photos")
    before = FolderImages(folder, 8, 1).digest()
    for run in (folder / "run", folder):
        (run / "samples").mkdir(parents=True)
        (run / "metrics.jsonl").write_text("{}")
        (run / "samples" / "step000001.png").write_bytes(png(200))
    assert FolderImages(folder, 8, 1).digest() == before


def test_data_and_its_public_functions_load_neither_torch_nor_a_downloader() -> None:
    code = (
        "import sys, dcgan_edge, dcgan_edge.data; dcgan_edge.fetch, dcgan_edge.prepare;"
        "sys.exit(any(name in sys.modules for name in ('torch', 'pooch', 'requests', 'scipy')))"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


def test_the_same_content_has_one_digest_wherever_it_lies_and_whatever_memory_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = pictures(tmp_path / "photos")
    first = open_data(str(folder), 8, 1)
    moved = tmp_path / "elsewhere" / "renamed"
    shutil.copytree(folder, moved)
    monkeypatch.setattr(dataset, "available_memory", lambda: 0)
    second = open_data(str(moved), 8, 1)
    assert (second.digest, len(second)) == (first.digest, len(first))
    (moved / "10.png").write_bytes(png(11) + b"more")
    assert open_data(str(moved), 8, 1).digest != first.digest
    (folder / "10.png").rename(folder / "9.png")
    assert open_data(str(folder), 8, 1).digest != first.digest


def test_dark_pictures_of_sixteen_bits_stay_dark_where_pillow_opens_them_as_32(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "dark.png"
    Image.fromarray(np.full((16, 16), 200, np.uint16)).save(path)
    opened = Image.open

    def as_pillow_10(*arguments: object, **settings: object) -> Image.Image:
        image = opened(*arguments, **settings)  # type: ignore[arg-type]
        deep = image.convert("I")
        deep.format = image.format
        return deep

    monkeypatch.setattr(Image, "open", as_pillow_10)
    assert read_image(path, 16, 1).max() == 1  # 200 of 65,535
