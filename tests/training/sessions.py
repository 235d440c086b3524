"""Trainings in processes of their own that can be killed.

All are forked from one process which has imported torch, as that takes longer than such a training.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

import torch._dynamo  # noqa: F401  # the first optimizer of a process imports it, for as long as torch itself

from dcgan_edge.training import CHECKPOINT_NAME, ema, run_training
from tests.training.tiny_run import tiny_config
from tests.training.torchrun_session import take_part


def start(data: Path, out: Path, *, epochs: int) -> BaseProcess:
    """A training that saves after every step; returns when it has begun to train."""
    ours, theirs = multiprocessing.Pipe(duplex=False)
    process = _forked(_train, data, out, epochs, theirs)
    theirs.close()
    with ours:
        assert ours.recv() == "train"
    return process


def start_part(rank: int, port: int, data: Path, out: Path, *, epochs: int) -> BaseProcess:
    """One of the two processes of a training that meet at the TCPStore of `port`, as torchrun starts them."""
    variables = {
        "RANK": str(rank),
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "localhost",
        "MASTER_PORT": str(port),
        "TORCHELASTIC_RUN_ID": "test",
        "TORCHELASTIC_RESTART_COUNT": "0",
        "TORCHELASTIC_USE_AGENT_STORE": "True",
    }
    return _forked(_take_part, variables, data, out, epochs)


def _forked(target: Callable[..., None], *arguments: object) -> BaseProcess:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    process = context.Process(target=target, args=arguments, daemon=True)
    process.start()
    return process


def _take_part(variables: dict[str, str], data: Path, out: Path, epochs: int) -> None:
    os.environ |= variables
    sys.exit(take_part(data, out, epochs))


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
