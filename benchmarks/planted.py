"""What `self_check` plants into a benchmark: sessions that are slower by design, and a busy neighbour."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

from dcgan_edge.latents import FloatArray
from dcgan_edge.runtime.bench.worker import Opener
from dcgan_edge.runtime.session import Session, SessionFacts

WAIT_S = 0.002
HOG = """
import os, sys
while os.path.exists("/proc/" + sys.argv[1]):
    for _ in range(10**6): pass
"""


@contextlib.contextmanager
def hog() -> Iterator[int]:
    """A busy program that does not descend from this process, by its number; it ends when we do, too."""
    started = subprocess.run(
        ["sh", "-c", '"$0" -c "$1" "$2" >/dev/null 2>&1 & echo $!', sys.executable, HOG, str(os.getpid())],
        check=True,
        capture_output=True,
        text=True,
    )
    pid = int(started.stdout)
    try:
        yield pid
    finally:
        os.kill(pid, signal.SIGKILL)


class Slowed(Session):
    """A session each of whose calls takes a share longer than it would."""

    def __init__(
        self, session: Session, share: float, *, clock: Callable[[], int] = time.perf_counter_ns
    ) -> None:
        self._session, self._share, self._clock = session, share, clock
        self.manifest = session.manifest

    @property
    def facts(self) -> SessionFacts:
        """Those of the session inside."""
        return self._session.facts

    def run(self, latents: FloatArray) -> FloatArray:
        """Return the images of the session inside, later."""
        start = self._clock()
        images = self._session.run(latents)
        now = self._clock()
        end = now + int((now - start) * self._share)
        while self._clock() < end:
            pass
        return images

    def close(self) -> None:
        """Close the session inside."""
        self._session.close()


class Waiting(Session):
    """A session whose calls take WAIT_S on any machine, however its speed changes."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.manifest = session.manifest

    @property
    def facts(self) -> SessionFacts:
        """Those of the session inside."""
        return self._session.facts

    def run(self, latents: FloatArray) -> FloatArray:
        """Return the latents after WAIT_S."""
        time.sleep(WAIT_S)
        return latents

    def close(self) -> None:
        """Close the session inside."""
        self._session.close()


def open_waiting(opener: Opener) -> Session:
    """Open a session that waits instead of what `opener` opens."""
    return Waiting(opener())


def open_slowed(opener: Opener, share: float) -> Session:
    """Open what `opener` opens, each call of which then takes `share` longer."""
    return Slowed(opener(), share)
