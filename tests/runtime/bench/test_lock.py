from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

import pytest

from dcgan_edge.errors import EdgeError
from dcgan_edge.runtime.bench.lock import only_benchmark

fcntl = pytest.importorskip("fcntl")


def quiet(_: str) -> None:
    """Say nothing."""


def test_a_second_benchmark_waits_for_the_first_and_says_for_whom(tmp_path: Path) -> None:
    path, said, slept = tmp_path / "cache" / "lock", list[str](), list[float]()
    first = only_benchmark(quiet, path=path)
    first.__enter__()

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            first.__exit__(None, None, None)

    with only_benchmark(said.append, path=path, sleep=sleep):
        assert len(slept) == 3
    (line,) = said  # once, however long it takes
    assert f"process {os.getpid()}, since " in line


def test_waiting_has_an_end(tmp_path: Path) -> None:
    path, slept = tmp_path / "lock", list[float]()
    with (
        only_benchmark(quiet, path=path),
        pytest.raises(EdgeError, match=f"process {os.getpid()}"),
        only_benchmark(quiet, path=path, longest_wait_s=1.0, sleep=slept.append),
    ):
        pass
    assert sum(slept) == pytest.approx(1.0)


def test_the_lock_is_free_again_afterwards_whatever_happened(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with pytest.raises(RuntimeError), only_benchmark(quiet, path=path):
        raise RuntimeError
    with only_benchmark(quiet, path=path, longest_wait_s=0.0):
        pass


def test_where_no_lock_can_be_made_the_benchmark_runs(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with only_benchmark(quiet, path=tmp_path / "file" / "lock"):
        pass


def test_a_name_of_any_bytes_and_a_full_disk_do_not_stop_a_benchmark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["dcgan-edge", "bench", os.fsdecode(b"\xff.onnx")])
    with only_benchmark(quiet, path=tmp_path / "lock"):
        assert b"bench ?.onnx" in (tmp_path / "lock").read_bytes()

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with only_benchmark(quiet, path=tmp_path / "lock"):
        pass
