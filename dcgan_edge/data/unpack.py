"""An archive to a folder, for `fetch`: nothing outside that folder, no links, and no more than was announced.

The archive has passed its digest before it comes here; these bounds hold for one that a mirror of the user's
own or a mistake in the table let through. The folder appears under its name only when it is whole.
"""

from __future__ import annotations

import gzip
import os
import secrets
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

from dcgan_edge.data.fetch_sources import Unpack
from dcgan_edge.errors import ArtifactError, EdgeError

CHUNK = 1 << 20
SPARE = 100  # files besides those that the table counts: a readme, lists of names
DAMAGE = (  # what reading a damaged archive raises
    tarfile.TarError,
    zipfile.BadZipFile,
    gzip.BadGzipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    ValueError,
)
Report = Callable[[int, int], None]  # files done, of how many
Member = tuple[str, Callable[[], IO[bytes]]]  # its path in the archive, and how to read it


def is_unpacked(parent: Path, plan: Unpack) -> bool:
    """Whether `parent` has the folder of `plan`. Raises EdgeError when files of it are missing."""
    folder = parent / plan.folder
    if not folder.is_dir():
        return False
    found = _count(folder, plan)
    if found != plan.count:
        raise EdgeError(
            f"{folder} has {found:,} files {plan.pattern} where {plan.count:,} belong. Remove it and fetch "
            "again."
        )
    return True


def unpack(archive: Path, parent: Path, plan: Unpack, report: Report) -> None:
    """Unpack the folder of `plan` in `archive` (.zip or .tar.gz) into `parent`.

    Nothing is done when the folder is there and whole. Members outside of it are left alone.

    Raises ArtifactError for paths that lead outside, links, more bytes or files than planned, and a damaged
    archive; EdgeError when the disk is full.
    """
    if is_unpacked(parent, plan):
        return
    temporary = parent / f".{plan.folder}.{secrets.token_hex(4)}.tmp"
    try:
        temporary.mkdir()
        _extract(archive, temporary, plan, report)
        temporary.replace(parent / plan.folder)
    except DAMAGE as error:
        raise ArtifactError(
            f"{archive.name} is a damaged archive ({error}). Remove it and fetch again."
        ) from error
    except OSError as error:
        raise EdgeError(f"Cannot unpack {archive}: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _extract(archive: Path, folder: Path, plan: Unpack, report: Report) -> None:
    members = _zip_members if zipfile.is_zipfile(archive) else _tar_members
    left, files = plan.max_bytes, 0
    for name, read in members(archive):
        inside = _inside(name, plan.folder, archive.name)
        if inside is None:
            continue
        if files == plan.count + SPARE:
            raise ArtifactError(f"{archive.name} holds more than the {plan.count:,} files announced.")
        target = folder / inside
        target.parent.mkdir(parents=True, exist_ok=True)
        with read() as source, open(target, "xb") as file:
            left -= _copy(source, file, left, archive.name)
        files += 1
        report(files, max(files, plan.count))
    if _count(folder, plan) != plan.count:
        raise ArtifactError(
            f"{archive.name} holds {_count(folder, plan):,} files {plan.pattern}, not {plan.count:,}."
        )


def _copy(source: IO[bytes], file: IO[bytes], left: int, name: str) -> int:
    """The bytes copied. They are counted as they come, whatever the archive says of its sizes."""
    copied = 0
    while chunk := source.read(CHUNK):
        copied += len(chunk)
        if copied > left:
            raise ArtifactError(f"{name} unpacks to more bytes than its data set has; it is not unpacked.")
        file.write(chunk)
    return copied


def _inside(name: str, folder: str, archive: str) -> Path | None:
    """The place of member `name` below `folder`; None when it belongs elsewhere in the archive."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name or "\0" in name:
        raise ArtifactError(f"{archive} holds {name!r}, which leads outside its folder; it is not unpacked.")
    if len(path.parts) < 2 or path.parts[0] != folder:
        return None
    return Path(*path.parts[1:])


def _zip_members(archive: Path) -> Iterator[Member]:
    with zipfile.ZipFile(archive) as file:
        for info in file.infolist():
            mode = info.external_attr >> 16
            if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise ArtifactError(f"{archive.name} holds {info.filename!r}, which is no plain file.")
            if info.flag_bits & 1:
                raise ArtifactError(f"{archive.name} is encrypted.")
            if not info.is_dir():
                yield info.filename, partial(file.open, info)


def _tar_members(archive: Path) -> Iterator[Member]:
    with tarfile.open(archive, "r:gz") as file:
        for info in file:
            if not (info.isfile() or info.isdir()):
                raise ArtifactError(f"{archive.name} holds {info.name!r}, which is no plain file.")
            if info.isfile():
                yield info.name, partial(_opened, file, info)


def _opened(file: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    source = file.extractfile(info)
    if source is None:
        raise tarfile.TarError(f"{info.name} cannot be read")
    return source


def _count(folder: Path, plan: Unpack) -> int:
    return sum(1 for entry in os.scandir(folder) if PurePosixPath(entry.name).match(plan.pattern))
