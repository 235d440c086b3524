"""An OpenSSH server of one's own on a loopback port, all of it in one folder, for proofs and tests.

It runs as whoever starts it, lets in one key and asks for no password. As root it needs /run/sshd, which a
system that has started its own server once has.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

PRIVILEGED = Path("/run/sshd")
SETTINGS = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/user_key.pub
PidFile none
PasswordAuthentication no
KbdInteractiveAuthentication no
StrictModes no
UsePAM no
"""


def sshd_program() -> str | None:
    """Return the path of sshd, which is in no user's PATH; None where there is none."""
    return shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


class Sshd:
    """A server with everything in `folder`. It is started and killed as often as one likes, on one port."""

    def __init__(self, folder: Path, program: str) -> None:
        self.folder, self.program, self.port = folder, program, _free_port()
        self._server: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True)
        for name in ("host_key", "user_key"):
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
            subprocess.run(command, check=True)
        (folder / "sshd_config").write_text(SETTINGS.format(port=self.port, folder=folder))
        host_key = " ".join((folder / "host_key.pub").read_text().split()[:2])
        (folder / "known_hosts").write_text(f"[127.0.0.1]:{self.port} {host_key}\n")

    @property
    def toml(self) -> str:
        """Return how it is reached, as lines of hosts.toml."""
        return (
            f'ssh = "127.0.0.1"\nport = {self.port}\nidentity = "{self.folder}/user_key"\n'
            f'ssh-options = ["UserKnownHostsFile={self.folder}/known_hosts"]\n'
        )

    def start(self) -> None:
        """Start it, and wait until it answers."""
        if os.geteuid() == 0:
            PRIVILEGED.mkdir(mode=0o755, exist_ok=True)
        command = [self.program, "-D", "-E", str(self.folder / "log"), "-f", str(self.folder / "sshd_config")]
        self._server = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        for _ in range(100):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.1)
        raise RuntimeError(f"sshd does not answer: {(self.folder / 'log').read_text()}")

    def kill(self) -> int:
        """Kill it and the processes of its sessions, as a board dies; return how many sessions there were.

        What a session has started is left alone: nobody tells it but the end of its pipes.
        """
        if self._server is None:
            return 0
        sessions = list(_sessions(self._server.pid))
        for number in (self._server.pid, *sessions):
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        self._server.wait()
        self._server = None
        return len(sessions)


def _sessions(parent: int) -> Iterator[int]:
    """The processes below `parent` that are of sshd, too."""
    listed = subprocess.run(
        ["ps", "-e", "-o", "pid=,ppid=,comm="], capture_output=True, text=True, check=True
    )
    rows = [line.split(None, 2) for line in listed.stdout.splitlines()]
    below = [int(pid) for pid, above, name in rows if int(above) == parent and name.startswith("sshd")]
    for number in below:
        yield number
        yield from _sessions(number)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
