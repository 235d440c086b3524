"""The peaks of the processor at hand, measured by `cpu_probe` in a process of its own.

BLAS is held to one thread and every thread has a product of its own: BLAS threads wait for each other, and on
a machine that is not quite idle that took four fifths of the speed. How many threads BLAS has must be said
before it is loaded, hence the child process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np

from dcgan_edge.errors import UnavailableError

from ...device import cpu_name
from .peaks import Peaks

PROBE = "dcgan_edge.runtime.bench.roofline.cpu_probe"
TIMEOUT_S = 60.0
THREAD_VARIABLES = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)  # fmt: skip


def measure_cpu_peaks(threads: int, working_set: int) -> Peaks:
    """Peaks with `threads` threads, the bandwidth over `working_set` bytes (read and written together).

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
