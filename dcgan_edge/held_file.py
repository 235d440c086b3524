"""A file that stays what it was when it was checked, while a library reads it by its path.

A library that is given bytes builds its own copy beside them; one that is given a path reads piece by piece,
and the memory is spared. But then it might read something else than what was checked. On Linux a lease
closes the gap: as long as it is held, nobody opens the file to write into it or cuts it short without
waiting, and `/proc/self/fd/N` is this very file even when another one takes its name.
Source: fcntl(2), "Leases"; proc_pid_fd(5).
"""

from __future__ import annotations

import mmap
import os
import signal
import sys
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from dcgan_edge.errors import ArtifactError, EdgeError
from dcgan_edge.files import reading

if sys.platform == "linux":
    import fcntl

if TYPE_CHECKING:
    if sys.version_info >= (3, 11):
        from typing import Self
    else:
        from typing_extensions import Self


class HeldFile:
    """An open file, leased where the system grants that, which it does to the file's owner and to root while
    nobody writes; its bytes are kept where it does not.
    """

    def __init__(self, path: Path) -> None:
        """Open the file at `path`. Raises what `reading` raises."""
        self._path = path
        with reading(path):
            self._file = open(path, "rb")  # noqa: SIM115  # closed by __exit__
        self._leased = _lease(self._file.fileno())
        self._data: bytes | None = None

    def read(self) -> bytes:
        """Return the content, the same at each call."""
        if self._data is not None:
            return self._data
        try:
            self._file.seek(0)
            data = self._file.read()
        except OSError as error:
            raise EdgeError(f"Cannot read {self._path}: {error.strerror or error}.") from error
        self._data = None if self._leased else data
        return data

    def view(self) -> memoryview:
        """Return the content to look at while this is open, in no memory of its own where it is leased: what
        a large copy leaves behind, C's allocator does not give to the library that follows.
        """
        if not self._leased or not os.fstat(self._file.fileno()).st_size:  # nothing cannot be mapped
            return memoryview(self.read())
        return memoryview(mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ))

    def source(self) -> str | bytes:
        """Return what a library is to load while this is open: a path where that is safe, else the bytes."""
        return f"/proc/self/fd/{self._file.fileno()}" if self._leased else self.read()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let others write again. Raises ArtifactError when somebody has waited for that: the system lets
        nobody wait for ever.
        """
        lost = self._leased and not _give_back(self._file.fileno())
        self._file.close()
        if lost and error is None:
            raise ArtifactError(
                f"{self._path.name} was about to be changed while it was loaded. Try again after that."
            )


if sys.platform == "linux":

    def _lease(descriptor: int) -> bool:
        """Take a lease on an open file, and return whether the system granted it."""
        try:
            fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)  # tells of a writer, and does no harm
            fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        except OSError:  # somebody writes, it is not ours, or this file system has none
            return False
        return True

    def _give_back(descriptor: int) -> bool:
        """End the lease, and return whether nobody has waited for that."""
        undisturbed = fcntl.fcntl(descriptor, fcntl.F_GETLEASE) == fcntl.F_RDLCK
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        return undisturbed

else:

    def _lease(descriptor: int) -> bool:
        """Return that there are no leases here."""
        return False

    def _give_back(descriptor: int) -> bool:
        """Return that nobody has waited for what is not there."""
        return True
