"""The file format of bundles: readable by every tar, and one byte anywhere else is no bundle any more."""

from __future__ import annotations

import gzip
import hashlib
import struct
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcgan_edge.errors import ArtifactError, UsageError
from dcgan_edge.packaging.stored_tar import GZIP_HEADER, read_archive, write_archive

ROOT = "top"
FILES = {"a.txt": b"some text\n", "b/empty": b"", "b/run.sh": b"#!/bin/sh\n", "c": bytes(range(256)) * 300}


def read(path: Path, limit: int = 1 << 20) -> dict[str, bytes | None]:
    return {
        name: entry.content for name, entry in read_archive(path, ROOT, lambda _: True, limit=limit).items()
    }


def packed(tmp_path: Path, files: dict[str, bytes]) -> Path:
    path = tmp_path / "archive.tar.gz"
    write_archive(path, ROOT, files)
    return path


def test_every_tar_reads_it(tmp_path: Path) -> None:
    path = packed(tmp_path, FILES)
    with tarfile.open(path) as archive:
        found = {each.name: archive.extractfile(each).read() for each in archive}  # type: ignore[union-attr]
        modes = {each.name: each.mode for each in archive.getmembers()}
        assert {(each.mtime, each.uid, each.gid, each.uname) for each in archive.getmembers()} == {
            (0, 0, 0, "")
        }
    assert found == {f"{ROOT}/{name}": data for name, data in FILES.items()}
    assert (modes[f"{ROOT}/b/run.sh"], modes[f"{ROOT}/c"]) == (0o755, 0o644)
    assert read(path) == FILES


names = st.text("abcxyz./-é ", min_size=1, max_size=40)


@settings(max_examples=12)
@given(st.dictionaries(names, st.binary(max_size=2000), min_size=1, max_size=4), st.integers(0, 3))
def test_what_is_written_is_what_is_read(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes], more: int
) -> None:
    files["filler"] = bytes(more * 0xFFFF - 512) if more else b""  # around the length of a block
    path = packed(tmp_path_factory.mktemp("archive"), files)
    assert read(path) == files
    assert hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256(_again(path, files)).digest()


def _again(path: Path, files: dict[str, bytes]) -> bytes:
    write_archive(path, ROOT, dict(reversed(files.items())))
    return path.read_bytes()


def test_every_single_byte_counts(tmp_path: Path) -> None:
    path = packed(tmp_path, {"a": b"xy", "b": bytes(3)})
    whole = path.read_bytes()
    ends = {*range(40), *range(len(whole) - 20, len(whole))}
    for place in sorted({*ends, *range(40, len(whole), 7)}):
        for mask in (1, 0x80) if place in ends else (0x10,):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ mask]) + whole[place + 1 :])
            with pytest.raises(ArtifactError, match="not a whole bundle"):
                read(path)


@pytest.mark.parametrize("cut", [0, 1, 9, 10, 14, 15, 300, -9, -8, -1])
def test_a_file_that_was_cut_short_is_refused(tmp_path: Path, cut: int) -> None:
    path = packed(tmp_path, FILES)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(ArtifactError):
        read(path)


def stored(content: bytes) -> bytes:
    """`content` as a gzip of stored blocks, as the format has it, whatever the content is."""
    blocks = [content[start : start + 0xFFFF] for start in range(0, len(content), 0xFFFF)]
    body = b"".join(
        struct.pack("<BHH", block is blocks[-1], len(block), len(block) ^ 0xFFFF) + block for block in blocks
    )
    return GZIP_HEADER + body + struct.pack("<LL", zlib.crc32(content), len(content))


def tar(*members: tarfile.TarInfo, form: Literal[0, 1, 2] = tarfile.USTAR_FORMAT, data: bytes = b"") -> bytes:
    headers = b"".join(each.tobuf(form) + (data.ljust(512, b"\0") if data else b"") for each in members)
    return headers + bytes(1024)


def member(name: str = f"{ROOT}/a", **facts: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    for fact, value in facts.items():
        setattr(info, fact, value)
    return info


HOSTILE: dict[str, Callable[[], bytes]] = {
    "a path upwards": lambda: stored(tar(member("../a"))),
    "another root": lambda: stored(tar(member("a"))),
    "an absolute path": lambda: stored(tar(member("/top/a"))),
    "a link": lambda: stored(tar(member(type=tarfile.SYMTYPE, linkname="/etc/passwd"))),
    "a hard link": lambda: stored(tar(member(type=tarfile.LNKTYPE, linkname="top/b"))),
    "a device": lambda: stored(tar(member(type=tarfile.CHRTYPE, devmajor=1, devminor=3))),
    "a pipe": lambda: stored(tar(member(type=tarfile.FIFOTYPE))),
    "a folder": lambda: stored(tar(member(type=tarfile.DIRTYPE))),
    "set-user-id": lambda: stored(tar(member(mode=0o4755))),
    "an owner": lambda: stored(tar(member(uid=1000))),
    "a time": lambda: stored(tar(member(mtime=1))),
    "twice": lambda: stored(tar(member(), member())),
    "out of order": lambda: stored(tar(member("top/b"), member("top/a"))),
    "a pax header": lambda: stored(tar(member(pax_headers={"x": "y"}), form=tarfile.PAX_FORMAT)),
    "a long GNU name": lambda: stored(tar(member("top/" + "a" * 300), form=tarfile.GNU_FORMAT)),
    "more than there is": lambda: stored(tar(member(size=1 << 30))),
    "a sparse file": lambda: stored(tar(member(type=tarfile.GNUTYPE_SPARSE))),
    "bytes in the padding": lambda: stored(tar(member(size=1), data=b"xy")),
    "bytes after the end": lambda: stored(tar(member()) + b"more".ljust(512)),
    "zeros after the end": lambda: stored(tar(member()) + bytes(512)),
    "no end": lambda: stored(tar(member())[:-512]),
    "a second gzip": lambda: 2 * stored(tar(member())),
    "a compressed one": lambda: gzip.compress(tar(member()), mtime=0),
    "a bomb": lambda: gzip.compress(bytes(50_000_000), mtime=0),
    "no gzip": lambda: tar(member()),
    "nothing": lambda: b"",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_bundle_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "hostile.tar.gz"
    path.write_bytes(HOSTILE[name]())
    with pytest.raises(ArtifactError, match="not a whole bundle"):
        read(path)


def test_what_is_hostile_here_would_be_taken_otherwise(tmp_path: Path) -> None:
    path = tmp_path / "plain.tar.gz"
    path.write_bytes(stored(tar(member(size=2), data=b"xy")))
    assert read(path) == {"a": b"xy"}


def test_text_is_kept_up_to_a_limit(tmp_path: Path) -> None:
    path = packed(tmp_path, FILES)
    with pytest.raises(ArtifactError, match="larger than any of its kind"):
        read(path, limit=1000)


def test_what_is_no_file_is_a_usage_error(tmp_path: Path) -> None:
    for path in (tmp_path / "missing", tmp_path, Path("/dev/null"), tmp_path / "a\0b"):
        with pytest.raises(UsageError):
            read(path)


def test_a_name_that_no_header_holds_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="too long"):
        packed(tmp_path, {"a" * 300: b""})
    assert list(tmp_path.iterdir()) == []
