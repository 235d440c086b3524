"""Hostile files are refused in time and in little memory, and nothing of them is run."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dcgan_edge.errors import ArtifactError
from dcgan_edge.export.foreign.containers import read_tensors
from tests.export.foreign.hostile_files import HOSTILE, TRACE

SECONDS = 5.0
GIBIBYTE = 2**30


@pytest.mark.parametrize("make", HOSTILE, ids=lambda make: str(make.__name__))
def test_a_hostile_file_is_refused(tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "inner" / "g.pth"
    path.parent.mkdir()
    make(path)
    before = sorted(tmp_path.rglob("*"))
    start, peak = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ArtifactError) as refusal:
        read_tensors(path)
    assert time.perf_counter() - start < SECONDS
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak) * 1024 < GIBIBYTE
    assert len(str(refusal.value)) < 1000
    assert sorted(tmp_path.rglob("*")) == before
    assert not list(tmp_path.rglob(TRACE))
