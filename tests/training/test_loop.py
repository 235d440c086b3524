"""Training as a whole: what it leaves on disk, where it stops, and that going on is never noticed."""

from __future__ import annotations

import dataclasses
import itertools
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from dcgan_edge.data import dataset
from dcgan_edge.errors import EdgeError, UsageError
from dcgan_edge.training import (
    CHECKPOINT_NAME,
    TrainProgress,
    load_generator,
    read_header,
    resumed_config,
    run_training,
)
from dcgan_edge.training.checkpoint import check_checkpoint
from tests.training.tiny_run import (
    BATCH,
    STEPS_PER_EPOCH,
    assert_same_run,
    metrics,
    tiny_config,
    weights,
)

pytestmark = pytest.mark.usefixtures("few_statistics")


def interrupt_at(step: int) -> Callable[[TrainProgress], None]:
    """Stands for Ctrl-C right after a step."""

    def progress(progress: TrainProgress) -> None:
        if progress.stage == "train" and progress.step == step:
            raise KeyboardInterrupt

    return progress


def test_what_a_run_leaves(tmp_path: Path, data: Path) -> None:
    config = tiny_config(data, epochs=2, grid_every=4, log_every=2)
    result = run_training(config, tmp_path)
    assert (result.step, result.epoch, result.images) == (10, 2, 10 * BATCH)
    assert sorted(path.name for path in tmp_path.iterdir()) == [CHECKPOINT_NAME, "metrics.jsonl", "samples"]
    grids = [f"step{step:06}.png" for step in (0, 4, 8, 10)]
    assert sorted(path.name for path in (tmp_path / "samples").iterdir()) == grids
    with Image.open(result.grid) as grid:
        assert grid.size == ((8 * 30 - 2) * 3, (8 * 30 - 2) * 3)  # 8x8 digits, a gap of 2, drawn at 3x
    lines = metrics(tmp_path)
    assert [line["step"] for line in lines] == [2, 4, 6, 8, 10]
    assert [line["epoch"] for line in lines] == [0, 0, 1, 1, 2]
    told = {"step", "epoch", "images", "loss_d", "loss_g", "real_score", "fake_score"}
    told |= {"learning_rate_d", "learning_rate_g"}
    signs = {"real_accuracy", "fake_accuracy", "grad_norm_d", "grad_norm_g", "diversity"}
    assert set(lines[0]) == told | signs
    generator, spec = load_generator(result.checkpoint)
    assert spec.architecture == config.architecture
    assert generator(torch.zeros(1, 8, 1, 1)).shape == (1, 1, 28, 28)


def test_progress_tells_of_every_step(tmp_path: Path, data: Path) -> None:
    seen: list[TrainProgress] = []
    run_training(tiny_config(data, epochs=2), tmp_path, progress=seen.append)
    reading = [progress for progress in seen if progress.stage == "read"]
    training = [progress for progress in seen if progress.stage == "train"]
    assert [progress.step for progress in training] == list(range(1, 11))
    assert [progress.fraction for progress in training] == [step / 10 for step in range(1, 11)]
    assert reading[-1].fraction == 1.0
    assert training[-1].losses is not None
    assert metrics(tmp_path)[-1]["loss_g"] == training[-1].losses.loss_g


def test_a_seed_is_a_run_and_another_seed_another(tmp_path: Path, data: Path) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        run_training(tiny_config(data, epochs=1, seed=seed), tmp_path / name)
    assert_same_run(tmp_path / "a", tmp_path / "b")
    assert metrics(tmp_path / "a") != metrics(tmp_path / "c")


