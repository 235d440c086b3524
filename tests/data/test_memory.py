"""What the system says of its free memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from dcgan_edge.data import memory
from dcgan_edge.data.memory import available_memory

GIB = 2**30


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(memory, "MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "CGROUP", tmp_path)
    return tmp_path


def test_the_kernel_and_the_container_are_asked_and_the_less_counts(system: Path) -> None:
    (system / "meminfo").write_text(f"MemTotal: 9 kB\nMemAvailable:   {8 * 2**20} kB\n")
    assert available_memory() == 8 * GIB
    (system / "memory.max").write_text("max\n")
    (system / "memory.current").write_text("1000\n")
    assert available_memory() == 8 * GIB
    (system / "memory.max").write_text(f"{3 * GIB}\n")
    (system / "memory.current").write_text(f"{GIB}\n")
    assert available_memory() == 2 * GIB
    (system / "memory.current").write_text(f"{4 * GIB}\n")
    assert available_memory() == 0


@pytest.mark.usefixtures("system")
def test_other_systems_count_half_of_what_is_built_in() -> None:
    assert available_memory() > 0


def test_this_machine_has_some() -> None:
    assert available_memory() > 2**20
