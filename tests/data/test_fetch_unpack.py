"""Archives that lead outside, are too large, too many, damaged or no archives."""

from __future__ import annotations

import io
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from dcgan_edge.data.fetch_sources import Unpack
from dcgan_edge.data.unpack import SPARE, unpack
from dcgan_edge.errors import ArtifactError, EdgeError

PLAN = Unpack("set", "*.bin", 2, 1000)
GOOD = {"set/1.bin": b"one", "set/2.bin": b"two", "set/more/notes.txt": b"three", "other/readme": b"four"}
Make = Callable[[Path, dict[str, bytes]], None]


def make_zip(path: Path, files: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("set/", b"")
        for name, data in files.items():
            archive.writestr(name, data)


def make_tar(path: Path, files: dict[str, bytes]) -> None:
    with tarfile.open(path, "w:gz") as archive:
        folder = tarfile.TarInfo("set")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


both = pytest.mark.parametrize("make", [make_zip, make_tar])


def unpacked(path: Path, plan: Unpack = PLAN) -> list[str]:
    unpack(path, path.parent, plan, lambda done, of: None)
    folder = path.parent / plan.folder
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())


def refused(path: Path, match: str, plan: Unpack = PLAN) -> None:
    """Unpacking raises, and leaves nothing behind, inside or outside."""
    before = sorted(path.parent.parent.rglob("*"))
    with pytest.raises(ArtifactError, match=match):
        unpacked(path, plan)
    assert sorted(path.parent.parent.rglob("*")) == before


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "inner").mkdir()
    return tmp_path / "inner" / "archive"


@both
def test_the_folder_is_unpacked_and_nothing_else(make: Make, path: Path) -> None:
    make(path, GOOD)
    assert unpacked(path) == ["1.bin", "2.bin", "more/notes.txt"]
    assert (path.parent / "set" / "more" / "notes.txt").read_bytes() == b"three"
    assert sorted(entry.name for entry in path.parent.iterdir()) == ["archive", "set"]


def test_it_reports_files(path: Path) -> None:
    make_zip(path, GOOD)
    reports: list[tuple[int, int]] = []
    unpack(path, path.parent, PLAN, lambda done, of: reports.append((done, of)))
    assert reports == [(1, 2), (2, 2), (3, 3)]


@both
@pytest.mark.parametrize(
    "name",
    ["../evil", "set/../../evil", "/evil", "set/..", "set\\..\\..\\evil", "C:/evil", "other/../../evil"],
)
def test_a_path_that_leads_outside_is_refused(make: Make, path: Path, name: str) -> None:
    make(path, {**GOOD, name: b"evil"})
    refused(path, "leads outside")


@both
def test_the_same_name_twice_is_refused(make: Make, path: Path) -> None:
    make(path, {**GOOD, "set/./1.bin": b"again"})
    with pytest.raises(EdgeError, match="File exists"):
        unpacked(path)
    assert not (path.parent / "set").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_a_tar_with_a_link_or_a_device_is_refused(path: Path, kind: bytes) -> None:
    with tarfile.open(path, "w:gz") as archive:
        info = tarfile.TarInfo("set/1.bin")
        info.type, info.linkname = kind, "../../outside"
        archive.addfile(info)
    refused(path, "no plain file")


def test_a_zip_with_a_link_is_refused(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        info = zipfile.ZipInfo("set/1.bin")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "../../outside")
    refused(path, "no plain file")


@both
def test_more_bytes_than_the_set_has_are_refused(make: Make, path: Path) -> None:
    make(path, {"set/1.bin": bytes(600), "set/2.bin": bytes(401)})
    refused(path, "more bytes than its data set has")
    make(path, {"set/1.bin": bytes(600), "set/2.bin": bytes(400)})
    assert unpacked(path) == ["1.bin", "2.bin"]


@both
def test_a_bomb_is_refused_before_it_is_written(make: Make, path: Path) -> None:
    make(path, {"set/1.bin": bytes(50_000_000)})
    assert path.stat().st_size < 100_000
    refused(path, "more bytes")


@both
def test_more_files_than_the_set_has_are_refused(make: Make, path: Path) -> None:
    make(path, {f"set/{number}.txt": b"" for number in range(PLAN.count + SPARE + 1)})
    refused(path, "more than the 2 files announced")


@both
def test_missing_files_are_refused(make: Make, path: Path) -> None:
    make(path, {"set/1.bin": b"one"})
    refused(path, r"holds 1 files \*\.bin, not 2")


@both
def test_a_damaged_archive_is_refused(make: Make, path: Path) -> None:
    noise = bytes(range(256)) * 3
    make(path, {"set/1.bin": noise, "set/2.bin": b"two"})
    data = bytearray(path.read_bytes())
    middle = 120 if make is make_zip else len(data) // 2
    data[middle : middle + 20] = bytes(20)
    path.write_bytes(data)
    refused(path, "damaged", Unpack("set", "*.bin", 2, 10_000))


@pytest.mark.parametrize("data", [b"", b"no archive", bytes(5000)])
def test_another_file_is_refused(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    refused(path, "damaged|holds 0 files")


def test_an_encrypted_zip_is_refused(path: Path) -> None:
    make_zip(path, GOOD)
    data = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = data.find(signature)
        while place >= 0:
            data[place + offset] |= 1
            place = data.find(signature, place + 1)
    path.write_bytes(data)
    refused(path, "encrypted")
