"""How much memory and how many processors this process may use, limits of containers included.

Core: the host keeps a data set whole where it fits, a Jetson sizes the workspace of a build, threads are
counted. Sources: proc(5); Linux, "Control Group v2" and "Memory Resource Controller" (version 1).
"""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path("/")
FALLBACK = 2 * 2**30  # bytes; where the system does not say


def cpu_count() -> int:
    """Return how many processors this process may use, in a container fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def available_memory(root: Path = ROOT) -> int:
    """Return the bytes that can be allocated without swapping, within every container's limit; 0 or more.

    Page cache that the kernel gives back when it is needed counts as available. Half of the built-in memory
    is taken on systems that do not count what is free. System files are read below `root`.
    """
    kernel = _fields(root / "proc/meminfo").get("MemAvailable:")
    bounds = [_physical() if kernel is None else 1024 * kernel, *_container_bounds(root)]
    return max(0, min(bounds))


def _container_bounds(root: Path) -> list[int]:
    """What each control group that this process is in leaves, from its own up to the topmost."""
    bounds = []
    for line in _text(root / "proc/self/cgroup").splitlines() or ["0::/", "1:memory:/"]:
        number, controllers, place = [*line.split(":", 2), "", ""][:3]
        if number == "0" and not controllers:
            top, names = root / "sys/fs/cgroup", ("memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            top = root / "sys/fs/cgroup/memory"
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        else:
            continue
        group = top / place.strip("/")
        for folder in (group, *group.parents):
            bounds += _left(folder, *names)
            if folder == top:
                break
    return bounds


def _left(group: Path, limit: str, used: str, cache: str) -> list[int]:
    """The limit of `group` less what is used, page cache that can go not counted; [] without a limit."""
    numbers = [_text(group / name).strip() for name in (limit, used)]
    if not all(number.isascii() and number.isdigit() for number in numbers):
        return []  # "max", or no such group here
    return [int(numbers[0]) - int(numbers[1]) + _fields(group / "memory.stat").get(cache, 0)]


def _fields(path: Path) -> dict[str, int]:
    """The lines "name number ..." of a file; empty if it cannot be read."""
    words = (line.split() for line in _text(path).splitlines())
    return {word[0]: int(word[1]) for word in words if len(word) > 1 and word[1].isdigit()}


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _physical() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (AttributeError, OSError, ValueError):
        return FALLBACK
