"""`python -m benchmarks.kill_test --kills 100`: a training killed 100 times ends like one that is not.

The training is `dcgan-edge train` with the default recipe and a checkpoint every half second. It is killed
(SIGKILL) after times of chance, resumed as often, and its weights, optimiser states, random states, metrics,
grids and kept checkpoints are compared with those of the same training without a kill, bit for bit. Exit
code 3 when anything differs.
"""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
import os
import random
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from benchmarks.command import errors_said
from dcgan_edge.errors import EdgeError, VerificationError
from dcgan_edge.training import CHECKPOINT_NAME, run_training
from dcgan_edge.training.checkpoint import check_checkpoint

CHECKPOINT_S = 0.5  # between two checkpoints
LONGEST_S = 3.0  # between the first step of a session and its end
TIMES = ("images_per_second",)  # figures of metrics.jsonl that differ from run to run
LOADED = ("dcgan_edge.training.request", "dcgan_edge.evaluation.held_out", "dcgan_edge.evaluation.classifier")


@dataclass(frozen=True)
class Settings:
    """What both trainings are asked for."""

    epochs: int
    width: int
    seed: int


@click.command()
@click.option("--kills", default=100, show_default=True, help="Number of kills.")
@click.option("--epochs", default=150, show_default=True, help="Passes over the digits.")
@click.option("--width", default=8, show_default=True, help="Width of the networks.")
@click.option("--seed", default=0, show_default=True, help="Seed of the training and of the kills.")
@click.option("--out", type=click.Path(path_type=Path), help="Keep both runs in this folder.")
@errors_said()
def main(kills: int, epochs: int, width: int, seed: int, out: Path | None) -> None:
    """Kill a training again and again, and compare what it comes to."""
    os.environ["OMP_NUM_THREADS"] = "1"  # of the sessions: threads add up in another order than one does
    with tempfile.TemporaryDirectory() as temporary:
        folder = out or Path(temporary)
        settings = Settings(epochs, width, seed)
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


def session(out: Path, settings: Settings, begun: Any) -> None:
    """Begin the training in `out` or go on with it, and set the event `begun` after its first step."""
    from dcgan_edge.training.request import TrainRequest, digit_classifier, held_out_judge, resolve

    request = TrainRequest(
        data="digits", epochs=settings.epochs, width=settings.width, seed=settings.seed, batch=64,
        device="cpu", keep=2, grid_every=100, eval_every=150,
    )  # fmt: skip
    config = dataclasses.replace(resolve(request, out), checkpoint_seconds=CHECKPOINT_S)
    run_training(
        config,
        out,
        resume=(out / CHECKPOINT_NAME).is_file(),
        progress=lambda progress: begun.set() if progress.stage == "train" else None,
        classify=digit_classifier(config),
        make_judge=held_out_judge,
    )


def started(out: Path, settings: Settings) -> tuple[Any, Any]:
    """Return a session in a process of its own, and the event of its first step.

    It is forked from a server that has loaded the libraries, and nothing else: loading takes longer than a
    session lives.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*LOADED])
    begun = context.Event()
    process = context.Process(target=session, args=(out, settings, begun))
    process.start()
    return process, begun


def finish(out: Path, settings: Settings) -> None:
    """Train into `out` to the end. Raises EdgeError when that fails."""
    process, _ = started(out, settings)
    process.join()
    if process.exitcode:
        raise EdgeError("The training failed; its message stands above.")


def killed(out: Path, settings: Settings, seconds: float) -> int:
    """Train into `out`, kill it `seconds` after its first step, and return the step of its checkpoint.

    Raises EdgeError when it ends before, ArtifactError when its checkpoint is not whole.
    """
    process, begun = started(out, settings)
    while process.is_alive() and not begun.wait(0.1):
        pass
    process.join(seconds)
    if process.exitcode is not None:
        raise EdgeError("The training ended before it was killed; take more --epochs or fewer --kills.")
    process.kill()
    process.join()
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
