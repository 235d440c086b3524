"""What stays of a run beside its last checkpoint, whatever happens to it."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from dcgan_edge.errors import EdgeError
from dcgan_edge.latents import FloatArray
from dcgan_edge.training import CHECKPOINT_NAME, TrainConfig, TrainProgress, quality, run_training
from dcgan_edge.training.checkpoint import check_checkpoint
from dcgan_edge.training.keeping import Keeper
from dcgan_edge.training.loop import TrainResult
from dcgan_edge.training.quality import Quality
from tests.training.tiny_run import assert_same_run, metrics, tiny_config, weights

pytestmark = pytest.mark.usefixtures("few_statistics")
FIDS = (9.0, 5.0, 7.0, 5.0, 4.0)  # of the evaluations of a run, in order


@pytest.fixture(autouse=True)
def fewer_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quality, "SEEDS", range(120))


class Judging:
    """Evaluations that come to `FIDS`, and count the images that they are given."""

    def __init__(self, done: int = 0) -> None:
        self.done, self.images = done, 0

    def __call__(self, batches: Iterable[FloatArray]) -> tuple[float, float]:
        self.images = sum(len(batch) for batch in batches)
        self.done += 1
        return FIDS[self.done - 1], 0.5


def trained(config: TrainConfig, out: Path, *, done: int = 0, **options: Any) -> TrainResult:
    judging = Judging(done)
    return run_training(config, out, make_judge=lambda *_: judging, **options)


def names(out: Path) -> list[str]:
    return sorted(path.name for path in out.glob("*.safetensors"))


def test_the_last_numbered_ones_and_the_best_stay(tmp_path: Path, data: Path) -> None:
    config = tiny_config(data, epochs=5, grid_every=4, keep=2, eval_every=5)  # 25 steps, five evaluations
    result = trained(config, tmp_path)
    assert names(tmp_path) == [
        "best.safetensors", "checkpoint-000020.safetensors", "checkpoint-000024.safetensors", CHECKPOINT_NAME
    ]  # fmt: skip
    steps = [check_checkpoint(tmp_path / name).step for name in names(tmp_path)]
    assert steps == [25, 20, 24, 25]
    assert result.best == Quality(25, 4.0, 0.5)
    assert result.best_checkpoint == tmp_path / "best.safetensors"
    judged = {line["step"]: line["fid"] for line in metrics(tmp_path) if "fid" in line}
    assert judged == dict(zip((5, 10, 15, 20, 25), FIDS, strict=True))


def test_the_best_is_not_the_last_one_that_equals_it(tmp_path: Path, data: Path) -> None:
    trained(tiny_config(data, epochs=4, eval_every=5), tmp_path)
    assert check_checkpoint(tmp_path / "best.safetensors").step == 10


def test_the_last_step_is_evaluated_whatever_the_interval(tmp_path: Path, data: Path) -> None:
    trained(tiny_config(data, epochs=2, eval_every=7, log_every=4), tmp_path)
    lines = metrics(tmp_path)
    assert [line["step"] for line in lines] == [4, 7, 8, 10]
    assert [line["step"] for line in lines if "fid" in line] == [7, 10]


def test_nothing_of_it_changes_the_training(tmp_path: Path, data: Path) -> None:
    shown = tiny_config(data, epochs=2, grid_every=3, keep=2, eval_every=2)
    trained(shown, tmp_path / "shown")
    run_training(tiny_config(data, epochs=2), tmp_path / "plain")
    mine, theirs = weights(tmp_path / "shown"), weights(tmp_path / "plain")
    assert [name for name in theirs if not mine[name].equal(theirs[name])] == []


def test_evaluation_takes_nothing_of_the_time(tmp_path: Path, data: Path) -> None:
    now = 0.0

    def clock() -> float:
        nonlocal now
        now += 0.1
        return now

    def judge(batches: Iterable[FloatArray]) -> tuple[float, float]:
        nonlocal now
        now += 1000.0
        return 1.0, float(sum(len(batch) for batch in batches) == 120)

    config = tiny_config(data, epochs=None, eval_every=10)  # a minute of training
    seen: list[TrainProgress] = []
    result = run_training(config, tmp_path, make_judge=lambda *_: judge, clock=clock, progress=seen.append)
    assert 60.0 <= result.seconds < 63.0  # and a step, its line and its grid
    assert now > 5 * 1000.0
    trained = [each for each in seen if each.stage == "train"]
    assert (
        min(each.images_per_second for each in trained) > 1.0
    )  # 16 images in ticks, not in thousands of seconds
    assert trained[-1].quality == Quality(result.step, 1.0, 1.0)
    assert trained[8].quality is None
    assert trained[-1].learning_rates == (2e-4, 2e-4)


@pytest.mark.parametrize("stop", [9, 10, 12, 14])
def test_a_resumed_run_keeps_what_one_without_a_stop_keeps(tmp_path: Path, data: Path, stop: int) -> None:
    config = tiny_config(data, epochs=4, grid_every=4, keep=2, eval_every=5)
    trained(config, tmp_path / "whole")

    def interrupt(progress: TrainProgress) -> None:
        if (progress.stage, progress.step) == ("train", stop):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(config, tmp_path / "parts", progress=interrupt)
    trained(config, tmp_path / "parts", resume=True, done=stop // 5)
    assert_same_run(tmp_path / "parts", tmp_path / "whole")
    assert names(tmp_path / "parts") == names(tmp_path / "whole")
    for name in names(tmp_path / "parts"):
        steps = [check_checkpoint(tmp_path / run / name).step for run in ("parts", "whole")]
        assert steps[0] == steps[1]


@pytest.mark.parametrize("lost", ["best.safetensors", "checkpoint-000012.safetensors"])
def test_copies_that_a_kill_cut_short_are_made_up_for(tmp_path: Path, data: Path, lost: str) -> None:
    config = tiny_config(data, epochs=4, grid_every=12, keep=1, eval_every=12)

    def interrupt(progress: TrainProgress) -> None:
        if (progress.stage, progress.step) == ("train", 12):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(config, tmp_path, progress=interrupt)
    (tmp_path / lost).unlink()
    trained(config, tmp_path, resume=True, done=1)
    assert lost in names(tmp_path)


def test_who_goes_back_to_an_earlier_one_loses_no_later_one(tmp_path: Path) -> None:
    checkpoint = tmp_path / CHECKPOINT_NAME
    keeper = Keeper(checkpoint, 2)
    for step in (100, 200, 300, 400):
        checkpoint.write_text(str(step))
        keeper.keep_numbered(step)
    assert names(tmp_path)[:-1] == ["checkpoint-000300.safetensors", "checkpoint-000400.safetensors"]
    for step in (150, 250):
        checkpoint.write_text(str(step))
        keeper.keep_numbered(step)
    assert [name[11:17] for name in names(tmp_path)[:-1]] == ["000150", "000250", "000300", "000400"]


def test_lines_that_somebody_changed_are_no_evaluations(tmp_path: Path) -> None:
    lines: list[dict[str, Any]] = [
        {"step": 1, "fid": 3, "kid": 0.5},
        {"step": 2, "fid": 1.0},
        {"step": 3, "fid": None, "kid": 1.0},
    ]
    assert Keeper(tmp_path / CHECKPOINT_NAME, 0, lines).best == Quality(1, 3.0, 0.5)


@pytest.mark.parametrize("refused", ["best.safetensors", "checkpoint-000006.safetensors"])
def test_a_full_disk_keeps_the_last_checkpoint(
    tmp_path: Path, data: Path, refused: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = Path.replace

    def full(path: Path, target: Path) -> Path:
        if target.name == refused:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return replace(path, target)

    config = tiny_config(data, epochs=2, grid_every=2, keep=2, eval_every=6)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full)
        with pytest.raises(EdgeError, match="No space left"):
            trained(config, tmp_path)
    assert check_checkpoint(tmp_path / CHECKPOINT_NAME).step == 6
    assert {"checkpoint-000002.safetensors", "checkpoint-000004.safetensors"} <= set(names(tmp_path))
    trained(config, tmp_path, resume=True, done=1)
    assert check_checkpoint(tmp_path / CHECKPOINT_NAME).step == 10


def test_the_judge_is_not_asked_for_where_nothing_is_evaluated(tmp_path: Path, data: Path) -> None:
    def never(*_: object) -> Any:
        raise AssertionError

    result = run_training(tiny_config(data, epochs=1), tmp_path, make_judge=never)
    assert (result.best, result.best_checkpoint) == (None, None)
    assert all("fid" not in json.dumps(line) for line in metrics(tmp_path))
