"""The peaks of the processor at hand, measured by this file itself, run as a program in a process of its own.

BLAS is held to one thread and every thread has a product of its own: BLAS threads wait for each other, and on
a machine that is not quite idle that took four fifths of the speed. How many threads BLAS has must be said
before it is loaded, hence the child process. The copy is of as many bytes as the model moves, so that a model
that fits into a cache is held against that cache.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from dcgan_edge.errors import UnavailableError

from ...device import cpu_name
from .peaks import Peaks

PROBE = "dcgan_edge.runtime.bench.roofline.cpu"
TIMEOUT_S = 60.0
SIDE = 512  # of the matrices: 0.27 GFLOP is enough for BLAS, and short enough to find a quiet moment
BUDGET_S = 0.3  # for each measurement
FEWEST = 5  # calls
SMALLEST_COPY = 2**19  # bytes; a smaller one would time the call rather than the memory
THREAD_VARIABLES = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)  # fmt: skip


def measure_cpu_peaks(threads: int, working_set: int) -> Peaks:
    """Return the peaks with `threads` threads, the bandwidth over `working_set` bytes (read and written).

    Takes about a second; nothing else should run. Raises UnavailableError when the child process fails.
    """
    command = [sys.executable, "-m", PROBE, str(threads), str(working_set)]
    environment = {**os.environ, **dict.fromkeys(THREAD_VARIABLES, "1")}
    try:
        answer = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S, check=True
        )
        facts = json.loads(answer.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise UnavailableError(f"The processor's peaks could not be measured: {error}.") from error
    # Half precision is widened to float32 by the CPU backends, so it has the same peak.
    return Peaks(
        f"{cpu_name()}, {threads} thread{'' if threads == 1 else 's'}",
        {"fp32": facts["flops"], "fp16": facts["flops"]},
        facts["bandwidth"],
        "measured",
        (f"numpy {np.__version__} matrix products and copies of {working_set} bytes in all, best of each",),
    )


def measure_product(threads: int) -> float:
    """Return the FLOP/s of float32 products of two SIDE x SIDE matrices, one in each thread."""
    generator = np.random.default_rng(0)

    def multiply() -> Callable[[], object]:
        left, right, out = generator.random((3, SIDE, SIDE), np.float32)
        return lambda: np.matmul(left, right, out=out)

    return _rate([multiply() for _ in range(threads)], work=2 * SIDE**3)


def measure_copy(threads: int, working_set: int) -> float:
    """Return the bytes/s, read and written, of copies; sources and targets are `working_set` bytes."""
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
