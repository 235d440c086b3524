"""How much memory this process may still take, so that a data set is kept whole only where it fits."""

from __future__ import annotations

import os
from pathlib import Path

FALLBACK = 2 * 2**30  # bytes; where the system does not say
CGROUP = Path("/sys/fs/cgroup")  # a container's own limit, which /proc/meminfo does not know
MEMINFO = Path("/proc/meminfo")


def available_memory() -> int:
    """Bytes that can be allocated without swapping, after the limit of a container. Never below 0."""
    bounds = [bound for bound in (_meminfo(), _cgroup()) if bound is not None]
    return max(0, min(bounds)) if bounds else _physical()


def _meminfo() -> int | None:
    try:
        lines = MEMINFO.read_text().splitlines()
    except OSError:
        return None
    kibibytes = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    return int(kibibytes[0]) * 1024 if kibibytes else None


def _cgroup() -> int | None:
    try:
        limit = (CGROUP / "memory.max").read_text().strip()
        used = (CGROUP / "memory.current").read_text().strip()
    except OSError:
        return None
    return int(limit) - int(used) if limit.isdigit() and used.isdigit() else None


def _physical() -> int:
    """Half of what is built in, for systems that do not count what is free."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (AttributeError, OSError, ValueError):
        return FALLBACK
