"""The other side of `fleet run`: this file is copied to a board and run by the Python that is there.

    python3 board.py state|unpack|install|plan|bench|record KEY ...

It lies in the folder of its host, and everything else beside it, in a folder for each KEY (what was sent).
It stands alone: Python's standard library and `tar` are all that it needs, and it says on standard output
what it has to say. One run at a time works on a board (the file `lock`), and whatever runs lives no longer
than the connection: when standard input ends, it is stopped, and what it has measured stays.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, NoReturn

ROOT = "dcgan-edge-bundle"
MARK = "-- dcgan-edge --\n"  # before an answer; a login shell may have said something, too
INSTALLED = "installed"
LOCK_S = 40.0  # to wait for an earlier run, whose connection has just broken, to end
END_S = 30.0  # from SIGTERM to SIGKILL: a Jetson is put back into its power mode meanwhile
CHUNK = 1 << 20
LATE, BUSY = 124, 75  # exit codes, as `timeout` and sysexits.h have them


def main(words: list[str]) -> None:
    """Do what the first of `words` says with the rest, in the folder of this file."""
    os.chdir(Path(__file__).resolve().parent)
    commands: dict[str, Callable[..., None]] = {
        "state": state, "unpack": unpack, "install": install, "plan": plan, "bench": bench, "record": record,
    }  # fmt: skip
    command, key, *rest = words
    commands[command](Path(key), *rest)


def state(key: Path, plan_key: str) -> None:
    """Print as JSON what of it all is here, and how many cells of the plan are measured."""
    done = 0
    with contextlib.suppress(OSError, ValueError, LookupError, TypeError):
        done = len(json.loads(_record(key, plan_key).read_text())["plan"]["done"])
    found = {
        "unpacked": (key / ROOT).is_dir(),
        "installed": (key / INSTALLED).is_file(),
        "planned": _plan(key, plan_key).is_file(),
        "done": done,
    }
    print(MARK + json.dumps(found))


def unpack(key: Path, digest: str) -> None:
    """Unpack the archive on standard input, once all of it is here and has this SHA-256."""
    folder, archive = key / "incoming", key / "incoming.tar.gz"
    with locked():
        shutil.rmtree(folder, ignore_errors=True)
        try:
            folder.mkdir(parents=True)
            with open(archive, "wb") as file:
                if _copied(sys.stdin.buffer, file) != digest:
                    fail("What was sent did not arrive whole.")
            subprocess.run(["tar", "-xzf", str(archive), "-C", str(folder)], check=True)
            if not (key / ROOT).is_dir():
                (folder / ROOT).rename(key / ROOT)
        except (OSError, subprocess.CalledProcessError) as error:
            fail(f"Cannot unpack it here: {getattr(error, 'strerror', None) or error}.")
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            with contextlib.suppress(OSError):
                archive.unlink()


def install(key: Path, seconds: str) -> None:
    """Make the virtual environment of the unpacked bundle, with the Python that runs this."""
    with locked() as lock:
        shutil.rmtree(key / ROOT / "venv", ignore_errors=True)  # of one that was cut off
        os.environ["PYTHON"] = sys.executable
        supervise(["sh", "install.sh"], key / ROOT, float(seconds), lock)
        (key / INSTALLED).touch()


def plan(key: Path, plan_key: str) -> None:
    """Keep the plan on standard input, if it is the one that its key says."""
    text = sys.stdin.buffer.read()
    if not hashlib.sha256(text).hexdigest().startswith(plan_key):
        fail("The plan did not arrive whole.")
    part = _plan(key, plan_key + ".part")
    part.write_bytes(text)
    part.replace(_plan(key, plan_key))


def bench(key: Path, plan_key: str, seconds: str) -> None:
    """Run the plan, or what is missing of it, for `seconds` at most."""
    installed = f"{ROOT}/venv/bin/python"
    python = installed if (key / INSTALLED).is_file() else sys.executable
    files = "--plan", _plan(key, plan_key).name, "--output", _record(key, plan_key).name
    with locked() as lock:
        supervise([python, "-m", "dcgan_edge", "bench", *files], key, float(seconds), lock)


def record(key: Path, plan_key: str) -> None:
    """Send the record."""
    with open(_record(key, plan_key), "rb") as file:
        sys.stdout.buffer.write(MARK.encode())
        shutil.copyfileobj(file, sys.stdout.buffer)


@contextlib.contextmanager
def locked() -> Iterator[IO[str]]:
    """Hold the lock of this board, and give its file; exit with BUSY if another holds it for long."""
    with open("lock", "a") as file:
        end = time.monotonic() + LOCK_S
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if time.monotonic() > end:
                    fail("Another run of the fleet is at work on this board.", BUSY)
                time.sleep(0.2)
        yield file


def supervise(command: list[str], folder: Path, seconds: float, lock: IO[str]) -> None:
    """Run `command` in `folder`; stop it when standard input ends or `seconds` are over. Exit unless it
    succeeds. It holds the lock itself, so that one that outlives this program keeps others away.
    """
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, _leave)
    child = subprocess.Popen(
        command, cwd=folder, stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT, start_new_session=True,
        pass_fds=[lock.fileno()],
    )  # fmt: skip
    late = threading.Event()

    def stop() -> None:
        child.terminate()
        killing = threading.Timer(END_S, _kill, [child])
        killing.daemon = True
        killing.start()

    def expire() -> None:
        late.set()
        stop()

    def listen() -> None:
        while os.read(sys.stdin.fileno(), CHUNK):
            pass
        stop()

    clock = threading.Timer(seconds, expire)
    ear = threading.Thread(target=listen)
    clock.daemon = ear.daemon = True
    clock.start()
    ear.start()
    try:
        code = child.wait()  # in the kernel: nothing of this wakes up while the board is measured
    except SystemExit:
        stop()
        child.wait()
        raise
    finally:
        clock.cancel()
        _kill(child)  # and what it may have left behind
    if late.is_set():
        fail(f"It did not end within {seconds:.0f} s and was stopped; what it has measured is kept.", LATE)
    if code:
        sys.exit(code if 0 < code < 255 else 1)


def fail(why: str, code: int = 1) -> NoReturn:
    """Say why, and exit."""
    print(why)
    sys.exit(code)


def _kill(child: subprocess.Popen[bytes]) -> None:
    """End all of the session that `child` was started as."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)


def _leave(number: int, frame: object) -> None:
    sys.exit(128 + number)


def _copied(source: IO[bytes], target: IO[bytes]) -> str:
    """Copy all of `source`, and return its SHA-256."""
    digest = hashlib.sha256()
    while True:
        chunk = source.read(CHUNK)
        if not chunk:
            return digest.hexdigest()
        digest.update(chunk)
        target.write(chunk)


def _plan(key: Path, plan_key: str) -> Path:
    return key / f"plan-{plan_key}.toml"


def _record(key: Path, plan_key: str) -> Path:
    return key / f"record-{plan_key}.json"


if __name__ == "__main__":
    main(sys.argv[1:])
