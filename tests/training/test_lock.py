"""Two trainings into one folder: the second is refused, and a dead one is in nobody's way."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from dcgan_edge.errors import EdgeError, UsageError
from dcgan_edge.training import CHECKPOINT_NAME, TrainProgress, ema, run_training
from dcgan_edge.training.checkpoint import check_checkpoint
from dcgan_edge.training.lock import locked
from tests.training.sessions import start
from tests.training.tiny_run import tiny_config, write_digits


@pytest.fixture(autouse=True)
def few_statistics(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ema, "STATISTICS_BATCHES", 2)


@pytest.mark.parametrize("resume", [False, True])
def test_the_second_is_refused_and_the_first_is_whole(tmp_path: Path, resume: bool) -> None:
    config = tiny_config(write_digits(tmp_path / "data"), epochs=1)
    out = tmp_path / "run"
    refused: list[str] = []

    def second(progress: TrainProgress) -> None:
        if progress.stage != "train" or refused:
            return
        with pytest.raises(UsageError, match="Another training") as caught:
            run_training(config, out, resume=resume)
        refused.append(str(caught.value))

    assert run_training(config, out, progress=second).step == 5
    assert len(refused) == 1
    assert str(out) in refused[0]
    assert check_checkpoint(out / CHECKPOINT_NAME).step == 5
    run_training(config, out, resume=True)  # the lock ended with the first


@pytest.mark.skipif(os.name != "posix", reason="there is no SIGKILL")
def test_a_killed_training_blocks_nobody(tmp_path: Path) -> None:
    data = write_digits(tmp_path / "data")
    process = start(data, tmp_path / "run", epochs=100_000)
    with pytest.raises(UsageError, match="Another training"):
        run_training(tiny_config(data), tmp_path / "run", resume=True)
    process.kill()
    process.join()
    with locked(tmp_path / "run"):
        pass


def test_a_folder_without_a_run_is_not_left_behind(tmp_path: Path) -> None:
    with pytest.raises(UsageError), locked(tmp_path / "new"):
        raise UsageError("no data")
    assert not (tmp_path / "new").exists()
    with locked(tmp_path / "new"):
        (tmp_path / "new" / "file").touch()
    assert (tmp_path / "new" / "file").exists()


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EdgeError, match="Cannot write"), locked(tmp_path / "file" / "run"):
        pass


def test_one_at_a_time_among_threads(tmp_path: Path) -> None:
    entered, done = threading.Event(), threading.Event()

    def hold() -> None:
        with locked(tmp_path):
            entered.set()
            done.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    entered.wait(60)
    with pytest.raises(UsageError), locked(tmp_path):
        pass
    done.set()
    thread.join()
