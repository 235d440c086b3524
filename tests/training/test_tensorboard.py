"""Event files as TensorBoard itself reads them: what is in metrics.jsonl, without gap or repeat."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from dcgan_edge.errors import EdgeError, UnavailableError
from dcgan_edge.training import CHECKPOINT_NAME, TrainProgress, run_training, tensorboard
from dcgan_edge.training.checkpoint import check_checkpoint
from dcgan_edge.training.tensorboard import TensorBoardLog
from tests.training.tiny_run import metrics, tiny_config, weights

pytestmark = pytest.mark.usefixtures("few_statistics")


def scalars(out: Path) -> dict[str, list[tuple[int, float]]]:
    """(step, value) of every tag, as TensorBoard shows them, and of "samples" (step, 0)."""
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events: Any = accumulator.EventAccumulator(
        str(out / "tensorboard"), size_guidance={"scalars": 0, "images": 0}
    )
    events.Reload()
    found = {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}
    return found | {tag: [(e.step, 0.0) for e in events.Images(tag)] for tag in events.Tags()["images"]}


def expected(out: Path) -> dict[str, list[tuple[int, Any]]]:
    """The same of metrics.jsonl; values are float32 in an event file."""
    found: dict[str, list[tuple[int, Any]]] = {}
    for line in metrics(out):
        for name, value in line.items():
            if name not in ("step", "epoch", "images") and isinstance(value, int | float):
                found.setdefault(name, []).append((line["step"], pytest.approx(value, rel=1e-6)))
    return found


@pytest.mark.parametrize("stops", [(), (7,), (3, 6, 6)])
def test_a_resumed_run_has_every_figure_once(tmp_path: Path, data: Path, stops: tuple[int, ...]) -> None:
    pytest.importorskip("tensorboard")
    config = tiny_config(data, epochs=2, grid_every=4, checkpoint_seconds=0.0, tensorboard=True)
    for number, stop in enumerate(stops):
        kept = (tmp_path / CHECKPOINT_NAME).read_bytes() if number else b""

        def interrupt(progress: TrainProgress, stop: int = stop) -> None:
            if (progress.stage, progress.step) == ("train", stop):
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            run_training(config, tmp_path, resume=number > 0, progress=interrupt)
        if kept:  # as if killed: events are there that no checkpoint covers
            (tmp_path / CHECKPOINT_NAME).write_bytes(kept)
    run_training(config, tmp_path, resume=bool(stops))
    found = scalars(tmp_path)
    assert [step for step, _ in found.pop("samples")] == [0, 4, 8, 10]
    found.pop("images_per_second")
    assert found == expected(tmp_path)


def test_events_change_nothing(tmp_path: Path, data: Path) -> None:
    pytest.importorskip("tensorboard")
    run_training(tiny_config(data, epochs=1, tensorboard=True), tmp_path / "events")
    run_training(tiny_config(data, epochs=1), tmp_path / "none")
    mine, theirs = weights(tmp_path / "events"), weights(tmp_path / "none")
    assert [name for name in theirs if not mine[name].equal(theirs[name])] == []


def test_without_the_library_nothing_is_begun(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UnavailableError, match=r"dcgan-edge\[tensorboard\]"):
        run_training(tiny_config(data, tensorboard=True), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
def test_a_full_disk_ends_the_run_with_its_checkpoint(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("tensorboard")
    config = tiny_config(data, epochs=2, grid_every=2, tensorboard=True)

    checkpoint = tmp_path / CHECKPOINT_NAME

    class Filling(TensorBoardLog):
        def flush(self) -> None:
            if checkpoint.exists() and check_checkpoint(checkpoint).step == 6:
                with open("/dev/full", "wb") as full:
                    os.dup2(full.fileno(), self._file.fileno())
            super().flush()

    monkeypatch.setattr(tensorboard, "TensorBoardLog", Filling)
    with pytest.raises(EdgeError, match="No space left"):
        run_training(config, tmp_path)
    assert check_checkpoint(checkpoint).step in (6, 8)  # whether an event waited in the buffer or not
