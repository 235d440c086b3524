"""Graphs that end the process that loads them."""

from __future__ import annotations

import signal

import pytest

from dcgan_edge.errors import EdgeError
from dcgan_edge.export.onnx import trial


def test_a_file_that_is_refused_in_words_is_left_to_the_next_who_loads_it() -> None:
    trial.try_to_load(b"no graph at all", "it.onnx")


def test_a_death_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "CHILD", f"import os; os.kill(os.getpid(), {signal.SIGSEGV:d})")
    with pytest.raises(EdgeError, match="SIGSEGV"):
        trial.try_to_load(b"", "it.onnx")


def test_a_load_without_an_end_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "CHILD", "import time; time.sleep(60)")
    monkeypatch.setattr(trial, "SECONDS", 0.1)
    with pytest.raises(EdgeError):
        trial.try_to_load(b"", "it.onnx")
