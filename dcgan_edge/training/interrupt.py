"""Ctrl-C and SIGTERM at the end of a step instead of in the middle of it."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType

from dcgan_edge.signals import Terminated

SAME_INTERRUPT = 10.0  # seconds; torchrun passes on the Ctrl-C that its processes have had from the terminal
RAISED = {signal.SIGINT: KeyboardInterrupt, signal.SIGTERM: Terminated}


@contextlib.contextmanager
def deferred_interrupt(same_for: float = 0.0) -> Iterator[Callable[[], type[KeyboardInterrupt] | None]]:
    """Note the first Ctrl-C or SIGTERM within the block only; what is yielded returns what to raise for it,
    None while none came.

    The second raises KeyboardInterrupt (Terminated, its subclass, for SIGTERM) at once, for whoever cannot
    wait, but not within `same_for` seconds of the first. Signals are the main thread's; in another thread
    nothing is deferred, and nothing arrives.
    """
    first: tuple[type[KeyboardInterrupt], float] | None = None

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal first
        raised, now = RAISED[signal.Signals(number)], time.monotonic()
        if first is not None and now - first[1] >= same_for:
            raise raised
        first = first or (raised, now)

    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    with contextlib.ExitStack() as stack:
        for number in RAISED:
            stack.callback(signal.signal, number, signal.signal(number, note))
        yield lambda: first and first[0]
