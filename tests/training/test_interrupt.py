"""Ctrl-C or SIGTERM is noted first and obeyed at once when it comes again."""

from __future__ import annotations

import signal
import threading

import pytest

from dcgan_edge.training.interrupt import deferred_interrupt


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_is_noted_and_the_second_raises(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with deferred_interrupt() as seen:
        assert not seen()
        signal.raise_signal(number)
        assert seen()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
    assert signal.getsignal(number) is before


def test_other_threads_have_no_signals_to_defer() -> None:
    answers: list[bool] = []

    def work() -> None:
        with deferred_interrupt() as seen:
            answers.append(seen())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert answers == [False]
