"""In ssh's place in tests: it is no more obliging than the real one.

It takes the options that this program gives, joins the words of the command with blanks and has `sh` run
them, in another home folder, with the few variables that sshd sets. FLEET_TEST_WORLD has a folder for each
destination; files in it say what is the matter with the host:

    down        nobody answers
    greeting    what a login shell prints before the command does
    dies-at     the connection breaks when this is written, and the host is down from then on

Every command is noted in the file `commands`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def main(words: list[str]) -> int:
    """Behave as `ssh words...` does, and return what it exits with."""
    options, destination, command = parsed(words)
    host = Path(os.environ["FLEET_TEST_WORLD"]) / destination
    if not host.is_dir() or (host / "down").exists():
        print(f"ssh: connect to host {destination} port 22: Connection refused", file=sys.stderr)
        return 255
    if "BatchMode=yes" not in options:
        print("it waits for a password", file=sys.stderr)
        return 255
    with open(host / "commands", "a") as notes:
        notes.write(f"{command}\n")
    if (host / "greeting").exists():
        os.write(1, (host / "greeting").read_bytes())
    home = host / "home"
    settings = {"HOME": str(home), "PATH": "/usr/bin:/bin", "SHELL": "/bin/sh", "USER": "u", "LOGNAME": "u"}
    if (host / "dies-at").exists():
        return dying(command, home, settings, host)
    return subprocess.run(["sh", "-c", command], cwd=home, env=settings).returncode


def parsed(words: list[str]) -> tuple[list[str], str, str]:
    """The values of -o, the destination and the command."""
    options, left = [], list(words)
    while left and left[0] != "--":
        word = left.pop(0)
        if word in ("-o", "-p", "-i"):
            options.append(left.pop(0))
        elif word not in ("-T", "-a", "-x"):
            raise SystemExit(f"unknown option {word}")
    return options, left[1], " ".join(left[2:])


def dying(command: str, home: Path, settings: dict[str, str], host: Path) -> int:
    """Pass on what the command writes until the word comes at which the connection breaks."""
    word = (host / "dies-at").read_bytes().strip()
    reader, writer = os.pipe()
    process = subprocess.Popen(
        ["sh", "-c", command], cwd=home, env=settings, stdin=reader, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )  # fmt: skip
    os.close(reader)
    if " bench " not in command:  # the input ends by itself
        while data := os.read(0, 65536):
            os.write(writer, data)
        os.close(writer)
    assert process.stdout is not None
    for line in process.stdout:
        os.write(1, line)
        if word in line:
            (host / "dies-at").unlink()
            (host / "down").touch()
            print(f"Connection to {host.name} closed by remote host.", file=sys.stderr)
            return 255  # and with it the pipes: what runs there is told by nothing else
    return process.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
