"""A long training takes no more memory than a short one, with all that a run writes and measures."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Iterable
from pathlib import Path

import pytest

from dcgan_edge.latents import FloatArray
from dcgan_edge.training import TrainProgress, quality, run_training
from tests.training.tiny_run import STEPS_PER_EPOCH, tiny_config

WARM, MEASURED = 20, 80  # steps
ALLOWED = 600  # bytes of Python objects for each step: 300 are usual, a kept line of metrics is 1,000 more


@pytest.mark.usefixtures("few_statistics")
def test_nothing_is_kept_of_a_step(tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quality, "SEEDS", range(50))
    held: list[int] = []

    def look(progress: TrainProgress) -> None:
        if progress.stage == "train" and progress.step in (WARM, WARM + MEASURED):
            gc.collect()
            held.append(tracemalloc.get_traced_memory()[0])

    def judge(batches: Iterable[FloatArray]) -> tuple[float, float]:
        return float(sum(len(batch) for batch in batches)), 0.0

    config = tiny_config(
        data, epochs=(WARM + MEASURED) // STEPS_PER_EPOCH, grid_every=20, keep=2,
        eval_every=20,
    )  # fmt: skip
    tracemalloc.start()
    try:
        run_training(config, tmp_path, progress=look, make_judge=lambda *_: judge)
    finally:
        tracemalloc.stop()
    assert held[1] - held[0] < ALLOWED * MEASURED
