"""How long a client may keep a connection without doing its part: sending the head of a request, or taking
its answer.

uvicorn ends a connection that is idle after an answer, and the application gives bodies their time. Nobody
else looks after one that never says what it wants, or that never reads: some hundreds of these would take
all connections that there may be, or hold their answers in memory for good.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection
from typing import Protocol

PATIENCE_S = 20.0


class Cycle(Protocol):
    """A request and its answer, as uvicorn's protocols have it."""

    response_complete: bool


class Connection(Protocol):
    """What uvicorn's protocols have in common: `cycle` is the last request, None before the first one."""

    cycle: Cycle | None
    transport: asyncio.Transport


class Patience:
    """Ends connections whose clients have kept the server waiting for too long."""

    def __init__(self, *, seconds: float = PATIENCE_S, clock: Callable[[], float] = time.monotonic) -> None:
        """Give clients `seconds` for the head of a request, and for each time that they take some answer."""
        self._seconds, self._clock = seconds, clock
        self._waiting: dict[Connection, tuple[tuple[Cycle | None, int], float]] = {}

    def look(self, connections: Collection[Connection]) -> None:
        """Note what each of `connections` waits for, and abort those that have waited for the same too long.

        It is called every now and then; who is not among `connections` any more is forgotten.
        """
        now, waiting = self._clock(), {}
        for connection in connections:
            cycle, unsent = connection.cycle, connection.transport.get_write_buffer_size()
            if cycle is not None and not cycle.response_complete and not unsent:
                continue  # the server's turn
            state = (cycle, unsent)
            before, since = self._waiting.get(connection, (state, now))
            waiting[connection] = (state, since if state == before else now)
            if now - waiting[connection][1] > self._seconds:
                connection.transport.abort()
        self._waiting = waiting
