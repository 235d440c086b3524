"""Queries put to a session, and when each was due and done: the loops inside every benchmark.

Closed loop: the next query follows the last; what is measured is how long a query takes. Open loop: queries
arrive by a schedule that does not wait for the session; latency counts from the moment a query was due, so
that a stall is charged to every query that it kept waiting (no coordinated omission).

Source: MLPerf Inference, LoadGen's scenarios; G. Tene, "How NOT to Measure Latency" (coordinated omission).
"""

from __future__ import annotations

import functools
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from dcgan_edge.latents import FloatArray, latents

from ..session import Session

Clock = Callable[[], int]  # nanoseconds from any start
Sleep = Callable[[float], None]  # seconds
TimeArray = npt.NDArray[np.int64]
SPIN_NS = 300_000  # the last part of a wait is spun, because sleeping overshoots by about so much


@runtime_checkable
class Pipelined(Protocol):
    """A session that keeps several batches in flight by itself, such as an engine on several streams."""

    def run_batches(self, batches: Iterable[FloatArray]) -> Iterator[FloatArray]:
        """The images of each of `batches`, in order."""
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
        return self.latency_ns / 1e6

    @property
    def span_s(self) -> float:
        """Seconds from the first query's due time to the last completion."""
        return float((self.due_ns + self.latency_ns).max() - self.due_ns.min()) / 1e9


def closed_loop(
    session: Session,
    batch: int,
    seconds: float,
    *,
    least: int = 1,
    streams: int = 1,
    clock: Clock = time.perf_counter_ns,
) -> Samples:
    """Queries of `batch` images for `seconds`, `least` of them at least, in each of `streams` threads."""
    z = batch_latents(session, batch)
    if streams > 1 and isinstance(session, Pipelined):
        return _pipelined(session, z, seconds, least * streams, clock)

    def work(times: list[tuple[int, int]], begin: int) -> None:
        end = begin + int(seconds * 1e9)
        while True:
            start = clock()
            session.run(z)
            stop = clock()
            times.append((start, stop - start))
            if stop >= end and len(times) >= least:
                return

    return _in_threads(work, streams, clock)


def _pipelined(session: Pipelined, z: FloatArray, seconds: float, least: int, clock: Clock) -> Samples:
    """Queries handed over as the session asks for them; each takes from then until its images are there."""
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
    """Queries of `batch` images due at `arrivals_s` (rising seconds), served first come, first served.

    `streams` threads serve. Every query of the schedule is served, however late.
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
            session.run(z)
            times.append((due, clock() - due))

    return _in_threads(work, streams, clock)


def one_query(session: Session, images: int, *, clock: Clock = time.perf_counter_ns) -> Samples:
    """A single query of `images` images, split as the session splits it (MLPerf's Offline)."""
    z = batch_latents(session, images)
    start = clock()
    session.run(z)
    stop = clock()
    return Samples(np.array([start]), np.array([stop - start]))


def poisson_arrivals(rate: float, seconds: float, seed: int) -> npt.NDArray[np.float64]:
    """Arrival times within `seconds` at `rate` queries a second, exponential gaps, at least one."""
    generator = np.random.Generator(np.random.Philox(key=seed))
    gaps = generator.exponential(1 / rate, size=max(16, int(2 * rate * seconds)))
    arrivals = np.cumsum(gaps)
    return arrivals[: max(1, int(np.searchsorted(arrivals, seconds)))]


def timer_overhead_ns(clock: Clock = time.perf_counter_ns, readings: int = 10_001) -> float:
    """Median nanoseconds between two readings of the clock that follow each other."""
    times = np.array([clock() for _ in range(readings)])
    return float(np.median(np.diff(times)))


def batch_latents(session: Session, batch: int) -> FloatArray:
    """The latents of seeds 0..batch-1 for this session's generator."""
    architecture = session.manifest.architecture
    return latents(range(batch), architecture.latent_dim, architecture.distribution)


def _wait_until(due: int, clock: Clock, sleep: Sleep) -> None:
    while (left := due - clock()) > 0:
        if left > SPIN_NS:
            sleep((left - SPIN_NS) / 1e9)


def _in_threads(work: Callable[[list[tuple[int, int]], int], None], streams: int, clock: Clock) -> Samples:
    """Run `work` in this thread, or in `streams` threads that start together; the samples of all of them."""
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
