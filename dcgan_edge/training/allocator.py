"""Keep freed memory in the process while training on a CPU.

A step allocates and frees the same few tensors of some MiB. glibc gives such blocks back to the kernel each
time and takes page faults to get them again, which cost about a quarter of a step of the 28-pixel DCGAN.
"""

from __future__ import annotations

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h
LARGEST_HEAP_BLOCK = 32 * 2**20  # bytes; glibc accepts no more
KEPT = 2**30  # bytes of free memory at the top of the heap that are not given back


def keep_freed_memory() -> None:
    """Raise glibc's thresholds for this process; do nothing where the C library is another."""
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, LARGEST_HEAP_BLOCK)
        mallopt(M_TRIM_THRESHOLD, KEPT)
