"""One benchmark at a time: two on one machine would measure each other.

The lock is on a file in this user's cache folder, and the system lets it go when its process ends, however
that happens. Other users, and systems without such locks (Windows), are not kept out; what they do is seen
as what other programs do.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from dcgan_edge.errors import EdgeError
from dcgan_edge.files import cache_folder

from .workload import Sleep

NAME = "benchmark.lock"
LONGEST_WAIT_S = 600.0
POLL_S = 0.2
LONGEST_LINE = 200  # bytes of what the holder says of itself


@contextlib.contextmanager
def only_benchmark(
    say: Callable[[str], None],
    *,
    path: Path | None = None,
    longest_wait_s: float = LONGEST_WAIT_S,
    sleep: Sleep = time.sleep,
) -> Iterator[None]:
    """Hold the lock of benchmarks while the block runs; wait for it, and `say` for whom.

    Raises EdgeError that names the holder when the lock is not free within `longest_wait_s` seconds.
    """
    descriptor = _opened(path or cache_folder() / NAME)
    if descriptor is None:
        yield
        return
    try:
        waited, said = 0.0, ""
        while not _locked(descriptor):
            line = os.pread(descriptor, LONGEST_LINE, 0).decode(errors="replace").strip()
            holder = line or "another process"
            if waited >= longest_wait_s:
                raise EdgeError(
                    f"Another benchmark is running on this machine ({holder}), and two would measure "
                    "each other. Begin again when it has ended."
                )
            if holder != said:
                say(f"waiting for another benchmark to end ({holder})")
                said = holder
            sleep(POLL_S)
            waited += POLL_S
        with contextlib.suppress(OSError):  # a full disk: others then wait for "another process"
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, _self_description().encode(errors="replace")[:LONGEST_LINE], 0)
        yield
    finally:
        os.close(descriptor)


def _opened(path: Path) -> int | None:
    """Return the open lock file; None where it cannot be made, as on a system that may not be written to."""
    if sys.platform == "win32":
        return None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        return None


def _locked(descriptor: int) -> bool:
    """Take the lock if it is free; return whether it is ours."""
    if sys.platform == "win32":
        return True
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True


def _self_description() -> str:
    command = " ".join(Path(word).name if place == 0 else word for place, word in enumerate(sys.argv))
    return f"process {os.getpid()}, since {time.strftime('%H:%M:%S')}: {command}"
