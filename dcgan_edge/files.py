"""Files: atomic writes, digests, and the folder where things are kept that can be made again."""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path

import platformdirs

from dcgan_edge.errors import EdgeError

CHUNK = 1 << 20  # bytes read at a time
StrPath = str | os.PathLike[str]  # what every public function takes as a path


def write_atomic(path: Path, data: bytes | memoryview) -> None:
    """Put `data` at `path`: written under a temporary name beside it, fsynced, then renamed over it.

    Missing parent folders are made. Whatever goes wrong, the previous content of `path` stays as it was.

    Raises EdgeError naming the path and the reason when the file system refuses (no space, no permission).
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with open(temporary, "xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        _sync_folder(path.parent)
    except OSError as error:
        raise EdgeError(f"Cannot write {path}: {error.strerror or error}.") from error


def check_writable(path: Path) -> None:
    """Raise EdgeError unless a file can be put at `path`: what comes before long work, not after it.

    Nothing is made or changed. Folders that are missing count as writable where the nearest one that is there
    is.
    """
    if path.is_dir():
        raise EdgeError(f"Cannot write {path}: it is a folder.")
    folder = next(parent for parent in path.absolute().parents if os.path.lexists(parent))
    if not folder.is_dir():
        raise EdgeError(f"Cannot write {path}: {folder} is not a folder.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise EdgeError(f"Cannot write {path}: {folder} may not be written to.")


def sha256(data: bytes) -> str:
    """Return the SHA-256 of `data`, in hex."""
    return hashlib.sha256(data).hexdigest()


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file of any size, in hex. Raises EdgeError when it cannot be read."""
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise EdgeError(f"Cannot read {path}: {error.strerror or error}.") from error
    return digest.hexdigest()


def cache_folder() -> Path:
    """Return $DCGAN_EDGE_CACHE, else this user's cache folder of the system: on Linux
    $XDG_CACHE_HOME/dcgan-edge or ~/.cache/dcgan-edge. It may not exist yet.
    """
    chosen = os.environ.get("DCGAN_EDGE_CACHE")
    return Path(chosen) if chosen else platformdirs.user_cache_path("dcgan-edge", appauthor=False)


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable; file systems that cannot sync a folder are left alone."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError:
        pass
    finally:
        os.close(descriptor)
