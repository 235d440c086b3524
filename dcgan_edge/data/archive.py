"""The pictures in a .zip or .tar file, read where they lie: no name of the archive's is ever written to.

A compressed .tar is first unpacked into one nameless temporary file, as it cannot be read here and there.
"""

from __future__ import annotations

import gzip
import io
import lzma
import os
import shutil
import stat
import tarfile
import tempfile
import threading
import weakref
import zipfile
import zlib
from functools import partial
from pathlib import Path
from typing import IO, BinaryIO, cast

from dcgan_edge.data.folder import Listing, PictureFile, not_by_name
from dcgan_edge.errors import EdgeError
from dcgan_edge.names import shown
from dcgan_edge.walk import HIDDEN, Omitted

LARGEST = 512 * 2**20  # bytes of one picture in its file
SPARE = 2**30  # bytes that unpacking leaves free on the disk
CHUNK = 1 << 20
ENDINGS = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
DAMAGE = (  # what reading a damaged or encrypted archive raises
    tarfile.TarError,
    zipfile.BadZipFile,
    gzip.BadGzipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    ValueError,
    RuntimeError,
)


def is_archive(path: Path) -> bool:
    """Return whether `path` is a file that is named like an archive; nothing is opened."""
    return path.name.lower().endswith(ENDINGS) and path.is_file()


def list_archive(path: Path) -> Listing:
    """Return the pictures in the archive `path`, sorted by name.

    Raises EdgeError when it is damaged or cannot be read, or when a compressed one is too large to unpack.
    """
    try:
        listed = _list_zip(path) if zipfile.is_zipfile(path) else _list_tar(path)
    except DAMAGE as error:
        raise EdgeError(f"{shown(path)} is no archive, or damaged ({error}).") from error
    except OSError as error:
        raise EdgeError(f"Cannot read {shown(path)}: {error.strerror or error}.") from error
    return Listing(path, tuple(sorted(listed.files, key=lambda file: os.fsencode(file.name))), listed.omitted)


def _list_zip(path: Path) -> Listing:
    archive = zipfile.ZipFile(path)
    files, omitted = [], []
    for number, info in enumerate(archive.infolist()):
        if info.is_dir():
            continue
        kind = stat.S_IFMT(info.external_attr >> 16)
        reason = "no plain file" if kind not in (0, stat.S_IFREG) else _reason(info.filename, info.file_size)
        if reason or info.flag_bits & 1:
            omitted.append(Omitted(shown(info.filename), reason or "encrypted"))
        else:
            stamp = info.CRC + (number << 32)
            opened = partial(_open_zipped, archive, info)
            files.append(PictureFile(_tidy(info.filename), info.file_size, stamp, opened))
    return Listing(path, tuple(files), tuple(omitted))


def _list_tar(path: Path) -> Listing:
    plain = _plain_tar(path)
    stored = _Stored(plain)
    files, omitted = [], []
    plain.seek(0)
    with tarfile.open(fileobj=plain, mode="r:") as archive:
        for info in archive:
            if info.isdir():
                continue
            reason = _reason(info.name, info.size) if info.isreg() and not info.sparse else "no plain file"
            if reason:
                omitted.append(Omitted(shown(info.name), reason))
            else:
                opened = partial(stored.open, info.offset_data, info.size)
                files.append(PictureFile(_tidy(info.name), info.size, int(info.mtime), opened))
    return Listing(path, tuple(files), tuple(omitted))


class _Stored:
    """Parts of an open file for many threads. The file is closed when nobody uses this any more."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._lock = file, threading.Lock()
        weakref.finalize(self, file.close)

    def open(self, offset: int, size: int) -> BinaryIO:
        """Return the `size` bytes from `offset` on as a file."""
        with self._lock:
            self._file.seek(offset)
            return io.BytesIO(self._file.read(size))


def _plain_tar(path: Path) -> IO[bytes]:
    """The archive as an uncompressed file that stays open as long as its pictures are used."""
    file = open(path, "rb")  # noqa: SIM115
    try:
        with tarfile.open(fileobj=file, mode="r:"):
            return file
    except tarfile.ReadError:
        file.seek(0)
    with file, tarfile.open(fileobj=file, mode="r:*") as archive:
        stream = cast(IO[bytes], archive.fileobj)
        stream.seek(0)
        unpacked = tempfile.TemporaryFile()  # noqa: SIM115
        while chunk := stream.read(CHUNK):
            if shutil.disk_usage(tempfile.gettempdir()).free < SPARE:
                unpacked.close()
                raise EdgeError(
                    f"{shown(path)} unpacks to more than {tempfile.gettempdir()} has room for. Set TMPDIR "
                    "to a larger disk, or unpack it yourself."
                )
            unpacked.write(chunk)
    return unpacked


def _reason(name: str, size: int) -> str:
    own = name.rpartition("/")[2]
    if any(part.startswith(".") and part not in (".", "..") for part in name.split("/")):
        return HIDDEN
    return "too large for a picture" if size > LARGEST else not_by_name(own)


def _tidy(name: str) -> str:
    """`name` without a leading "./", so that an archive made with it has the names of one without."""
    return name.removeprefix("./")


def _open_zipped(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> BinaryIO:
    try:
        with archive.open(info) as file:
            return io.BytesIO(file.read(LARGEST))
    except DAMAGE as error:
        raise OSError(f"damaged in its archive ({error})") from error
