"""Ctrl-C or SIGTERM is noted first and obeyed at once when it comes again."""

from __future__ import annotations

import signal
import threading

import pytest

from dcgan_edge.signals import Terminated
from dcgan_edge.training.interrupt import deferred_interrupt


@pytest.mark.parametrize(
    ("number", "raised"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated)]
)
def test_the_first_is_noted_and_the_second_raises(
    number: signal.Signals, raised: type[KeyboardInterrupt]
) -> None:
    before = signal.getsignal(number)
    with deferred_interrupt() as seen:
        assert seen() is None
        signal.raise_signal(number)
        assert seen() is raised
        with pytest.raises(raised):
            signal.raise_signal(number)
    assert signal.getsignal(number) is before


def test_other_threads_have_no_signals_to_defer() -> None:
    answers: list[type[KeyboardInterrupt] | None] = []

    def work() -> None:
        with deferred_interrupt() as seen:
            answers.append(seen())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert answers == [None]
