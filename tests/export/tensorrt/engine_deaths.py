"""Work for a child process, most of it deadly. A module of its own, so that the child imports little else."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import sys
import time

from dcgan_edge.errors import UnavailableError
from dcgan_edge.export.tensorrt.process import BuildProgress


def double(job: int, progress: BuildProgress) -> int:
    for step in range(job):
        progress("doubling", step + 1, job)
    logging.getLogger("dcgan_edge.tensorrt").info("doubled")
    logging.getLogger("dcgan_edge.tensorrt").debug("too small to be told")
    print("noise of native code")
    os.write(1, b"noise of a library\n")
    return 2 * job


def reverse(job: bytes, progress: BuildProgress) -> bytes:
    return job[::-1]


def refuse(job: str, progress: BuildProgress) -> None:
    raise UnavailableError(job)


def die(job: str, progress: BuildProgress) -> None:
    logging.getLogger("dcgan_edge.tensorrt").info("the last thing I saw")
    if job == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if job == "crashed":
        ctypes.string_at(0)
    if job == "out of memory":
        raise MemoryError
    if job == "left":
        sys.exit(3)
    time.sleep(60)


def first_victim(job: None, progress: BuildProgress) -> str:
    with open("/proc/self/oom_score_adj") as file:
        return file.read().strip()


def outlive(job: str, progress: BuildProgress) -> None:
    """Say who this is, then hang."""
    progress(str(os.getpid()), 1, 1)
    time.sleep(60)
