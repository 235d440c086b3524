"""Ctrl-C is noted first and obeyed at once when it comes again."""

from __future__ import annotations

import signal
import threading

import pytest

from dcgan_edge.training.interrupt import deferred_interrupt


def test_the_first_is_noted_and_the_second_raises() -> None:
    before = signal.getsignal(signal.SIGINT)
    with deferred_interrupt() as seen:
        assert not seen()
        signal.raise_signal(signal.SIGINT)
        assert seen()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_other_threads_have_no_signals_to_defer() -> None:
    answers: list[bool] = []

    def work() -> None:
        with deferred_interrupt() as seen:
            answers.append(seen())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert answers == [False]
