"""The allocator setting is asked of glibc alone, and does no harm elsewhere."""

from __future__ import annotations

import ctypes
import sys

import pytest

from dcgan_edge.training import allocator
from dcgan_edge.training.allocator import KEPT, LARGEST_HEAP_BLOCK, keep_freed_memory


class Library:
    """A C library that records what is asked of it."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []

    def mallopt(self, option: int, value: int) -> int:
        self.asked.append((option, value))
        return 1


def test_both_thresholds_are_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    library = Library()
    monkeypatch.setattr(ctypes, "CDLL", lambda name: library)
    monkeypatch.setattr(sys, "platform", "linux")
    keep_freed_memory()
    assert library.asked == [(-3, LARGEST_HEAP_BLOCK), (-1, KEPT)]


def test_another_c_library_or_system_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    monkeypatch.setattr(sys, "platform", "linux")
    keep_freed_memory()
    monkeypatch.setattr(ctypes, "CDLL", None)
    monkeypatch.setattr(sys, "platform", "darwin")
    keep_freed_memory()


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="not glibc")
def test_glibc_accepts_the_values() -> None:
    library = ctypes.CDLL(None)
    assert library.mallopt(allocator.M_MMAP_THRESHOLD, LARGEST_HEAP_BLOCK) == 1
    assert library.mallopt(allocator.M_TRIM_THRESHOLD, KEPT) == 1
