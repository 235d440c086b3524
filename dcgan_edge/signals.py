"""SIGTERM, with which docker, systemd and Slurm stop a program, made to end it as Ctrl-C does: cleanly."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


class Terminated(KeyboardInterrupt):
    """What SIGTERM raises: whatever cleans up after Ctrl-C cleans up after it, too."""


@contextlib.contextmanager
def interrupted_by_sigterm() -> Iterator[None]:
    """Raise Terminated at SIGTERM in the block; signals are the main thread's, in others nothing changes."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, raise_terminated)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def raise_terminated(number: int, frame: FrameType | None) -> None:
    """Raise Terminated: a handler for `signal.signal`."""
    raise Terminated
