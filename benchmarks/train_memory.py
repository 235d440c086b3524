"""`python -m benchmarks.train_memory --minutes 30`: does a training take more and more memory?

Starts `dcgan-edge train` in a process of its own, reads its resident memory from /proc once a second, and
prints the slope of a straight line through it once it has settled, with its 95 % interval. Neighbouring
readings are alike, so the interval is taken from the means of BLOCKS stretches. Everything that a long run
does is done often: grids, checkpoints, evaluations. Exit code 4 when the slope is above --most.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np

from benchmarks.command import errors_said
from dcgan_edge.errors import BenchmarkError, EdgeError

BLOCKS = 12
STUDENT_95 = 2.228  # quantile of Student's t with BLOCKS - 2 degrees of freedom that leaves 2.5 % above it
SETTLED = 0.2  # of the run; before, libraries load and allocators grow
PAGE = 4  # KiB
INTERVAL_S = 1.0
OFTEN = ("--grid-every", "100", "--keep", "3", "--eval-every", "500")


@dataclass(frozen=True)
class Slope:
    """Memory in MiB, and how it changes in KiB per minute: the slope and half its 95 % interval."""

    first_mib: float
    last_mib: float
    peak_mib: float
    slope: float
    half: float

    def __str__(self) -> str:
        return (
            f"resident memory {self.first_mib:,.1f} MiB after settling, {self.last_mib:,.1f} MiB at the end, "
            f"{self.peak_mib:,.1f} MiB at most; slope {self.slope:+,.1f} KiB per minute "
            f"(95 % interval {self.slope - self.half:+,.1f} to {self.slope + self.half:+,.1f})"
        )


@click.command(context_settings={"ignore_unknown_options": True})
@click.option("--minutes", default=30.0, show_default=True, help="Minutes of training.")
@click.option("--most", default=100.0, show_default=True, help="KiB per minute that are still called flat.")
@click.option("--threads", default=1, show_default=True, help="Threads of the training.")
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
@errors_said()
def main(minutes: float, most: float, threads: int, options: tuple[str, ...]) -> None:
    """Train for --minutes with OPTIONS of `dcgan-edge train`, and print the slope of its memory."""
    with tempfile.TemporaryDirectory() as folder:
        slope = fitted(*readings(minutes, Path(folder, "run"), threads, options))
    click.echo(str(slope))
    if slope.slope - slope.half > most:
        raise BenchmarkError(f"Memory grows by more than {most:g} KiB per minute.")


def readings(
    minutes: float, out: Path, threads: int, options: Sequence[str]
) -> tuple[list[float], list[float]]:
    """Return the minutes at which memory was read and the MiB that it was, of a training into `out`.

    Raises EdgeError when the training fails.
    """
    command = [sys.executable, "-m", "dcgan_edge", "train", "--minutes", str(minutes), "--out", str(out)]
    environment = {"OMP_NUM_THREADS": str(threads)}
    process = subprocess.Popen(
        ["env", *(f"{name}={value}" for name, value in environment.items()), *command, *OFTEN, *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    begun = time.monotonic()
    at: list[float] = []
    mib: list[float] = []
    while process.poll() is None:
        time.sleep(INTERVAL_S)
        try:
            resident = Path(f"/proc/{process.pid}/statm").read_text().split()[1]
        except (OSError, IndexError):  # it ended just now
            continue
        at.append((time.monotonic() - begun) / 60.0)
        mib.append(int(resident) * PAGE / 1024.0)
    if process.returncode:
        assert process.stderr is not None
        raise EdgeError(f"The training failed: {process.stderr.read().strip()[-500:]}")
    return at, mib


def fitted(minutes: Sequence[float], mib: Sequence[float]) -> Slope:
    """Return the line through the readings (minutes, MiB) after SETTLED of them, by least squares.

    Raises EdgeError for fewer than two readings for each of BLOCKS stretches.
    """
    start = int(len(mib) * SETTLED)
    if len(mib) - start < 2 * BLOCKS:
        raise EdgeError(f"{len(mib)} readings are too few for a slope; train for longer.")
    x = np.array([part.mean() for part in np.array_split(np.asarray(minutes[start:]), BLOCKS)])
    y = np.array([part.mean() for part in np.array_split(np.asarray(mib[start:]), BLOCKS)]) * 1024.0
    centred = x - x.mean()
    spread = float((centred**2).sum())
    slope = float((centred * y).sum()) / spread
    rest = y - y.mean() - slope * centred
    half = STUDENT_95 * float(np.sqrt((rest**2).sum() / (BLOCKS - 2) / spread))
    return Slope(y[0] / 1024.0, y[-1] / 1024.0, max(mib), slope, half)


if __name__ == "__main__":
    main()
