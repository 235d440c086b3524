"""Float32 matrix products and copies, as fast as this processor does them; run as a program, prints JSON.

The copy is of as many bytes as the model moves, so that a model that fits into a cache is held against that
cache. Every thread works on memory of its own.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

SIDE = 512  # of the matrices: 0.27 GFLOP is enough for BLAS, and short enough to find a quiet moment
BUDGET_S = 0.3  # for each measurement
FEWEST = 5  # calls
SMALLEST_COPY = 2**19  # bytes; a smaller one would time the call rather than the memory


def measure_product(threads: int) -> float:
    """FLOP/s of float32 products of two SIDE x SIDE matrices, one in each thread."""
    generator = np.random.default_rng(0)

    def multiply() -> Callable[[], object]:
        left, right, out = generator.random((3, SIDE, SIDE), np.float32)
        return lambda: np.matmul(left, right, out=out)

    return _rate([multiply() for _ in range(threads)], work=2 * SIDE**3)


def measure_copy(threads: int, working_set: int) -> float:
    """Bytes/s, read and written, of copies whose sources and targets are `working_set` bytes in all."""
    each = max(SMALLEST_COPY, working_set // 2 // threads)

    def copy() -> Callable[[], object]:
        source, target = np.ones(each, np.uint8), np.zeros(each, np.uint8)
        return lambda: np.copyto(target, source)

    return _rate([copy() for _ in range(threads)], work=2 * each)


def _rate(actions: Sequence[Callable[[], object]], work: float) -> float:
    """Run every action over and over in a thread of its own, all together, and add up `work` / its shortest
    time. Not the mean: a peak is what a thread reaches when nothing disturbs it.
    """
    start = threading.Barrier(len(actions))

    def shortest(action: Callable[[], object]) -> float:
        start.wait()
        end = time.perf_counter() + BUDGET_S
        times: list[float] = []
        while time.perf_counter() < end or len(times) < FEWEST:
            before = time.perf_counter()
            action()
            times.append(time.perf_counter() - before)
        return min(times[1:-1])  # the first warms up, in the last the other threads may be done

    with ThreadPoolExecutor(len(actions)) as pool:
        return sum(work / seconds for seconds in pool.map(shortest, actions))


if __name__ == "__main__":
    count, size = map(int, sys.argv[1:])
    print(json.dumps({"flops": measure_product(count), "bandwidth": measure_copy(count, size)}))
