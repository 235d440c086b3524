"""Ctrl-C and SIGTERM at the end of a step instead of in the middle of it."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)  # Ctrl-C, and what docker, systemd and Slurm stop a program with


@contextlib.contextmanager
def deferred_interrupt() -> Iterator[Callable[[], bool]]:
    """Note the first Ctrl-C or SIGTERM within the block only; what is yielded tells whether one came.

    The second raises KeyboardInterrupt at once, for whoever cannot wait. Signals are the main thread's; in
    another thread nothing is deferred, and nothing arrives.
    """
    seen = False

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal seen
        if seen:
            raise KeyboardInterrupt
        seen = True

    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    with contextlib.ExitStack() as stack:
        for number in SIGNALS:
            stack.callback(signal.signal, number, signal.signal(number, note))
        yield lambda: seen
