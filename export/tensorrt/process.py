"""Work in a process of its own, so that a builder that dies takes nothing with it but itself.

Compilers of kernels exhaust small devices and sometimes crash. The child volunteers as the first victim when
memory runs out, its log and progress come back through a pipe, and whatever ends it becomes one sentence.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, TypeVar

from dcgan_edge.errors import EdgeError

Job = TypeVar("Job")
Result = TypeVar("Result")
BuildProgress = Callable[[str, int, int], None]  # phase, steps done, steps in all
LOGGER = "dcgan_edge"  # everything below it is passed on to the parent
KEPT_LINES = 8  # of the child's log, for the sentence about its end
KILLED = 9  # signal.SIGKILL, which not every system names
WITHOUT_GUARD = "A script that builds engines needs its work under `if __name__ == '__main__':`."
GRACE = 5.0  # seconds for a process to leave after its pipe has closed


def run_in_child(
    work: Callable[[Job, BuildProgress], Result],
    job: Job,
    *,
    timeout: float,
    advice: str = "",
    progress: BuildProgress | None = None,
) -> Result:
    """Return `work(job, progress)`, computed in a spawned process; `work`, `job` and the result are pickled.

    The child begins by importing the parent's main script, and may end there. So it is handed the job when it
    asks for it: a job larger than the pipe of a process that is gone would be written for ever.

    Raises whatever EdgeError `work` raised. Raises EdgeError with `advice`, the next thing to try, when the
    process was killed, crashed, ran out of memory or took longer than `timeout` seconds.
    """
    context = multiprocessing.get_context("spawn")
    parent_end, child_end = context.Pipe()
    level = logging.getLogger(LOGGER).getEffectiveLevel()
    process = context.Process(target=_child, args=(child_end, level), daemon=True)
    process.start()
    child_end.close()  # only the child holds it now, so that its end is seen as the end of the pipe
    lines: deque[str] = deque(maxlen=KEPT_LINES)
    began = False
    try:
        for kind, content in _messages(parent_end, time.monotonic() + timeout):
            if kind == "ready":
                began = True
                with contextlib.suppress(ConnectionError):  # it died since: the next message is its end
                    parent_end.send((work, job))
            if kind == "result":
                result: Result = content
                return result
            if kind == "error":
                raise content
            if kind == "progress" and progress is not None:
                progress(*content)
            if kind == "log":
                name, severity, text = content
                lines.append(text)
                logging.getLogger(name).log(severity, "%s", text)
        process.join(GRACE)
        raise EdgeError(_obituary(process, lines, advice if began else WITHOUT_GUARD))
    except TimeoutError as error:
        raise EdgeError(f"The build was stopped after {timeout:g} s. {advice}".rstrip()) from error
    finally:
        process.kill()
        process.join()
        parent_end.close()


def _messages(connection: Connection, deadline: float) -> Iterator[tuple[str, Any]]:
    """What the child sends, until it is gone. Raises TimeoutError at `deadline`."""
    with contextlib.suppress(EOFError, ConnectionError):
        while connection.poll(max(0.0, deadline - time.monotonic())):
            yield connection.recv()
        raise TimeoutError


def _obituary(process: BaseProcess, lines: deque[str], advice: str) -> str:
    """What ended a process that sent neither a result nor an error."""
    code = process.exitcode
    if code is None:
        reason = "stopped talking"
    elif code == -KILLED:
        reason = "was killed, most likely because memory ran out"
    elif code < 0:
        reason = f"crashed ({signal.Signals(-code).name})"
    else:
        reason = f"ended with exit code {code}"
    said = f" Its last words: {' | '.join(lines)}" if lines else ""
    return f"The build process {reason}.{said} {advice}".rstrip()


def _child(connection: Connection, level: int) -> None:
    """Live as the child: ask for the work, do it, and say everything through `connection`."""
    os.dup2(2, 1)  # native code that prints must not spoil the parent's stdout
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which ends this process
    _volunteer_for_the_oom_killer()
    lock = threading.Lock()  # compilers log from several threads

    def send(kind: str, content: Any) -> None:
        with lock:
            connection.send((kind, content))

    logger = logging.getLogger(LOGGER)
    logger.setLevel(min(level, logging.INFO))
    logger.propagate = False
    logger.addHandler(_SendingHandler(send))
    send("ready", None)
    work, job = connection.recv()
    try:
        send("result", work(job, lambda phase, done, total: send("progress", (phase, done, total))))
    except EdgeError as error:
        send("error", error)
    except MemoryError:
        os.kill(os.getpid(), KILLED)  # the same end, and the same sentence, as by the kernel's hand


class _SendingHandler(logging.Handler):
    def __init__(self, send: Callable[[str, Any], None]) -> None:
        super().__init__()
        self._send = send

    def emit(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(OSError):  # the parent is gone, and kills this process
            self._send("log", (record.name, record.levelno, record.getMessage()))


def _volunteer_for_the_oom_killer() -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
