"""One training at a time in a folder: two would overwrite each other's checkpoints, and one would be lost."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from dcgan_edge.errors import EdgeError, UsageError

try:
    import fcntl
except ImportError:  # Windows, where nothing is locked
    fcntl = None  # type: ignore[assignment]


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of `folder`, which is made if need be, within the block.

    It is the kernel's lock of the folder itself: it leaves no file behind, and ends with the process however
    that ends. File systems that know no locks are written to without one. A folder that was made here and
    that nothing was put into is removed again.

    Raises UsageError when another training holds it, EdgeError when the folder cannot be made.
    """
    is_new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY) if fcntl is not None else None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise EdgeError(f"Cannot write {folder}: {getattr(error, 'strerror', None) or error}.") from error
    try:
        if descriptor is not None:
            _lock(descriptor, folder)
        yield
    finally:
        if is_new:
            with contextlib.suppress(OSError):
                folder.rmdir()  # an empty one only
        if descriptor is not None:
            os.close(descriptor)


def _lock(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            raise UsageError(
                f"Another training is writing to {folder} at this moment. Wait for it, stop it, or choose "
                "another --out."
            ) from error
