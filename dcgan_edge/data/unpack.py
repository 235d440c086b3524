"""A downloaded archive to a folder, for `fetch`. The archive has passed its digest before it comes here."""

from __future__ import annotations

import gzip
import os
import secrets
import shutil
import tarfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from dcgan_edge.data.fetch_sources import Unpack
from dcgan_edge.errors import ArtifactError, EdgeError

DAMAGE = (  # what reading a damaged or encrypted archive raises
    shutil.ReadError,
    tarfile.TarError,
    zipfile.BadZipFile,
    gzip.BadGzipFile,
    zlib.error,
    EOFError,
    RuntimeError,
    ValueError,
)


def is_unpacked(parent: Path, plan: Unpack) -> bool:
    """Return whether `parent` has the folder of `plan`. Raises EdgeError when files of it are missing."""
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


def unpack(archive: Path, parent: Path, plan: Unpack) -> None:
    """Unpack the folder of `plan` in `archive`, a .zip or .tar.gz whose digest was checked, into `parent`.

    The folder appears under its name only when it is whole. Members outside of it are dropped; nothing is
    written outside `parent`, whatever a member is called.

    Raises ArtifactError for a damaged archive or another number of files, EdgeError when the disk is full.
    """
    if is_unpacked(parent, plan):
        return
    temporary = parent / f".{plan.folder}.{secrets.token_hex(4)}.tmp"
    try:
        temporary.mkdir()
        if zipfile.is_zipfile(archive):
            shutil.unpack_archive(archive, temporary, "zip")
        else:
            shutil.unpack_archive(archive, temporary, "gztar", filter="data")
        found = _count(temporary / plan.folder, plan)
        if found != plan.count:
            raise ArtifactError(f"{archive.name} holds {found:,} files {plan.pattern}, not {plan.count:,}.")
        (temporary / plan.folder).replace(parent / plan.folder)
    except DAMAGE as error:
        raise ArtifactError(
            f"{archive.name} is a damaged archive ({error}). Remove it and fetch again."
        ) from error
    except OSError as error:
        raise EdgeError(f"Cannot unpack {archive}: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _count(folder: Path, plan: Unpack) -> int:
    if not folder.is_dir():
        return 0
    return sum(1 for entry in os.scandir(folder) if PurePosixPath(entry.name).match(plan.pattern))
