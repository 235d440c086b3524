"""A connection: what the other side says is bounded and harmless, and words arrive as they were sent."""

from __future__ import annotations

import io
import math
import os
import signal
import sys
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcgan_edge.fleet import connection
from dcgan_edge.fleet.connection import LONGEST_LINE, Connection, HostFailed, HostLost, Lines, Log, Stopped

SH = ["sh", "-c"]  # as a login shell behind ssh does with the one word that it gets


def connected(log: io.StringIO | None = None, seconds: float = 60.0) -> Connection:
    return Connection(
        SH, Log(log or io.StringIO(), lambda line: None), time.monotonic() + seconds, threading.Event()
    )


@settings(max_examples=20)
@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), max_size=4))
def test_words_arrive_as_they_were_sent(words: list[str]) -> None:
    answer = bytearray()
    connected().call(["printf", "%s|", "", *words], answer.extend)
    assert answer.decode() == "".join(f"{word}|" for word in ["", *words])


def test_what_ssh_itself_says_is_the_reason_of_a_loss_and_what_the_board_says_of_a_failure() -> None:
    said = "echo from the board; echo from ssh >&2; exit "
    with pytest.raises(HostLost, match="from ssh"):
        connected().call(["sh", "-c", f"{said}255"])
    with pytest.raises(HostFailed, match="from the board"):
        connected().call(["sh", "-c", f"{said}3"])
    with pytest.raises(HostFailed, match="code 3"):
        connected().call(["sh", "-c", "exit 3"])
    with pytest.raises(HostLost):
        connected().call(["exec", "sh", "-c", "kill -9 $$"])


def test_what_does_not_end_is_ended() -> None:
    begun = time.monotonic()
    with pytest.raises(HostFailed, match="time"):
        connected().call(["exec", "sleep", "60"], limit_s=0.1)
    stopped = threading.Event()
    stopped.set()
    with pytest.raises(Stopped):
        Connection(SH, Log(io.StringIO(), lambda line: None), math.inf, stopped).call(["exec", "sleep", "60"])
    assert time.monotonic() - begun < 30  # a tenth of a second, and not the minute of `sleep`


def test_pipes_that_another_process_keeps_open_are_not_waited_for() -> None:
    begun, kept = time.monotonic(), io.StringIO()
    connected(kept).call(["sh", "-c", "sleep 60 & echo $!"])
    os.kill(int(kept.getvalue()), signal.SIGKILL)
    assert time.monotonic() - begun < 30  # a second, and not the minute of `sleep`


def test_with_hold_standard_input_is_open_for_as_long_as_it_is_waited() -> None:
    code = "import select, sys; sys.exit(bool(select.select([0], [], [], 0.3)[0]))"
    connected().call([sys.executable, "-S", "-c", code], hold=True)
    with pytest.raises(HostFailed):
        connected().call([sys.executable, "-S", "-c", code])


def test_an_endless_log_ends_and_no_escape_sequence_gets_into_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "LOG_LIMIT", 3000)
    kept = io.StringIO()
    lines = Lines(Log(kept, lambda line: None))
    lines(b"\x1b[2J\xff\xe2\x80\xae and so on\r\n\n")
    assert kept.getvalue() == "\\x1b[2J\\xff\\u202e and so on\n"
    for _ in range(1000):
        lines(b"x" * 5000)
    assert len(kept.getvalue()) < 3000 + LONGEST_LINE
    assert len(lines.last) <= LONGEST_LINE


@given(st.lists(st.binary(max_size=20)))
def test_lines_are_the_same_however_the_bytes_come(pieces: list[bytes]) -> None:
    heard: list[list[str]] = [[], []]
    for into, parts in zip(heard, (pieces, [b"".join(pieces)]), strict=True):
        lines = Lines(Log(io.StringIO(), into.append))
        for part in parts:
            lines(part)
        lines.end()
    assert heard[0] == heard[1]
    assert all(line.isprintable() for line in heard[0])
