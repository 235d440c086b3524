"""What the system says of its free memory and its processors."""

from __future__ import annotations

from pathlib import Path

import pytest

from dcgan_edge.machine import available_memory, cpu_count

GIB = 2**30


def system(root: Path, files: dict[str, str]) -> Path:
    """A machine with 8 GiB available whose other system files are `files`."""
    for name, text in {"proc/meminfo": f"MemTotal: 9 kB\nMemAvailable:   {8 * 2**20} kB\n", **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def group(limit: object, used: int, inactive: int = 0, place: str = "") -> dict[str, str]:
    top = f"sys/fs/cgroup/{place}"
    return {
        f"{top}memory.max": f"{limit}\n",
        f"{top}memory.current": f"{used}\n",
        f"{top}memory.stat": f"anon 5\ninactive_file {inactive}\nslab\n",
    }


def old_group(limit: int, used: int, inactive: int, place: str = "") -> dict[str, str]:
    top = f"sys/fs/cgroup/memory/{place}"
    return {
        f"{top}memory.limit_in_bytes": f"{limit}\n",
        f"{top}memory.usage_in_bytes": f"{used}\n",
        f"{top}memory.stat": f"cache 5\ntotal_inactive_file {inactive}\n",
    }


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, 8 * GIB),
        (group("max", 1000), 8 * GIB),
        (group(3 * GIB, GIB), 2 * GIB),
        (group(3 * GIB, 4 * GIB), 0),
        # what a download leaves in the page cache can be had again
        (group(600, 590, 400), 410),
        ({"proc/self/cgroup": "0::/a/b\n"} | group(900, 100, 50, "a/b/") | group(700, 100, 0, "a/"), 600),
        ({"proc/self/cgroup": "0::/a/b\n"} | group(500, 100, 50, "a/b/"), 450),
        (old_group(600, 590, 400), 410),
        (old_group(9223372036854771712, 590, 400), 8 * GIB),
        ({"proc/self/cgroup": "4:cpu,memory:/c\n3:cpuset:/\n"} | old_group(600, 590, 0, "c/"), 10),
        # hybrid hierarchies have both; only the old one counts memory there
        ({"proc/self/cgroup": "4:memory:/c\n0::/c\n"} | old_group(600, 100, 0, "c/"), 500),
        ({"proc/self/cgroup": "nonsense\n\n"} | group("many", 1), 8 * GIB),
    ],
)
def test_the_kernel_and_every_container_are_asked_and_the_least_counts(
    tmp_path: Path, files: dict[str, str], expected: int
) -> None:
    assert available_memory(system(tmp_path, files)) == expected


def test_other_systems_count_half_of_what_is_built_in(tmp_path: Path) -> None:
    assert available_memory(tmp_path) > 2**20


def test_this_machine_has_some() -> None:
    assert available_memory() > 2**20
    assert cpu_count() >= 1