def test_torchs_random_generator_is_left_as_it_was(tmp_path: Path, data: Path) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    run_training(tiny_config(data, epochs=1), tmp_path)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.fixture(scope="module")
def whole(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty steps in one go."""
    out = tmp_path_factory.mktemp("whole")
    run_training(tiny_config(data), out)
    return out


def test_ten_steps_and_ten_more_are_twenty(tmp_path: Path, data: Path, whole: Path) -> None:
    run_training(tiny_config(data, epochs=2), tmp_path)
    run_training(resumed_config(tmp_path, epochs=4), tmp_path, resume=True)
    assert_same_run(tmp_path, whole)


def test_interrupted_in_the_middle_of_epochs(tmp_path: Path, data: Path, whole: Path) -> None:
    config = tiny_config(data)
    for number, step in enumerate((3, 4, 13)):
        with pytest.raises(KeyboardInterrupt):
            run_training(config, tmp_path, resume=number > 0, progress=interrupt_at(step))
        header = check_checkpoint(tmp_path / CHECKPOINT_NAME)
        assert (header.step, header.epoch, header.step_in_epoch) == (step, *divmod(step, STEPS_PER_EPOCH))
    run_training(config, tmp_path, resume=True)
    assert_same_run(tmp_path, whole)


def test_resumed_in_bf16(tmp_path: Path, data: Path) -> None:
    run_training(tiny_config(data, precision="bf16"), tmp_path / "whole")
    run_training(tiny_config(data, precision="bf16", epochs=1), tmp_path / "parts")
    run_training(resumed_config(tmp_path / "parts", epochs=4), tmp_path / "parts", resume=True)
    assert_same_run(tmp_path / "parts", tmp_path / "whole")
    assert metrics(tmp_path / "whole") != []


def test_streamed_data_trains_the_same(
    tmp_path: Path, data: Path, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dataset, "available_memory", lambda: 0)
    run_training(tiny_config(data), tmp_path)
    assert_same_run(tmp_path, whole)


def test_killed_after_the_last_checkpoint_loses_those_steps_and_repeats_none(
    tmp_path: Path, data: Path, whole: Path
) -> None:
    run_training(tiny_config(data, epochs=2), tmp_path)
    kept = (tmp_path / CHECKPOINT_NAME).read_bytes()
    run_training(resumed_config(tmp_path, epochs=3), tmp_path, resume=True)
    (tmp_path / CHECKPOINT_NAME).write_bytes(kept)  # steps 11-15 are in the metrics, not in the checkpoint
    with open(tmp_path / "metrics.jsonl", "a") as file:
        file.write('{"step": 16, "epo')
    leftover, other = tmp_path / f".{CHECKPOINT_NAME}.0123abcd.tmp", tmp_path / ".mine.tmp"
    leftover.write_bytes(kept[:100])
    other.write_bytes(b"")
    run_training(resumed_config(tmp_path, epochs=4), tmp_path, resume=True)
    assert_same_run(tmp_path, whole)
    assert not leftover.exists()
    assert other.exists()


def test_checkpoints_are_written_at_intervals(tmp_path: Path, data: Path) -> None:
    """A clock on which every look takes a second; nothing here waits."""
    clock = itertools.count()
    steps: list[int] = []

    def progress(progress: TrainProgress) -> None:
        if progress.stage == "train":
            steps.append(read_header(tmp_path / CHECKPOINT_NAME).step)

    config = tiny_config(data, epochs=8, checkpoint_seconds=40.0)
    run_training(config, tmp_path, progress=progress, clock=lambda: float(next(clock)))
    assert steps[0] == 0  # there was one before the first step
    assert steps == sorted(steps)
    assert 3 <= len(set(steps)) <= 20  # more than the first, and by no means after every step


def test_minutes_count_over_all_resumes(tmp_path: Path, data: Path) -> None:
    clock = itertools.count()
    config = tiny_config(data, epochs=None, minutes=2.0)

    def second() -> float:
        return float(next(clock))

    with pytest.raises(KeyboardInterrupt):
        run_training(config, tmp_path, progress=interrupt_at(3), clock=second)
    first = read_header(tmp_path / CHECKPOINT_NAME).elapsed_seconds
    assert 0 < first < 120
    result = run_training(config, tmp_path, resume=True, clock=second)
    assert result.step > 3
    assert 120 <= result.seconds < 160  # the last step and checkpoint look at the clock a few times more
    again = run_training(config, tmp_path, resume=True, clock=second)
    assert again.step == result.step
    assert again.losses is None


def test_a_finished_run_needs_a_larger_budget(tmp_path: Path, data: Path, whole: Path) -> None:
    assert run_training(tiny_config(data), whole, resume=True).step == 20


def test_diverged_training_keeps_the_last_good_checkpoint(tmp_path: Path, data: Path) -> None:
    with pytest.raises(EdgeError, match="diverged") as caught:
        run_training(tiny_config(data, learning_rate=1e30), tmp_path)
    assert caught.value.exit_code == 1
    assert check_checkpoint(tmp_path / CHECKPOINT_NAME).step == 0
    assert all(torch.isfinite(value).all() for value in weights(tmp_path).values())


def test_a_run_is_never_overwritten(tmp_path: Path, data: Path) -> None:
    run_training(tiny_config(data, epochs=1), tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(UsageError, match="already holds a checkpoint"):
        run_training(tiny_config(data, epochs=1), tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_there_must_be_something_to_resume(tmp_path: Path, data: Path) -> None:
    with pytest.raises(UsageError, match="no checkpoint"):
        run_training(tiny_config(data), tmp_path / "new", resume=True)
    with pytest.raises(UsageError, match="no checkpoint"):
        resumed_config(tmp_path / "new")
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="is a file"):
        run_training(tiny_config(data), tmp_path / "file")


def test_a_resumed_run_keeps_its_settings(tmp_path: Path, data: Path) -> None:
    config = tiny_config(data, epochs=1)
    run_training(config, tmp_path)
    changes: list[dict[str, Any]] = [
        {"seed": 3},
        {"batch": 8},
        {"precision": "bf16"},
        {"learning_rate": 1e-4},
    ]
    for change in changes:
        other = dataclasses.replace(config, epochs=2, **change)
        with pytest.raises(UsageError, match=next(iter(change))):
            run_training(other, tmp_path, resume=True)
    assert resumed_config(tmp_path) == config
    assert resumed_config(tmp_path, minutes=2.0) == dataclasses.replace(config, epochs=None, minutes=2.0)


def test_training_in_a_thread(tmp_path: Path, data: Path, whole: Path) -> None:
    """Signals belong to the main thread; a program with a window trains in another."""
    thread = threading.Thread(target=run_training, args=(tiny_config(data), tmp_path))
    thread.start()
    thread.join()
    assert_same_run(tmp_path, whole)
