"""ssh, the system's own, as a subprocess: no password is ever asked for, and nothing that a board says is
unbounded. Keys, known hosts, jumps and the rest are as ~/.ssh/config has them.
"""

from __future__ import annotations

import contextlib
import math
import os
import selectors
import shlex
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

from dcgan_edge.errors import EdgeError, UnavailableError
from dcgan_edge.fleet.hosts import Host
from dcgan_edge.names import shown

LOST = 255  # what ssh exits with when the trouble is its own; `board` never does
ANSWER = 2**16  # bytes of an answer to a short question
LONGEST_LINE = 2000  # bytes
LOG_LIMIT = 4 * 2**20  # bytes of a host's log
LOOK_S = 0.2  # between two looks at whether to stop
LINGER_S = 1.0  # to read what is left when ssh has ended and somebody else holds its pipes
KEEP_ALIVE = ("-o", "ServerAliveInterval=15", "-o", "ServerAliveCountMax=4")
Take = Callable[[bytes], object]


class HostLost(EdgeError):
    """The connection could not be made, or was broken."""


class HostFailed(EdgeError):
    """The host answered, and what it was to do failed."""


class Stopped(Exception):
    """The whole run is to end."""


def ssh_program() -> str:
    """Return the path of ssh. Raises UnavailableError when the system has none."""
    found = shutil.which("ssh")
    if found is None:
        raise UnavailableError(
            "This needs ssh, which is not installed; on Debian: apt-get install openssh-client"
        )
    return found


def ssh_words(program: str, host: Host, connect_timeout_s: float) -> list[str]:
    """Return the command line of ssh to `host`, up to what is to be run there."""
    decided = {
        "BatchMode": "yes",
        "ConnectTimeout": str(math.ceil(connect_timeout_s)),
        "ControlMaster": "no",  # one that is there is used; none is left behind
        "ClearAllForwardings": "yes",
    }
    words = [program, "-T", "-a", "-x"]
    for option in (*(f"{name}={value}" for name, value in decided.items()), *host.ssh_options):
        words += ["-o", option]
    words += KEEP_ALIVE  # behind the user's: ssh takes the first
    if host.port is not None:
        words += ["-p", str(host.port)]
    if host.identity:
        words += ["-i", host.identity, "-o", "IdentitiesOnly=yes"]
    return [*words, "--", host.ssh]


class Log:
    """What one host says, line by line, in a file of bounded size; each line is given to `hear` as well."""

    def __init__(self, file: IO[str], hear: Callable[[str], object]) -> None:
        self._file, self._left, self._hear = file, LOG_LIMIT, hear

    def line(self, text: str) -> None:
        """Keep a line."""
        self._hear(text)
        if self._left > 0:
            self._left -= len(text) + 1
            self._file.write(f"{text}\n" if self._left > 0 else "(and so on)\n")
            self._file.flush()


class Lines:
    """Bytes as they come, as lines for a log; `last` is the last one that is not empty.

    What is not printable in them is escaped: terminals obey what they are shown.
    """

    def __init__(self, log: Log) -> None:
        self._log, self._rest, self.last = log, b"", ""

    def __call__(self, data: bytes) -> None:
        """Take the next bytes."""
        *whole, self._rest = (self._rest + data).replace(b"\r", b"\n").split(b"\n")
        if len(self._rest) > LONGEST_LINE:
            whole, self._rest = [*whole, self._rest], b""
        for line in whole:
            self._keep(line)

    def end(self) -> None:
        """Take the bytes after the last end of a line as a line."""
        self._keep(self._rest)

    def _keep(self, line: bytes) -> None:
        text = shown(line[:LONGEST_LINE].decode(errors="backslashreplace").strip(), longest=LONGEST_LINE)
        if text:
            self.last = text
            self._log.line(text)


class Connection:
    """Runs commands on one host, each by an ssh of its own, until `deadline` (of time.monotonic)."""

    def __init__(self, words: Sequence[str], log: Log, deadline: float, stop: threading.Event) -> None:
        self._words, self._log, self._deadline, self._stop = tuple(words), log, deadline, stop

    @property
    def left_s(self) -> float:
        """Return the seconds until the deadline, 1 at least."""
        return max(1.0, self._deadline - time.monotonic())

    def call(
        self,
        command: Sequence[str],
        take: Take | None = None,
        *,
        send: Path | bytes = b"",
        hold: bool = False,
        limit_s: float = math.inf,
    ) -> None:
        """Run the words of `command` there, with what `send` holds as standard input; give all that it writes
        to `take`, and line by line to the log where that is None.

        With `hold`, standard input stays open as long as this waits, and tells the other side that it does.

        Raises HostLost when ssh cannot connect or the connection breaks, HostFailed when the command fails or
        takes longer than `limit_s` or the deadline allows, Stopped when the whole run ends; each has ended
        the command's ssh.
        """
        lines, errors = Lines(self._log), Lines(self._log)
        end = min(self._deadline, time.monotonic() + limit_s)
        with _input(send) as source, self._started(command, subprocess.PIPE if hold else source) as process:
            late = not self._pump(process, take or lines, errors, end)
        for each in (lines, errors):
            each.end()
        code = process.returncode
        if late:
            raise HostFailed("it did not end within the time that it had")
        if code == LOST or code < 0:
            raise HostLost(errors.last or "the connection broke")
        if code:
            said = lines.last or errors.last or f"it ended with code {code}"
            raise HostFailed(said.removeprefix("Error: "))

    @contextlib.contextmanager
    def _started(self, command: Sequence[str], source: int | IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
        """ssh as a process, which has ended when this is left; it hears no Ctrl-C and has no terminal."""
        try:
            process = subprocess.Popen(
                [*self._words, shlex.join(command)],
                stdin=source, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise HostFailed(f"ssh cannot be run: {error.strerror or error}") from error
        try:
            yield process
        finally:
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe is not None:
                    pipe.close()
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(LINGER_S)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()

    def _pump(self, process: subprocess.Popen[bytes], take: Take, errors: Take, end: float) -> bool:
        """Read what `process` writes until it has ended; return whether it has by `end`."""
        last = math.inf
        with selectors.DefaultSelector() as selector:
            for pipe, sink in ((process.stdout, take), (process.stderr, errors)):
                assert pipe is not None
                selector.register(pipe, selectors.EVENT_READ, sink)
            while True:
                if self._stop.is_set():
                    raise Stopped
                now = time.monotonic()
                if process.poll() is not None:
                    last = min(last, now + LINGER_S)
                    if not selector.get_map() or now > last:
                        return True
                elif now > end:
                    return False
                if not selector.get_map():  # its pipes are closed, and it is about to end
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(LOOK_S)
                    continue
                for key, _ in selector.select(LOOK_S):
                    data = os.read(key.fd, ANSWER)
                    if data:
                        key.data(data)
                    else:
                        selector.unregister(key.fileobj)


@contextlib.contextmanager
def _input(send: Path | bytes) -> Iterator[IO[bytes]]:
    """A file that can be a process's standard input."""
    with contextlib.ExitStack() as stack:
        try:
            if isinstance(send, Path):
                file: IO[bytes] = stack.enter_context(open(send, "rb"))
            else:
                file = stack.enter_context(tempfile.TemporaryFile())
                file.write(send)
                file.seek(0)
        except OSError as error:
            raise EdgeError(f"Cannot read what is to be sent: {error.strerror or error}.") from error
        yield file
