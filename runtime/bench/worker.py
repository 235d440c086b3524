"""A process of its own for one session, which runs functions on it and sends their values back."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any

from dcgan_edge.errors import EdgeError

from ..parity import verification_words
from ..session import Session

Opener = Callable[[], Session]
ENDING_S = 5.0  # how long a worker may take to end when asked to


class Worker:
    """An open session in another process. `call(f, *args)` returns the value of `f(session, *args)` there."""

    def __init__(self, name: str, opener: Opener) -> None:
        """Start the process and open the session in it; `load_s` is how long that took, in seconds.

        Raises EdgeErrors that `opener` raises.
        """
        self.name = name
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, opener), daemon=True)
        self._process.start()
        theirs.close()
        try:
            self.load_s, self.facts, self.sha256, self.precision, self.verification = self._receive()
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """Return the number of the process."""
        assert self._process.pid is not None  # it was started
        return self._process.pid

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Return the value of `function(session, *arguments)` in the process of the session.

        Raises what it raises if that is an EdgeError, and EdgeError when memory runs out or the process dies.
        """
        try:
            self._pipe.send((function, arguments))
        except OSError as error:
            raise self._died() from error
        return self._receive()

    def close(self) -> None:
        """Close the session and end its process, by force if it does not end by itself."""
        with contextlib.suppress(OSError):
            self._pipe.send(None)
        self._process.join(ENDING_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._pipe.close()

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _receive(self) -> Any:
        try:
            value = self._pipe.recv()
        except (EOFError, OSError) as error:
            raise self._died() from error
        if isinstance(value, EdgeError):
            raise value
        return value

    def _died(self) -> EdgeError:
        self._process.join(ENDING_S)
        code = self._process.exitcode
        reason = f"signal {signal.Signals(-code).name}" if code and code < 0 else f"exit code {code}"
        return EdgeError(f"The process that ran {self.name} ended with {reason}; was there enough memory?")


def _serve(pipe: Connection, opener: Opener) -> None:
    """Open the session, then make one call after the other until None or the end of the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then ends us
    try:
        begin = time.perf_counter()
        with opener() as session:
            load_s = time.perf_counter() - begin
            manifest = session.manifest
            facts = session.facts.to_dict()
            pipe.send((load_s, facts, manifest.sha256, manifest.precision, verification_words(session)))
            while (task := pipe.recv()) is not None:
                function, arguments = task
                pipe.send(function(session, *arguments))
    except EdgeError as error:
        pipe.send(error)
    except MemoryError:
        pipe.send(EdgeError("There is not enough memory for so many images; choose a smaller --batch."))
    except (EOFError, OSError):
        pass  # the parent is gone
