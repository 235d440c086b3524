"""One host from the first question to its record: whatever it has already is not sent or measured again."""

from __future__ import annotations

import contextlib
import re
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dcgan_edge.errors import EdgeError
from dcgan_edge.files import sha256, write_atomic
from dcgan_edge.fleet import board
from dcgan_edge.fleet.connection import ANSWER, Connection, HostFailed, HostLost, Log, ssh_words
from dcgan_edge.fleet.hosts import Host
from dcgan_edge.fleet.outcome import HostRow, Status
from dcgan_edge.fleet.payload import KEY, Payload, finished_record
from dcgan_edge.schema import JSON_LIMIT, build, read_json
from dcgan_edge.words import size_words

ANSWER_S = 60.0  # for a short question, once it is connected
GRACE_S = board.END_S + 10.0  # after what the board was told, until it is given up
CELL = re.compile(r"cell ([0-9]{1,6}) of [0-9]{1,6}: .{1,100}")
FIRST = (  # sh: its folder, this program's name in it, the Python, the questions
    'umask 077; mkdir -p "$1" && cat >"$1/$2.part" && mv "$1/$2.part" "$1/$2" && '
    'p=$3 && f=$1/$2 && shift 3 && exec "$p" "$f" state "$@"'
)


@dataclass(frozen=True)
class BoardState:
    """What a board has of a payload already, and how many cells of its plan are measured."""

    unpacked: bool
    installed: bool
    planned: bool
    done: int


@dataclass(frozen=True)
class Errand:
    """What is wanted of one host: its record, to be put at `record`; what is said goes to `log`."""

    name: str
    host: Host
    payload: Payload
    record: Path
    log: Path
    program: str
    connect_timeout_s: float
    timeout_s: float


def visit(errand: Errand, say: Callable[[str], None], stop: threading.Event) -> HostRow:
    """Have the plan of `errand` run on its host, fetch the record, and return the row. `say` is told what is
    being done. A host that fails or is lost is a row, too.

    Raises Stopped, with nothing left running here, when `stop` is set.
    """
    begun = time.monotonic()
    visitor = _Visitor(errand, say, stop)
    status: Status = "done"
    reason = ""
    try:
        with _log(errand.log, visitor.hear) as log:
            visitor.fetch(log)
    except HostLost as error:
        status, reason = "unreachable", f"{visitor.stage}: {error}"
    except EdgeError as error:
        status, reason = "failed", f"{visitor.stage}: {error}"
    say(f"{status}, {reason}" if reason else status)
    record = None if reason else errand.record
    cells = len(errand.payload.cells)
    return HostRow(
        errand.name, status, reason, cells if record else visitor.cells, cells, record, False,
        round(time.monotonic() - begun, 1),
    )  # fmt: skip


class _Visitor:
    """The steps of a visit, with the one that it is at."""

    def __init__(self, errand: Errand, say: Callable[[str], None], stop: threading.Event) -> None:
        self.errand, self.say, self.stop = errand, say, stop
        self.stage, self.cells = "connecting", 0
        self.script = Path(board.__file__).read_bytes()
        self.script_name = f"board-{sha256(self.script)[:KEY]}.py"
        self.folder = f"{errand.host.folder.rstrip('/')}/{errand.name}"

    def fetch(self, log: Log) -> None:
        """Do all steps that are needed. Raises HostLost, HostFailed or another EdgeError."""
        errand, payload = self.errand, self.errand.payload
        words = ssh_words(errand.program, errand.host, errand.connect_timeout_s)
        deadline = time.monotonic() + errand.timeout_s
        ssh = Connection(words, log, deadline + GRACE_S, self.stop)
        self._at("connecting")
        state = self._state(ssh)
        self.cells = min(max(0, state.done), len(payload.cells))
        if not state.unpacked:
            self._at("copying", size_words(payload.archive.stat().st_size))
            ssh.call(self._command("unpack", payload.key, payload.sha256), send=payload.archive)
        if payload.installs and not state.installed:
            self._at("installing")
            ssh.call(self._command("install", payload.key, _left(deadline)), hold=True)
        if not state.planned:
            ssh.call(
                self._command("plan", payload.key, payload.plan_key),
                send=payload.plan.encode(),
                limit_s=ANSWER_S,
            )
        if self.cells < len(payload.cells):
            self._at("measuring")
            ssh.call(self._command("bench", payload.key, payload.plan_key, _left(deadline)), hold=True)
        self._at("collecting")
        self._record(ssh)

    def hear(self, line: str) -> None:
        """Follow what the benchmark says it is at."""
        match = CELL.fullmatch(line) if self.stage == "measuring" else None
        if match and int(match[1]) <= len(self.errand.payload.cells):
            self.cells = int(match[1]) - 1
            self.say(f"measuring {line}")

    def _at(self, stage: str, what: str = "") -> None:
        self.stage = stage
        self.say(f"{stage} {what}".rstrip())

    def _state(self, ssh: Connection) -> BoardState:
        """Put the board's program there, and ask it what it finds."""
        answer = bytearray()
        host, payload = self.errand.host, self.errand.payload
        words = [self.folder, self.script_name, host.python, payload.key, payload.plan_key]
        ssh.call(
            [*_environment(host), "sh", "-c", FIRST, "sh", *words],
            _bounded(answer.extend, ANSWER),
            send=self.script,
            limit_s=self.errand.connect_timeout_s + ANSWER_S,
        )
        try:
            facts = read_json(bytes(answer).partition(board.MARK.encode())[2], "its answer", limit=ANSWER)
            return build(BoardState, facts)
        except (EdgeError, ValueError) as error:
            raise HostFailed(f"its answer is not that of the program that was sent ({error})") from error

    def _record(self, ssh: Connection) -> None:
        """Fetch the record, and put it in its place if it is the one that was asked for."""
        payload = self.errand.payload
        command = self._command("record", payload.key, payload.plan_key)
        with tempfile.TemporaryFile() as file:
            ssh.call(command, _bounded(file.write, JSON_LIMIT))
            file.seek(0)
            data = file.read().partition(board.MARK.encode())[2]
        with tempfile.TemporaryDirectory() as folder:
            fetched = Path(folder) / self.errand.record.name
            fetched.write_bytes(data)
            finished_record(fetched, payload)
        write_atomic(self.errand.record, data)

    def _command(self, *words: str) -> list[str]:
        host = self.errand.host
        return [*_environment(host), host.python, f"{self.folder}/{self.script_name}", *words]


def _environment(host: Host) -> Sequence[str]:
    settings = [f"{name}={value}" for name, value in host.environment.items()]
    return ["env", *settings] if settings else []


def _left(deadline: float) -> str:
    """Seconds until `deadline`, for the board."""
    return f"{max(1.0, deadline - time.monotonic()):.0f}"


def _bounded(take: Callable[[bytes], object], limit: int) -> Callable[[bytes], None]:
    """Give bytes to `take`, up to `limit` of them; more raise HostFailed."""
    left = limit

    def bounded(data: bytes) -> None:
        nonlocal left
        left -= len(data)
        if left < 0:
            raise HostFailed(f"it sent more than {size_words(limit)}")
        take(data)

    return bounded


@contextlib.contextmanager
def _log(path: Path, hear: Callable[[str], None]) -> Iterator[Log]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = open(path, "w", encoding="utf-8")  # noqa: SIM115  # closed below
    except OSError as error:
        raise EdgeError(f"Cannot write {path}: {error.strerror or error}.") from error
    with file:
        yield Log(file, hear)
