"""The file format of bundles: a tar in a gzip of stored blocks, in the one form that its content has.

Such a file is read by every `tar -xzf`. Nothing in it is compressed, since wheels and weights hardly get
smaller: so its bytes are the same with every zlib, it cannot unfold into more than it is, and every byte is
either content under a CRC or what this form has in that place. Reading refuses any other: links, devices,
extended headers, other owners, members out of order or twice, bytes after the end.

Sources: RFC 1951 section 3.2.4 (stored blocks), RFC 1952 (gzip), POSIX.1-2017 pax ("ustar").
"""

from __future__ import annotations

import hashlib
import stat
import struct
import tarfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from dcgan_edge.errors import ArtifactError, EdgeError, UsageError
from dcgan_edge.files import replacing
from dcgan_edge.names import shown

GZIP_HEADER = bytes((0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255))  # no name, no time, no system
BLOCK = 0xFFFF  # bytes of a stored block; the last one may have fewer
SECTOR = 512  # bytes, of which tar is made
EXECUTABLE = ".sh"


@dataclass(frozen=True)
class Entry:
    """A file of an archive as it was read: its digest, and its content where that was asked for."""

    sha256: str
    size: int
    content: bytes | None


def write_archive(path: Path, root: str, files: Mapping[str, bytes]) -> None:
    """Put `files`, by name within the folder `root`, into the archive `path`, atomically.

    The same files give the same bytes everywhere. Raises EdgeError when the file system refuses.
    """
    with replacing(path) as write:
        stream = _StoredGzip(write)
        for name in sorted(files):
            data = files[name]
            stream.write(_header(f"{root}/{name}", len(data)))
            stream.write(data)
            stream.write(bytes(-len(data) % SECTOR))
        stream.write(bytes(2 * SECTOR))
        stream.close()


def read_archive(path: Path, root: str, keep: Callable[[str], bool], *, limit: int) -> dict[str, Entry]:
    """Return all files in the archive `path` by name within `root`; nothing is written anywhere.

    The content of those that `keep` names is kept, if it is at most `limit` bytes.

    Raises ArtifactError where the archive is not as `write_archive` makes it, byte for byte; UsageError when
    there is no such file; EdgeError when it cannot be read.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise UsageError(f"{shown(path)} is not a file.")
        with open(path, "rb") as file:
            return dict(_entries(_Content(file), root, keep, limit))
    except _OtherForm as error:
        raise ArtifactError(
            f"{shown(path)} is not a whole bundle as dcgan-edge writes it ({error}). Copy it again."
        ) from error
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:
        raise UsageError(f"There is no file {shown(path)}.") from error
    except OSError as error:
        raise EdgeError(f"Cannot read {shown(path)}: {error.strerror or error}.") from error


class _OtherForm(Exception):
    """The bytes read are not those that `write_archive` would have put there."""


def _header(name: str, size: int) -> bytes:
    """The tar header of a file: nobody's, of no time."""
    info = tarfile.TarInfo(name)
    info.size = size
    info.mode = 0o755 if name.endswith(EXECUTABLE) else 0o644
    try:
        return info.tobuf(tarfile.USTAR_FORMAT, "utf-8", "strict")
    except ValueError as error:  # a name that does not fit
        raise UsageError(f"{shown(name)} has too long a name for a bundle.") from error


def _entries(
    content: _Content, root: str, keep: Callable[[str], bool], limit: int
) -> Iterator[tuple[str, Entry]]:
    before = ""
    while any(header := content.take(SECTOR)):
        try:
            info = tarfile.TarInfo.frombuf(header, "utf-8", "strict")
            expected = _header(info.name, info.size)
        except (tarfile.HeaderError, ValueError, UsageError) as error:
            raise _OtherForm("a header is damaged") from error
        if header != expected or not info.name.startswith(f"{root}/"):
            raise _OtherForm(f"it has {shown(info.name)}, which is no plain file of a bundle")
        name = info.name.removeprefix(f"{root}/")
        if name <= before:
            raise _OtherForm(f"{shown(name)} is twice there, or out of order")
        before = name
        wanted = keep(name)
        if wanted and info.size > limit:
            raise _OtherForm(f"{shown(name)} is larger than any of its kind")
        digest, pieces = hashlib.sha256(), []
        for piece in content.pieces(info.size):
            digest.update(piece)
            if wanted:
                pieces.append(piece)
        if any(content.take(-info.size % SECTOR)):
            raise _OtherForm(f"bytes follow {shown(name)}")
        yield name, Entry(digest.hexdigest(), info.size, b"".join(pieces) if wanted else None)
    if any(content.take(SECTOR)) or not content.is_at_end():
        raise _OtherForm("bytes follow its end")


class _StoredGzip:
    """What is written becomes a gzip stream of stored blocks."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write, self._rest, self._crc, self._size = write, b"", 0, 0
        write(GZIP_HEADER)

    def write(self, data: bytes) -> None:
        """Take the next piece of the content."""
        self._crc, self._size = zlib.crc32(data, self._crc), self._size + len(data)
        view = memoryview(self._rest + data)
        start = 0
        while len(view) - start > BLOCK:
            self._block(view[start : start + BLOCK], last=False)
            start += BLOCK
        self._rest = bytes(view[start:])

    def close(self) -> None:
        """Write what is left, and the checksum."""
        self._block(memoryview(self._rest), last=True)
        self._write(struct.pack("<LL", self._crc, self._size & 0xFFFFFFFF))

    def _block(self, data: memoryview, *, last: bool) -> None:
        self._write(struct.pack("<BHH", last, len(data), len(data) ^ 0xFFFF))
        self._write(bytes(data))


class _Content:
    """The content of a gzip stream of stored blocks, read in order; memory for a block at a time."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._crc, self._size, self._last = file, 0, 0, False
        self._block, self._place = b"", 0
        if self._read(len(GZIP_HEADER)) != GZIP_HEADER:
            raise _OtherForm("its first bytes are others")

    def take(self, count: int) -> bytes:
        """Return the next `count` bytes. Raises _OtherForm when there are fewer."""
        return b"".join(self.pieces(count))

    def pieces(self, count: int) -> Iterator[bytes]:
        """Yield the next `count` bytes, a block or less at a time. Raises as `take` does."""
        while count:
            if self._place == len(self._block):
                self._next_block()
            piece = self._block[self._place : self._place + count]
            self._place += len(piece)
            count -= len(piece)
            yield piece

    def is_at_end(self) -> bool:
        """Whether all was read. Raises _OtherForm if the checksum is not the content's, or bytes follow."""
        if self._place < len(self._block) or not self._last:
            return False
        if self._read(8) != struct.pack("<LL", self._crc, self._size & 0xFFFFFFFF) or self._file.read(1):
            raise _OtherForm("its checksum is another")
        return True

    def _next_block(self) -> None:
        if self._last:
            raise _OtherForm("it is cut short")
        final, length, inverse = struct.unpack("<BHH", self._read(5))
        if final > 1 or length != inverse ^ 0xFFFF or not (length == BLOCK or (final and length)):
            raise _OtherForm("a block is damaged, or compressed")
        self._block, self._place, self._last = self._read(length), 0, final == 1
        self._crc, self._size = zlib.crc32(self._block, self._crc), self._size + length

    def _read(self, count: int) -> bytes:
        data = self._file.read(count)
        if len(data) != count:
            raise _OtherForm("it is cut short")
        return data
