"""The loops inside every benchmark: they send queries to a session, and note when each was due and done.

Closed loop: the next query follows the last; what is measured is how long a query takes. Open loop: queries
arrive by a schedule that does not wait for the session; latency counts from the moment a query was due, so
that a stall is charged to every query that it kept waiting (no coordinated omission).

Source: MLPerf Inference, LoadGen's scenarios; G. Tene, "How NOT to Measure Latency" (coordinated omission).
"""

from __future__ import annotations

import functools
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from dcgan_edge.images import ImageArray
from dcgan_edge.latents import FloatArray

from ..session import Session

Clock = Callable[[], int]  # nanoseconds from any start
Sleep = Callable[[float], None]  # seconds
TimeArray = npt.NDArray[np.int64]
TOO_LATE_NS = 10_000_000_000  # of a query in an open loop; the queue then grows faster than it is served
SPIN_NS = 300_000  # the last part of a wait is spun, because sleeping overshoots by about so much


@runtime_checkable
class Pipelined(Protocol):
    """A session that keeps several queries in flight by itself, such as an engine on several streams."""

    def run_batches(self, batches: Iterable[FloatArray]) -> Iterator[ImageArray]:
        """Yield the images of each of `batches`, in order."""
        ...


@runtime_checkable
class Streamed(Protocol):
    """A session that has to know beforehand how it will be used."""

    def use_streams(self, count: int) -> None:
        """Keep up to `count` queries in flight from now on."""
        ...

    def prepare(self, batch: int) -> None:
        """Do on every stream what the first query of `batch` images would have to do."""
        ...


@dataclass(frozen=True)
class Samples:
    """One entry for each query, in order of completion: when it was due and how long it took, in nanoseconds.

    `due_ns` is on the clock of the process that measured; in a closed loop a query is due when it starts.
    """

    due_ns: TimeArray
    latency_ns: TimeArray

    def __len__(self) -> int:
        return len(self.latency_ns)

    @property
    def latency_ms(self) -> npt.NDArray[np.float64]:
        """Milliseconds of each query."""
        return self.latency_ns / 1e6

    @property
    def span_s(self) -> float:
        """Seconds from the first query's due time to the last completion."""
        return float((self.due_ns + self.latency_ns).max() - self.due_ns.min()) / 1e9


def make_ready(session: Session, batch: int, streams: int) -> None:
    """Let `session` keep `streams` queries of `batch` images in flight, and prepare all that they need.

    Other sessions than `Streamed` ones need nothing.
    """
    if isinstance(session, Streamed):
        session.use_streams(streams)
        session.prepare(batch)


def closed_loop(
    session: Session,
    batch: int,
    seconds: float,
    *,
    least: int = 1,
    streams: int = 1,
    clock: Clock = time.perf_counter_ns,
) -> Samples:
    """Send queries of `batch` images for `seconds`, `streams` of them in flight, at least `least` on each.

    The session must have been made ready for that (`make_ready`).
    """
    z = batch_latents(session, batch)
    if streams > 1 and isinstance(session, Pipelined):
        return _pipelined(session, z, seconds, least * streams, clock)

    def work(times: list[tuple[int, int]], begin: int) -> None:
        end = begin + int(seconds * 1e9)
        while True:
            start = clock()
            session.raw(z)
            stop = clock()
            times.append((start, stop - start))
            if stop >= end and len(times) >= least:
                return

    return _in_threads(work, streams, clock)


def _pipelined(session: Pipelined, z: FloatArray, seconds: float, least: int, clock: Clock) -> Samples:
    """Hand queries over as the session asks for them; each takes from then until its images are there."""
    handed: deque[int] = deque()
    times: list[tuple[int, int]] = []
    end = clock() + int(seconds * 1e9)

    def queries() -> Iterator[FloatArray]:
        count = 0
        while (now := clock()) < end or count < least:
            handed.append(now)
            count += 1
            yield z

    for _ in session.run_batches(queries()):
        start = handed.popleft()
        times.append((start, clock() - start))
    taken = np.array(times, np.int64)
    return Samples(taken[:, 0], taken[:, 1])


