"""kill -9 at any moment: what is on disk can always be gone on from, and nobody can tell afterwards."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest

from dcgan_edge.training import CHECKPOINT_NAME, ema, load_generator, run_training
from dcgan_edge.training.checkpoint import check_checkpoint
from tests.training.sessions import start
from tests.training.tiny_run import assert_same_run, tiny_config, write_digits

EPOCHS = 40  # 200 steps: longer than a session lives here
KILLS = 3


@pytest.mark.skipif(os.name != "posix", reason="there is no SIGKILL")
def test_killed_again_and_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ema, "STATISTICS_BATCHES", 2)  # as in a session
    data = write_digits(tmp_path / "data")
    config = tiny_config(data, epochs=EPOCHS, checkpoint_seconds=0.0, grid_every=50)
    run_training(config, tmp_path / "whole")
    out = tmp_path / "killed"
    moments = random.Random(0)
    steps = [0]
    for _ in range(KILLS):
        process = start(data, out, epochs=EPOCHS)
        time.sleep(moments.uniform(0.0, 0.5))  # any moment will do; nothing is decided by when it comes
        process.kill()
        process.join()
        steps.append(check_checkpoint(out / CHECKPOINT_NAME).step)
        load_generator(out / CHECKPOINT_NAME)
    assert steps == sorted(steps)
    run_training(config, out, resume=True)
    assert_same_run(out, tmp_path / "whole")
    grids = [sorted(path.name for path in (run / "samples").iterdir()) for run in (out, tmp_path / "whole")]
    assert grids[0] == grids[1]
    assert not list(out.glob(".*"))
