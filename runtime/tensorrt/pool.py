"""The streams of a session, and which thread uses which: calls take streams that are free and put them back.

A session with several streams serves as many threads at the same time, each on streams of its own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from dcgan_edge.errors import EdgeError, UsageError

from .stream import EngineStream

MOST_STREAMS = 16


class StreamPool:
    """Streams made by `make`; `release` is called once, when the pool is closed and nobody uses it."""

    def __init__(self, make: Callable[[], EngineStream], release: Callable[[], None]) -> None:
        self.streams: list[EngineStream] = []
        self._make = make
        self._release: Callable[[], None] | None = release
        self._change = threading.Condition()  # guards everything below
        self._users: set[int] = set()  # threads that hold streams
        self._busy: list[EngineStream] = []
        self._closed = False

    def resize(self, count: int) -> None:
        """Make or close streams until there are `count`; nobody else may use the pool meanwhile.

        Raises UsageError for a number out of range, EdgeError when memory does not suffice.
        """
        if not 1 <= count <= MOST_STREAMS:
            raise UsageError(f"An engine runs on 1 to {MOST_STREAMS} streams, not {count}.")
        while len(self.streams) > count:
            self.streams.pop().close()
        while len(self.streams) < count:
            self.streams.append(self._make())

    @contextmanager
    def take(self, most: int) -> Iterator[list[EngineStream]]:
        """Hold up to `most` of the free streams, after waiting for one if there is none.

        Nothing is left in flight at the end, whatever happens inside. Where work of the GPU has failed, the
        pool is closed. Raises EdgeError when it is closed, or when this thread already holds streams.
        """
        taken = self._take(most)
        try:
            yield taken
        finally:
            healthy = [stream.settle() for stream in taken if stream in self.streams]
            with self._change:
                self._users.discard(threading.get_ident())
                self._busy = [stream for stream in self._busy if stream not in taken]
                self._change.notify_all()
                closing = self._closed
            if closing or not all(healthy):  # after a failure nothing can be trusted to work again
                self.close()

    def require_open(self) -> None:
        """Raise EdgeError if the pool is closed."""
        if self._closed:
            raise EdgeError("This session is closed.")

    def close(self) -> None:
        """Close all streams, or let the last of the other threads that hold some do it."""
        with self._change:
            self._closed = True
            self._change.notify_all()
            if self._users - {threading.get_ident()}:
                return
            release, self._release = self._release, None
        while self.streams:
            self.streams.pop().close()
        if release is not None:
            release()

    def _take(self, most: int) -> list[EngineStream]:
        me = threading.get_ident()
        with self._change:
            self.require_open()
            if me in self._users:
                raise EdgeError("This session is busy with another call of this thread; finish that first.")
            while not (free := [stream for stream in self.streams if stream not in self._busy]):
                self._change.wait()
                self.require_open()
            self._busy += free[:most]
            self._users.add(me)
        return free[:most]
