"""SIGTERM ends the program as Ctrl-C does, with an exit code of its own, and nothing half-written stays."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from dcgan_edge.cli import main
from dcgan_edge.signals import Terminated, interrupted_by_sigterm


@pytest.fixture(autouse=True)
def _interrupted_by_ctrl_c() -> Iterator[None]:
    """Have Ctrl-C interrupt, which Python leaves alone where a shell started it in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_program_that_is_stopped_while_it_writes_leaves_nothing(
    number: signal.Signals, code: int, exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One image is written by the main thread, which is the one that signals interrupt."""
    found: list[str] = []

    def stopped(descriptor: int) -> None:
        found.extend(file.suffix for file in tmp_path.iterdir())
        signal.raise_signal(number)

    monkeypatch.setattr(os, "fsync", stopped)
    words = ["sample", str(exported / "generator.fp32.onnx"), "--seeds", "0", "--out", str(tmp_path)]
    result = CliRunner().invoke(main, words)
    assert found == [".tmp"]
    assert result.exit_code == code, result.stderr
    assert list(tmp_path.iterdir()) == []
    assert "Traceback" not in result.stderr


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="signals of a thread")
def test_images_that_other_threads_are_writing_are_finished_and_no_more_is_begun(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = threading.get_ident()
    files: set[int] = set()

    def stopping(descriptor: int) -> None:
        if not files:
            signal.pthread_kill(ours, signal.SIGTERM)
        files.add(descriptor)

    monkeypatch.setattr(os, "fsync", stopping)
    words = ["sample", str(exported / "generator.fp32.onnx"), "--seeds", "0-999", "--out", str(tmp_path)]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 143, result.stderr
    written = list(tmp_path.iterdir())
    assert 0 < len(written) < 1000
    for path in written:
        with Image.open(path) as image:
            image.load()


def test_sigterm_raises_within_the_block_only() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Terminated), interrupted_by_sigterm():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before


def test_in_another_thread_nothing_changes() -> None:
    before = signal.getsignal(signal.SIGTERM)
    found: list[object] = []

    def work() -> None:
        with interrupted_by_sigterm():
            found.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [before]
