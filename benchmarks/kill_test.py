"""`python -m benchmarks.kill_test --kills 100`: a training killed 100 times ends like one that is not.

The training is `dcgan-edge train` with the default recipe and a checkpoint every second. It is killed
(SIGKILL) after times of chance, resumed as often, and its weights, optimiser states, random states, metrics,
grids and kept checkpoints are compared with those of the same training without a kill, bit for bit. Exit
code 3 when anything differs.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click

from benchmarks.command import errors_said
from dcgan_edge.errors import EdgeError, VerificationError
from dcgan_edge.training import CHECKPOINT_NAME
from dcgan_edge.training.checkpoint import check_checkpoint

LONGEST_S = 3.0  # between the first step of a session and its end
TIMES = ("images_per_second",)  # figures of metrics.jsonl that differ from run to run
SESSION = """
import dataclasses, sys
from pathlib import Path
from dcgan_edge.training import CHECKPOINT_NAME, run_training
from dcgan_edge.training.request import TrainRequest, digit_classifier, held_out_judge, resolve

out, epochs, width, seed = Path(sys.argv[1]), *map(int, sys.argv[2:])
request = TrainRequest(data="digits", epochs=epochs, width=width, seed=seed, batch=64, device="cpu", keep=2,
                       grid_every=100, eval_every=150)
config = dataclasses.replace(resolve(request, out), checkpoint_seconds=0.5)
is_begun = (out / CHECKPOINT_NAME).is_file()

def say(progress):
    if progress.stage == "train":
        print(progress.step, flush=True)

run_training(config, out, resume=is_begun, progress=say, classify=digit_classifier(config),
             make_judge=held_out_judge)
"""


@click.command()
@click.option("--kills", default=100, show_default=True, help="Number of kills.")
@click.option("--epochs", default=150, show_default=True, help="Passes over the digits.")
@click.option("--width", default=8, show_default=True, help="Width of the networks.")
@click.option("--seed", default=0, show_default=True, help="Seed of the training and of the kills.")
@click.option("--out", type=click.Path(path_type=Path), help="Keep both runs in this folder.")
@errors_said()
def main(kills: int, epochs: int, width: int, seed: int, out: Path | None) -> None:
    """Kill a training again and again, and compare what it comes to."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = out or Path(temporary)
        settings = (str(epochs), str(width), str(seed))
        click.echo("without a kill ...", err=True)
        finish(folder / "whole", settings)
        chance = random.Random(seed)
        steps = []
        for number in range(kills):
            steps.append(killed(folder / "killed", settings, chance.uniform(0.0, LONGEST_S)))
            click.echo(f"kill {number + 1}: the checkpoint is of step {steps[-1]:,}", err=True)
        if steps != sorted(steps):
            raise VerificationError("A checkpoint of an earlier step took the place of a later one.")
        finish(folder / "killed", settings)
        found = differences(folder / "killed", folder / "whole")
        last = check_checkpoint(folder / "whole" / CHECKPOINT_NAME).step
    if found:
        raise VerificationError(f"The killed run is another one: {', '.join(found[:5])}.")
    moved = len(set(steps))
    click.echo(
        f"{kills} kills, at {moved} different checkpoints up to step {max(steps):,} of {last:,}: weights, "
        "optimiser and random states, metrics, grids and kept checkpoints are equal, bit for bit."
    )


def started(out: Path, settings: tuple[str, ...]) -> subprocess.Popen[str]:
    """Return a session in a process of its own, which prints each step, on one thread."""
    return subprocess.Popen(
        [sys.executable, "-c", SESSION, str(out), *settings],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(out: Path, settings: tuple[str, ...]) -> None:
    """Train into `out` to the end. Raises EdgeError when that fails."""
    process = started(out, settings)
    _, said = process.communicate()
    if process.returncode:
        raise EdgeError(f"The training failed: {said.strip()[-500:]}")


def killed(out: Path, settings: tuple[str, ...], seconds: float) -> int:
    """Train into `out`, kill it `seconds` after its first step, and return the step of its checkpoint.

    Raises EdgeError when it ends before, ArtifactError when its checkpoint is not whole.
    """
    process = started(out, settings)
    assert process.stdout is not None
    first = process.stdout.readline()
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.01)
    is_over = process.poll() is not None
    process.send_signal(signal.SIGKILL)
    _, said = process.communicate()
    if not first or is_over:
        raise EdgeError(f"The training ended before it was killed; take more --epochs. {said.strip()[-300:]}")
    return check_checkpoint(out / CHECKPOINT_NAME).step


def differences(one: Path, other: Path) -> list[str]:
    """Return the names of everything in which two finished runs differ."""
    from safetensors.torch import load_file

    mine, theirs = (_files(run) for run in (one, other))
    found = sorted(mine ^ theirs)
    for name in sorted(mine & theirs):
        paths = one / name, other / name
        if name.endswith(".safetensors"):
            tensors = [load_file(path) for path in paths]
            names = sorted(tensors[0].keys() | tensors[1].keys())
            same = tensors[0].keys() == tensors[1].keys()
            found += [
                f"{name}: {key}" for key in names if not (same and tensors[0][key].equal(tensors[1][key]))
            ]
        elif name.endswith(".jsonl"):
            found += [] if _lines(paths[0]) == _lines(paths[1]) else [name]
        elif paths[0].read_bytes() != paths[1].read_bytes():
            found.append(name)
    return found


def _files(run: Path) -> set[str]:
    return {str(path.relative_to(run)) for path in run.rglob("*") if path.is_file()}


def _lines(path: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [{name: value for name, value in line.items() if name not in TIMES} for line in lines]


if __name__ == "__main__":
    main()
