"""A disk that fills up while a run trains: one sentence, and the last checkpoint is there to go on from."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from dcgan_edge.errors import EdgeError
from dcgan_edge.training import CHECKPOINT_NAME, TrainProgress, ema, run_training
from dcgan_edge.training.checkpoint import check_checkpoint
from tests.training.tiny_run import assert_same_run, tiny_config, write_digits


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_the_last_checkpoint_is_kept_and_gone_on_from(
    tmp_path: Path, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ema, "STATISTICS_BATCHES", 1)
    config = tiny_config(write_digits(tmp_path / "data"), epochs=2, grid_every=2)  # saves every two steps
    out = tmp_path / "run"

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:

        def fill(progress: TrainProgress) -> None:
            if progress.stage == "train" and progress.step == 7:
                patch.setattr(os if call == "fsync" else Path, call, full)

        with pytest.raises(EdgeError, match="No space left") as caught:
            run_training(config, out, progress=fill)
    assert str(out) in str(caught.value)
    assert check_checkpoint(out / CHECKPOINT_NAME).step == 6
    assert not list(out.glob(".*"))
    run_training(config, out, resume=True)
    run_training(config, tmp_path / "whole")
    assert_same_run(out, tmp_path / "whole")
