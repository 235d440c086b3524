"""Ctrl-C and SIGTERM at the end of a step instead of in the middle of it."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType

SAME_INTERRUPT = 10.0  # seconds; torchrun passes on the Ctrl-C that its processes have had from the terminal
SIGNALS = (signal.SIGINT, signal.SIGTERM)  # Ctrl-C, and what docker, systemd and Slurm stop a program with


@contextlib.contextmanager
def deferred_interrupt(same_for: float = 0.0) -> Iterator[Callable[[], bool]]:
    """Note the first Ctrl-C or SIGTERM within the block only; what is yielded tells whether one came.

    The second raises KeyboardInterrupt at once, for whoever cannot wait, but not within `same_for` seconds of
    the first. Signals are the main thread's; in
    another thread nothing is deferred, and nothing arrives.
    """
    seen: float | None = None

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal seen
        now = time.monotonic()
        if seen is not None and now - seen >= same_for:
            raise KeyboardInterrupt
        seen = now if seen is None else seen

    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    with contextlib.ExitStack() as stack:
        for number in SIGNALS:
            stack.callback(signal.signal, number, signal.signal(number, note))
        yield lambda: seen is not None
