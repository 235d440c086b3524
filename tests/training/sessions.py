"""Trainings in processes of their own that can be killed.

All are forked from one process which has imported torch, as that takes longer than such a training.
"""

from __future__ import annotations

import multiprocessing
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

from dcgan_edge.training import CHECKPOINT_NAME, ema, run_training
from tests.training.tiny_run import tiny_config


def start(data: Path, out: Path, *, epochs: int) -> BaseProcess:
    """A training that saves after every step; returns when it has begun to train."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_train, args=(data, out, epochs, theirs), daemon=True)
    process.start()
    theirs.close()
    with ours:
        assert ours.recv() == "train"
    return process


def _train(data: Path, out: Path, epochs: int, pipe: Connection) -> None:
    ema.STATISTICS_BATCHES = 2
    config = tiny_config(data, epochs=epochs, checkpoint_seconds=0.0, grid_every=50)
    told: list[str] = []

    def tell(stage: str) -> None:
        if stage == "train" and not told:
            told.append(stage)
            pipe.send(stage)

    is_begun = (out / CHECKPOINT_NAME).is_file()
    run_training(config, out, resume=is_begun, progress=lambda progress: tell(progress.stage))
