"""A program from its start to its end: how long it takes, and the most memory that it holds."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dcgan_edge.errors import EdgeError
from dcgan_edge.runtime.bench.intervals import Estimate, estimate

ROOT = Path(__file__).parent.parent
# A small process starts the program: Linux counts what a process held before exec, a copy of its parent, too.
LAUNCHER = """
import os, sys, time
nothing = os.open(os.devnull, os.O_WRONLY)
begun = time.perf_counter()
quiet = [(os.POSIX_SPAWN_DUP2, nothing, 1), (os.POSIX_SPAWN_DUP2, nothing, 2)]
child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=quiet)
_, status, usage = os.wait4(child, 0)
print(time.perf_counter() - begun, usage.ru_maxrss, os.waitstatus_to_exitcode(status))
"""


@dataclass(frozen=True)
class Run:
    """One run of a program: seconds by the clock, and its largest resident memory in MiB."""

    seconds: float
    mib: float


def run(words: Sequence[str]) -> Run:
    """Run Python with `words`, its output thrown away. Raises EdgeError when it fails.

    Compiled modules are kept, as where a package is installed, whatever this environment says.
    """
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPATH"] = str(ROOT)
    answer = subprocess.run(
        [sys.executable, "-S", "-c", LAUNCHER, sys.executable, *words],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, text=True, check=True,
    )  # fmt: skip
    seconds, kib, code = answer.stdout.split()
    if code != "0":
        raise EdgeError(f"`python {' '.join(words)[:200]}` ended with exit code {code}.")
    return Run(float(seconds), int(kib) / 1024)


def alternating(programs: Mapping[str, Sequence[str]], rounds: int) -> dict[str, list[Run]]:
    """Run each of `programs` once to warm the disk, then all in each of `rounds`, in turning order."""
    for words in programs.values():
        run(words)
    taken: dict[str, list[Run]] = {name: [] for name in programs}
    names = list(programs)
    for number in range(rounds):
        for name in names if number % 2 else reversed(names):
            taken[name].append(run(programs[name]))
    return taken


def ratio(ours: Sequence[Run], theirs: Sequence[Run]) -> Estimate:
    """Return our time over theirs, from the runs of each round; the interval has no ends below 8 rounds."""
    return estimate([mine.seconds / other.seconds for mine, other in zip(ours, theirs, strict=True)])
