"""Exports from a checkpoint that a training keeps replacing: each is of one moment."""

from __future__ import annotations

from pathlib import Path

import dcgan_edge as de
from dcgan_edge.artifact import BatchProfile
from dcgan_edge.training import CHECKPOINT_NAME
from dcgan_edge.training.checkpoint import check_checkpoint
from tests.training.sessions import start
from tests.training.tiny_run import write_digits

EXPORTS = 3


def test_every_export_is_of_one_moment(tmp_path: Path) -> None:
    out = tmp_path / "run"
    process = start(write_digits(tmp_path / "data"), out, epochs=100_000)  # saves after every step
    checkpoint = out / CHECKPOINT_NAME
    parents, steps = set(), []
    try:
        for number in range(EXPORTS):
            (artifact,) = de.export(  # verified against the weights that were read, or refused
                checkpoint, tmp_path / str(number), precisions=["fp32"], batch=BatchProfile(1, 1, 1)
            )
            parents.add(artifact.manifest.parent_sha256)
            steps.append(check_checkpoint(checkpoint).step)
    finally:
        process.terminate()  # saves, as Ctrl-C does
        process.join(60)  # seconds; only so that a failure ends
    assert len(parents) == EXPORTS
    assert steps == sorted(set(steps))
    assert process.exitcode not in (0, None)
    assert check_checkpoint(checkpoint).step >= steps[-1]
