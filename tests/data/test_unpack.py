"""Archives: whole or not at all, and never outside their folder."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from dcgan_edge.data.fetch_sources import Unpack
from dcgan_edge.data.unpack import unpack
from dcgan_edge.errors import ArtifactError

PLAN = Unpack("set", "*.bin", 2)
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
        folder.type, folder.mode = tarfile.DIRTYPE, 0o755
        archive.addfile(folder)
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


both = pytest.mark.parametrize("make", [make_zip, make_tar])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "inner").mkdir()
    return tmp_path / "inner" / "archive"


def everything(path: Path) -> list[Path]:
    return sorted(path.parent.parent.rglob("*"))


def refused(path: Path) -> None:
    """Unpacking raises, and leaves nothing behind, inside or outside."""
    before = everything(path)
    with pytest.raises(ArtifactError):
        unpack(path, path.parent, PLAN)
    assert everything(path) == before


@both
def test_the_folder_is_unpacked_and_nothing_else(make: Make, path: Path) -> None:
    make(path, GOOD)
    unpack(path, path.parent, PLAN)
    folder = path.parent / "set"
    files = sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())
    assert files == ["1.bin", "2.bin", "more/notes.txt"]
    assert (folder / "more" / "notes.txt").read_bytes() == b"three"
    assert sorted(entry.name for entry in path.parent.iterdir()) == ["archive", "set"]


@both
@pytest.mark.parametrize("name", ["../evil", "set/../../evil", "/evil", "other/../../evil"])
def test_a_path_that_leads_outside_writes_nothing_there(make: Make, path: Path, name: str) -> None:
    make(path, {"set/1.bin": b"one", name: b"evil"})
    refused(path)
    assert not Path("/evil").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE])
def test_a_tar_with_a_link_outside_or_a_device_is_refused(path: Path, kind: bytes) -> None:
    with tarfile.open(path, "w:gz") as archive:
        info = tarfile.TarInfo("set/1.bin")
        info.type, info.linkname = kind, "../../outside"
        archive.addfile(info)
    refused(path)


@both
def test_missing_files_are_refused(make: Make, path: Path) -> None:
    make(path, {"set/1.bin": b"one"})
    refused(path)


@both
def test_a_damaged_archive_is_refused(make: Make, path: Path) -> None:
    noise = bytes(range(256)) * 3
    make(path, {"set/1.bin": noise, "set/2.bin": b"two"})
    data = bytearray(path.read_bytes())
    middle = 120 if make is make_zip else len(data) // 2
    data[middle : middle + 20] = bytes(20)
    path.write_bytes(data)
    refused(path)


@pytest.mark.parametrize("data", [b"", b"no archive", bytes(5000)])
def test_another_file_is_refused(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    refused(path)


def test_an_encrypted_zip_is_refused(path: Path) -> None:
    make_zip(path, GOOD)
    data = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = data.find(signature)
        while place >= 0:
            data[place + offset] |= 1
            place = data.find(signature, place + 1)
    path.write_bytes(data)
    refused(path)