def open_loop(
    session: Session,
    batch: int,
    arrivals_s: npt.NDArray[np.float64],
    *,
    streams: int = 1,
    clock: Clock = time.perf_counter_ns,
    sleep: Sleep = time.sleep,
) -> Samples:
    """Serve queries of `batch` images that are due at `arrivals_s` (rising seconds), in that order.

    `streams` threads serve, each with one query at a time. Every query of the schedule is served, however
    late; but where one begins TOO_LATE_NS after it was due, the session cannot keep up, and those after it
    are left out. The session must have been made ready for that (`make_ready`).
    """
    z = batch_latents(session, batch)
    pending = iter(np.asarray(arrivals_s * 1e9, np.int64).tolist())
    lock = threading.Lock()

    def work(times: list[tuple[int, int]], begin: int) -> None:
        while True:
            with lock:
                offset = next(pending, None)
            if offset is None:
                return
            due = begin + offset
            _wait_until(due, clock, sleep)
            if clock() - due > TOO_LATE_NS:
                return
            session.raw(z)
            times.append((due, clock() - due))

    return _in_threads(work, streams, clock)


def one_query(
    session: Session, images: int, *, streams: int = 1, clock: Clock = time.perf_counter_ns
) -> Samples:
    """Send a single query of `images` images, split as the session splits it (MLPerf's Offline).

    A session that is not `Pipelined` is given `streams` parts of it at the same time, in threads.
    """
    z = batch_latents(session, images)
    parts = [z] if isinstance(session, Pipelined) else np.array_split(z, min(streams, images))
    start = clock()
    if len(parts) == 1:
        session.raw(z)
    else:
        _run_together([functools.partial(_run, session, part) for part in parts])
    stop = clock()
    return Samples(np.array([start]), np.array([stop - start]))


def poisson_arrivals(rate: float, seconds: float, seed: int) -> npt.NDArray[np.float64]:
    """Return arrival times within `seconds`, at `rate` queries a second with exponential gaps, at least one.

    The same `seed` gives the same times.
    """
    generator = np.random.Generator(np.random.Philox(key=seed))
    expected = rate * seconds
    enough = int(expected + 10 * math.sqrt(expected)) + 16  # ten standard deviations more than expected
    arrivals = np.cumsum(generator.exponential(1 / rate, size=enough))
    found = arrivals[: int(np.searchsorted(arrivals, seconds))]
    return found if len(found) else np.array([seconds])


def timer_overhead_ns(clock: Clock = time.perf_counter_ns, readings: int = 10_001) -> float:
    """Return the median of the nanoseconds between two readings of the clock that follow each other."""
    times = np.array([clock() for _ in range(readings)])
    return float(np.median(np.diff(times)))


def batch_latents(session: Session, batch: int) -> FloatArray:
    """Return the latents of seeds 0..batch-1 for this session's generator, (batch, latent_dim, 1, 1)."""
    architecture = session.manifest.architecture
    return architecture.inputs(range(batch))


def _run(session: Session, z: FloatArray) -> None:
    session.raw(z)


def _wait_until(due: int, clock: Clock, sleep: Sleep) -> None:
    while (left := due - clock()) > 0:
        if left > SPIN_NS:
            sleep((left - SPIN_NS) / 1e9)


def _in_threads(work: Callable[[list[tuple[int, int]], int], None], streams: int, clock: Clock) -> Samples:
    """Run `work` in this thread, or in `streams` threads that start together; return the samples of all."""
    lists: list[list[tuple[int, int]]] = [[] for _ in range(streams)]
    begin = clock()
    if streams == 1:
        work(lists[0], begin)
    else:
        _run_together([functools.partial(work, times, begin) for times in lists])
    times = np.array([entry for each in lists for entry in each], np.int64).reshape(-1, 2)
    order = np.argsort(times.sum(axis=1), kind="stable")
    return Samples(times[order, 0], times[order, 1])


def _run_together(jobs: list[Callable[[], None]]) -> None:
    """Run `jobs` in a thread each; the first error of any is raised here after all have ended."""
    errors: list[BaseException] = []

    def guarded(job: Callable[[], None]) -> None:
        try:
            job()
        except BaseException as error:  # handed to the caller's thread
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
