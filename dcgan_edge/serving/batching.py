"""Jobs of many clients joined into calls of one session: bounded, with a stated delay, and fair.

Nothing here knows of HTTP. Seeds come as pieces of fixed blocks (see `runtime.sampling`): a block is computed
whole whatever is asked of it, so that all who ask for it share one call. Latents of anybody share a call
while there is room in it.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from dcgan_edge.errors import EdgeError

LATENTS = -1  # the key of pieces that hold latents; those of seeds have the number of their block


class QueueFull(EdgeError):
    """More work waits than may; it was not taken, and may be tried again."""


class QueueClosed(EdgeError):
    """The server is about to end and takes no more work."""


@dataclass(frozen=True)
class Part:
    """A piece of work before it is queued: `key` as `LATENTS` says, the number of images that are asked for
    and of those that are computed for them, and the content, which only the worker reads.
    """

    key: int
    asked: int
    computed: int
    content: Any


@dataclass(eq=False)
class Piece:
    """A part that waits for its call, or is in it."""

    job: Job
    place: int
    part: Part


class Job:
    """The work of one request; `future` gets the list of what was made, part by part.

    `arrived`, `started` and `finished` are seconds of the queue's clock, 0 until then. Only the worker
    delivers, and only the queue's lock protects the rest.
    """

    def __init__(self, parts: Iterable[Part]) -> None:
        """Be the work of `parts`, of which there is at least one."""
        self.future: Future[list[Any]] = Future()
        self.pieces = [Piece(self, place, part) for place, part in enumerate(parts)]
        self.computed = sum(piece.part.computed for piece in self.pieces)
        self.arrived = self.started = self.finished = 0.0
        self._made: list[Any] = [None] * len(self.pieces)
        self._left = len(self.pieces)

    def deliver(self, piece: Piece, made: Any) -> None:
        """Take what was made of `piece`; the last one completes the future, unless nobody waits any more."""
        self._made[piece.place] = made
        self._left -= 1
        if self._left == 0 and self.future.set_running_or_notify_cancel():
            self.future.set_result(self._made)

    def fail(self, error: BaseException) -> None:
        """End the job with `error`, unless it has ended."""
        if not self.future.done() and self.future.set_running_or_notify_cancel():
            self.future.set_exception(error)


@dataclass(eq=False)
class _Group:
    """Pieces that may share a call, oldest first."""

    pieces: deque[Piece] = field(default_factory=deque)
    asked: int = 0


class BatchQueue:
    """What waits for one session. Any thread submits and withdraws, one takes."""

    def __init__(
        self, *, most: int, delay_s: float, room: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Join up to `most` images into a call, none of which waits longer than `delay_s` for others once the
        session is free; hold jobs of up to `room` images, or one larger job alone.
        """
        self.most, self.delay_s, self.room = most, delay_s, room
        self._clock = clock
        self._changed = threading.Condition()
        self._groups: dict[int, _Group] = {}
        self._held: set[Job] = set()
        self._occupied = 0
        self._closed = False
        self.refused = self.withdrawn = 0

    @property
    def occupied(self) -> int:
        """Return the images of jobs that were submitted and not withdrawn: waiting, computed or answered."""
        return self._occupied

    @property
    def waiting(self) -> int:
        """Return the number of pieces that wait for a call."""
        with self._changed:
            return sum(len(group.pieces) for group in self._groups.values())

    def check_room(self, computed: int) -> None:
        """Raise QueueFull when there is no room for `computed` more images, and QueueClosed once the queue
        takes no more.
        """
        with self._changed:
            if self._closed:
                raise QueueClosed("This server is about to end, and takes no more requests.")
            if self._occupied and self._occupied + computed > self.room:
                self.refused += 1
                raise QueueFull(f"{self._occupied} images are being made, and {self.room} is the most.")

    def submit(self, job: Job) -> None:
        """Queue `job`, which occupies its room until it is withdrawn.

        Raises as `check_room` does.
        """
        with self._changed:
            self.check_room(job.computed)
            self._held.add(job)
            self._occupied += job.computed
            job.arrived = self._clock()
            for piece in job.pieces:
                group = self._groups.setdefault(piece.part.key, _Group())
                group.pieces.append(piece)
                group.asked += piece.part.asked
            self._changed.notify()

    def withdraw(self, job: Job) -> None:
        """Give back the room of `job`, and drop what of it still waits. Doing so again is harmless.

        Whoever submits a job withdraws it, answered or not: a client that has gone leaves nothing behind.
        """
        with self._changed:
            if job not in self._held:
                return
            self._held.remove(job)
            self._occupied -= job.computed
            self.withdrawn += job.future.cancel()
            for piece in job.pieces:
                self._drop(piece)

    def take(self) -> list[Piece]:
        """Wait for pieces that are to share a call and return them; an empty list ends it all."""
        with self._changed:
            while True:
                batch = self.due()
                if batch or (self._closed and not self._groups):
                    return batch
                self._changed.wait(self.wait_s())

    def due(self) -> list[Piece]:
        """Return the pieces of the call that is to be made now, oldest first; none if all may wait.

        Of the groups that fill a call, or whose oldest piece has waited its time, the oldest is chosen.
        """
        with self._changed:
            now = self._clock()
            ready = [
                (group.pieces[0].job.arrived, key)
                for key, group in self._groups.items()
                if self._closed
                or group.asked >= self.most
                or now - group.pieces[0].job.arrived >= self.delay_s
            ]
            if not ready:
                return []
            return self._pop(min(ready)[1], now)

    def wait_s(self) -> float | None:
        """Return the seconds until the oldest piece has waited its time; None if nothing waits."""
        with self._changed:
            if not self._groups:
                return None
            oldest = min(group.pieces[0].job.arrived for group in self._groups.values())
            return max(0.0, oldest + self.delay_s - self._clock())

    def close(self) -> None:
        """Take no more jobs; what waits is still handed out, at once."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _pop(self, key: int, now: float) -> list[Piece]:
        group = self._groups[key]
        batch: list[Piece] = []
        room = self.most
        while group.pieces and (not batch or key != LATENTS or group.pieces[0].part.asked <= room):
            piece = group.pieces.popleft()
            room -= piece.part.asked
            group.asked -= piece.part.asked
            piece.job.started = piece.job.started or now
            batch.append(piece)
        if not group.pieces:
            del self._groups[key]
        return batch

    def _drop(self, piece: Piece) -> None:
        group = self._groups.get(piece.part.key)
        if group is None or piece not in group.pieces:
            return
        group.pieces.remove(piece)
        group.asked -= piece.part.asked
        if not group.pieces:
            del self._groups[piece.part.key]
