"""The comparison behind the kill test: equal runs are equal, and whatever differs is named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchmarks.kill_test import differences
from dcgan_edge.training import CHECKPOINT_NAME

save_file = pytest.importorskip("safetensors.numpy").save_file


def change_tensor(run: Path) -> None:
    save_file({"weight": np.array([1.0, np.nextafter(2.0, 3.0)])}, run / CHECKPOINT_NAME)


def change_metrics(run: Path) -> None:
    (run / "metrics.jsonl").write_text(json.dumps({"step": 1, "loss_d": 0.6, "images_per_second": 3}) + "\n")


def change_grid(run: Path) -> None:
    (run / "samples" / "step000000.png").write_bytes(b"another")


def lose_grid(run: Path) -> None:
    (run / "samples" / "step000000.png").unlink()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (change_tensor, [f"{CHECKPOINT_NAME}: weight"]),
        (change_metrics, ["metrics.jsonl"]),
        (change_grid, ["samples/step000000.png"]),
        (lose_grid, ["samples/step000000.png"]),
    ],
)
def test_what_differs_is_named(tmp_path: Path, change: Callable[[Path], None], named: list[str]) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    (one / "samples").mkdir(parents=True)
    save_file({"weight": np.array([1.0, 2.0])}, one / CHECKPOINT_NAME)
    (one / "metrics.jsonl").write_text(json.dumps({"step": 1, "loss_d": 0.5, "images_per_second": 1}) + "\n")
    (one / "samples" / "step000000.png").write_bytes(b"grid")
    shutil.copytree(one, other)
    (other / "metrics.jsonl").write_text(
        json.dumps({"step": 1, "loss_d": 0.5, "images_per_second": 2}) + "\n"
    )
    assert differences(one, other) == []
    change(other)
    assert differences(one, other) == named
