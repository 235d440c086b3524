"""Files: atomic writes, digests, and the folder where things are kept that can be made again."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from dcgan_edge.errors import EdgeError, UsageError

CHUNK = 1 << 20  # bytes read at a time
LARGEST_FILE = 4 * 2**30  # bytes; protobuf, and so ONNX, ends at 2 GiB
LONGEST_NAME = 200  # bytes of a name that go into the temporary one
StrPath = str | os.PathLike[str]  # what every public function takes as a path


def write_atomic(path: Path, data: bytes | memoryview) -> None:
    """Put `data` at `path`: written under a temporary name beside it, fsynced, then renamed over it.

    Missing parent folders are made. Whatever goes wrong, the previous content of `path` stays as it was.
    A symbolic link stays one: what it points to is written. What is there and no file is never replaced by
    one: a character device or a pipe with a reader is written into, anything else is refused.

    Raises EdgeError naming the path and the reason when the file system refuses (no space, no permission).
    """
    target = Path(os.path.realpath(path)) if path.is_symlink() else path
    with _written(path):
        if _is_special(target):
            _write_into(target, data)
            return
    with replacing(target) as write:
        write(data)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Callable[[bytes | memoryview], object]]:
    """Yield what takes the content of `path` piece by piece, for files that are larger than memory should be.

    Everything is put at `path` at the end, as `write_atomic` does, and nothing if an error ends the block.
    Raises EdgeError naming the path and the reason when the file system refuses.
    """
    temporary = path.with_name(f".{_shortened(path.name)}.{os.urandom(4).hex()}.tmp")
    try:
        with _written(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            file = open(temporary, "xb")  # noqa: SIM115  # closed below

        def write(data: bytes | memoryview) -> None:
            with _written(path):
                file.write(data)

        try:
            yield write
            with _written(path):
                file.flush()
                os.fsync(file.fileno())
        finally:
            with _written(path):  # what a full disk did not take is tried once more
                file.close()
        with _written(path):
            temporary.replace(path)
            _sync_folder(path.parent)
    finally:
        with contextlib.suppress(OSError, ValueError):
            temporary.unlink(missing_ok=True)


def check_writable(path: Path) -> None:
    """Raise EdgeError unless a file can be put at `path`: what comes before long work, not after it.

    Nothing is made or changed. Folders that are missing count as writable where the nearest one that is there
    is.
    """
    try:
        is_folder = path.is_dir()
    except (OSError, ValueError) as error:  # a name that is too long, or with a NUL
        raise EdgeError(f"Cannot write {path}: {getattr(error, 'strerror', None) or error}.") from error
    if is_folder:
        raise EdgeError(f"Cannot write {path}: it is a folder.")
    folder = next(parent for parent in path.absolute().parents if os.path.lexists(parent))
    if not folder.is_dir():
        raise EdgeError(f"Cannot write {path}: {folder} is not a folder.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise EdgeError(f"Cannot write {path}: {folder} may not be written to.")


def read_file(path: Path) -> bytes:
    """Return the content of `path`. Raises what `reading` raises."""
    with reading(path):
        return path.read_bytes()


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what the file system refuses, while `path` is opened and read, into errors about it.

    Raises UsageError if it is not a regular file, or one larger than any file of this program; EdgeError if
    it cannot be read.
    """
    try:
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode):
            raise UsageError(f"{path} is not a file.")
        if facts.st_size > LARGEST_FILE:
            raise UsageError(f"{path} is larger than {LARGEST_FILE // 2**30} GiB, which no file here is.")
        yield
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:
        raise UsageError(f"There is no file {path}.") from error
    except OSError as error:
        raise EdgeError(f"Cannot read {path}: {error.strerror or error}.") from error


def sha256(data: bytes | memoryview) -> str:
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
    if chosen:
        return Path(chosen)
    import platformdirs  # what runs an artifact needs no cache

    return platformdirs.user_cache_path("dcgan-edge", appauthor=False)


@contextlib.contextmanager
def _written(path: Path) -> Iterator[None]:
    """Turn what the file system refuses into an EdgeError about `path`."""
    try:
        yield
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise EdgeError(f"Cannot write {path}: {getattr(error, 'strerror', None) or error}.") from error


def _shortened(name: str) -> str:
    """Return as much of `name` as leaves room for a prefix and a suffix in 255 bytes."""
    return os.fsencode(name)[:LONGEST_NAME].decode(errors="ignore")


def _is_special(path: Path) -> bool:
    """Whether `path` is there and neither a regular file nor a folder."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _write_into(path: Path, data: bytes | memoryview) -> None:
    """Write into a character device or a pipe. Raises OSError for a pipe without a reader, and for others."""
    mode = path.stat().st_mode
    if not (stat.S_ISCHR(mode) or stat.S_ISFIFO(mode)):
        raise OSError(errno.EINVAL, "it is neither a file nor a pipe")
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK)  # or a pipe would wait for its reader
    except OSError as error:
        if error.errno == errno.ENXIO and stat.S_ISFIFO(mode):
            raise OSError(errno.ENXIO, "nothing reads from this pipe") from error
        raise
    with open(descriptor, "wb") as stream:
        os.set_blocking(descriptor, True)
        stream.write(data)


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
