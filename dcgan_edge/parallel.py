"""Work spread over a few threads, its results in order.

Threads, not processes: Pillow, NumPy and zlib work without holding Python's lock, so threads keep every core
busy, need no shared memory, draw no random numbers and end with the program however it ends.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from typing import TYPE_CHECKING, TypeVar

from dcgan_edge.machine import cpu_count

if TYPE_CHECKING:
    from concurrent.futures import Future

Item = TypeVar("Item")
Result = TypeVar("Result")
MAX_WORKERS = 16


def worker_count() -> int:
    """Return the processors that this process may use, up to 16."""
    return min(MAX_WORKERS, cpu_count())


def ordered_map(
    function: Callable[[Item], Result], items: Iterable[Item], *, ahead: int, workers: int | None = None
) -> Generator[Result, None, None]:
    """Yield `function` of each item, in order, with up to `ahead` results worked on or waiting to be taken.

    An exception of `function` is raised where its result would have come; nothing new is begun after that.
    """
    from concurrent.futures import ThreadPoolExecutor  # which a single image needs not wait for

    pool = ThreadPoolExecutor(workers or worker_count())
    waiting: deque[Future[Result]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) >= max(1, ahead):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
