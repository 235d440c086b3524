"""`python -m benchmarks.fleet_proof`: a fleet of two OpenSSH servers on loopback, one of which dies halfway.

A small generator is packed into a bundle, `dcgan-edge fleet run` sends it to both, installs it there and runs
a plan of six cells. When the second is at its third cell, its server and the processes of its sessions are
killed. The first must be complete, the other one row; what it was measuring must end by itself. Once its
server is up again, the same command must measure there what is missing, and nothing anywhere else.
Exit code 3 when anything of that is not so.

It needs sshd (openssh-server), and a registry that pip reaches for the wheels of the bundle, unless
--no-bundle leaves them out; then both use the Python that runs this.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from benchmarks.command import errors_said
from benchmarks.sshd import Sshd, sshd_program
from dcgan_edge.errors import EdgeError, UnavailableError, VerificationError
from dcgan_edge.runtime.bench.record import read_report

ROOT = Path(__file__).parent.parent
PLAN = """\
artifacts = ["out/generator.fp32.onnx"]
batches = [1, 4, 16]
streams = [1, 2]
duration = 0.5
max-time = 1
"""
CELLS = 6
DIES_AT = "measuring cell 3 of 6"
END_S = 45.0  # until what is left of a session has to be gone


@dataclass(frozen=True)
class Ran:
    """What a run of the command came to, and how long it took in seconds."""

    code: int
    document: dict[str, Any]
    seconds: float

    def row(self, name: str) -> dict[str, Any]:
        """Return the row of a host."""
        found: dict[str, Any] = next(row for row in self.document["hosts"] if row["name"] == name)
        return found


@click.command()
@click.option("--bundle/--no-bundle", default=True, show_default=True, help="Install from a bundle.")
@errors_said()
def main(bundle: bool) -> None:
    """Measure on two servers, kill one, and go on."""
    program = sshd_program()
    if program is None:
        raise UnavailableError("This needs sshd, which is not installed: apt-get install openssh-server")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        make_ready(folder, bundle)
        servers = {name: Sshd(folder / name, program) for name in ("board-a", "board-b")}
        write_hosts(folder, servers, bundle)
        try:
            for server in servers.values():
                server.start()
            prove(folder, servers)
        finally:
            for server in servers.values():
                server.kill()


def make_ready(folder: Path, bundle: bool) -> None:
    """Train a generator of width 8 for a moment, export it, and pack it."""
    from dcgan_edge.export.pipeline import export
    from dcgan_edge.packaging.bundle import write_bundle
    from dcgan_edge.training.request import train

    say("training and exporting a generator of width 8")
    train("digits", folder / "run", width=8, epochs=1, device="cpu")
    artifacts = export(folder / "run" / "checkpoint.safetensors", folder / "out", precisions=("fp32",))
    (folder / "plan.toml").write_text(PLAN)
    if bundle:
        made = write_bundle([artifacts[0].path], folder / "bundle.tar.gz", progress=say)
        say(f"bundle.tar.gz has {made.size:,} bytes, {len(made.wheels)} wheels")


def write_hosts(folder: Path, servers: dict[str, Sshd], bundle: bool) -> None:
    """Write hosts.toml. Both servers have one home folder, so each is given a folder of its own."""
    lines = ['bundle = "bundle.tar.gz"'] if bundle else []
    environment = {"OMP_NUM_THREADS": "1"} | ({} if bundle else {"PYTHONPATH": str(ROOT)})
    lines += [f'python = "{sys.executable}"']
    lines += ["environment = {" + ", ".join(f'{name} = "{text}"' for name, text in environment.items()) + "}"]
    for name, server in servers.items():
        lines += [f"[hosts.{name}]", f'folder = "{folder}/there"', server.toml]
    (folder / "hosts.toml").write_text("\n".join(lines))


def prove(folder: Path, servers: dict[str, Sshd]) -> None:
    """Run the fleet twice, with a death in the first run. Raises VerificationError for what is not so."""
    dying = servers["board-b"]

    def die() -> None:
        time.sleep(0.3)  # into the cell
        say(f"killed: sshd of board-b and {dying.kill()} processes of its sessions")

    first = run(folder, {DIES_AT: die})
    a, b = first.row("board-a"), first.row("board-b")
    record = folder / "fleet" / "records" / "board-a.json"
    check(first.code == 5, "exit code 5")
    check(a["status"] == "done" and cells(record) == CELLS, "board-a is complete")
    check(b["status"] == "unreachable" and b["cells"] >= 2 and b["record"] is None, "board-b is one row")
    before = record.read_bytes()
    kept = wait_for_end(folder)
    check(2 <= kept < CELLS, f"board-b keeps {kept} of {CELLS} cells, and nothing runs on there")
    dying.start()
    second = run(folder, {})
    log = (folder / "fleet" / "logs" / "board-b.log").read_text()
    check(second.code == 0, "exit code 0")
    check(second.row("board-a")["was_here"] and record.read_bytes() == before, "board-a was not asked again")
    check(f"cell {kept + 1} of {CELLS}" in log, f"board-b went on with cell {kept + 1}")
    check(f"cell {kept} of {CELLS}" not in log, "and measured none again")
    check(cells(folder / "fleet" / "records" / "board-b.json") == CELLS, "board-b is complete")
    check((folder / "fleet.html").stat().st_size > 0, "the page is there")


def run(folder: Path, events: dict[str, Any]) -> Ran:
    """Run the command, print what it says, and do what `events` have for a line of board-b when it comes."""
    words = ["hosts.toml", "--plan", "plan.toml", "--out", "fleet", "--report", "fleet.html", "--json"]
    say(f"$ dcgan-edge fleet run {' '.join(words)}")
    begun = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "dcgan_edge", "fleet", "run", *words], cwd=folder, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    answer: list[str] = []
    reader = threading.Thread(target=lambda: answer.append(process.stdout.read()))  # type: ignore[union-attr]
    reader.start()
    for line in process.stderr:
        say(f"  {line.rstrip()}")
        for text in [text for text in events if line.startswith(f"board-b: {text}")]:
            events.pop(text)()
    code = process.wait()
    reader.join()
    found = Ran(code, json.loads(answer[0]), time.monotonic() - begun)
    for row in found.document["hosts"]:
        spent = "earlier" if row["was_here"] else f"{row['seconds']} s"
        say(f"  {row['name']}  {row['status']}  {row['cells']} of {row['of']}  {spent}  {row['reason']}")
    say(f"  exit code {code}, {found.seconds:.0f} s")
    return found


def wait_for_end(folder: Path) -> int:
    """Wait until nothing of the broken session runs any more, and return how many cells it has left."""
    there = folder / "there" / "board-b"
    end = time.monotonic() + END_S
    with open(there / "lock", "a") as lock:
        while time.monotonic() < end:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the benchmark itself holds it
                (record,) = there.glob("*/record-*.json")
                return cells(record)
            time.sleep(0.2)
    raise VerificationError(f"Something still runs on board-b after {END_S:.0f} s.")


def cells(record: Path) -> int:
    """Return how many cells a record has. Raises EdgeError when it is not whole."""
    report = read_report(record)
    if len(report.plan["done"]) != len(report.measurements):
        raise EdgeError(f"{record.name} has cells without a measurement.")
    return len(report.measurements)


def check(holds: bool, what: str) -> None:
    """Say what was found to hold. Raises VerificationError where it does not."""
    if not holds:
        raise VerificationError(f"It does not hold that {what}.")
    say(f"holds: {what}")


def say(what: str) -> None:
    """Print a line at once."""
    click.echo(what)


if __name__ == "__main__":
    main()
