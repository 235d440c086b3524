"""The learning rate over a budget, and what is said when a resumed run has another one."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcgan_edge.recipes import Recipe
from dcgan_edge.training import CHECKPOINT_NAME, TrainProgress, read_header, run_training
from dcgan_edge.training.schedule import learning_rate
from tests.training.tiny_run import STEPS_PER_EPOCH, metrics, tiny_config

FALLING = Recipe(learning_rate=1e-3, decay_from=0.25)


@pytest.mark.parametrize(
    ("fraction", "share"), [(0.0, 1.0), (0.25, 1.0), (0.4, 0.8), (0.625, 0.5), (1.0, 0.0), (1.2, 0.0)]
)
def test_it_falls_in_a_straight_line_to_the_end(fraction: float, share: float) -> None:
    assert learning_rate(FALLING, fraction) == pytest.approx(1e-3 * share)


@given(fraction=st.floats(0.0, 1.0))
def test_the_papers_stays(fraction: float) -> None:
    assert learning_rate(Recipe(), fraction) is None


@given(start=st.floats(0.0, 0.999), fractions=st.tuples(st.floats(0.0, 1.0), st.floats(0.0, 1.0)))
def test_it_never_rises_and_never_leaves_its_range(start: float, fractions: tuple[float, float]) -> None:
    recipe = dataclasses.replace(FALLING, decay_from=start)
    early, late = (learning_rate(recipe, fraction) for fraction in sorted(fractions))
    assert early is not None
    assert late is not None
    assert 0.0 <= late <= early <= 1e-3


@pytest.mark.usefixtures("few_statistics")
def test_every_step_has_the_rate_of_its_place_in_the_budget(tmp_path: Path, data: Path) -> None:
    config = tiny_config(data, epochs=2, decay_from=0.5)
    run_training(config, tmp_path)
    rates = [line["learning_rate_g"] for line in metrics(tmp_path)]
    steps = 2 * STEPS_PER_EPOCH
    assert rates == [learning_rate(config, step / steps) for step in range(steps)]
    assert rates[0] == 2e-4 > rates[-1] > 0


@pytest.mark.usefixtures("few_statistics")
def test_minutes_follow_the_clock_of_the_run(tmp_path: Path, data: Path) -> None:
    """A clock that gains a quarter of a second whenever it is read ends a run of three seconds."""
    ticks = iter(range(10**6))
    config = tiny_config(data, epochs=None, minutes=0.05, decay_from=0.0)
    run_training(config, tmp_path, clock=lambda: 0.25 * next(ticks))
    rates = [line["learning_rate_g"] for line in metrics(tmp_path)]
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] < rates[0] < 2e-4


@pytest.mark.usefixtures("few_statistics")
def test_a_new_budget_is_said_once_and_kept(tmp_path: Path, data: Path) -> None:
    config = tiny_config(data, epochs=1, decay_from=0.5)
    run_training(config, tmp_path)
    said: list[str] = []

    def progress(progress: TrainProgress) -> None:
        said.extend([progress.note] if progress.note else [])

    longer = dataclasses.replace(config, epochs=2)
    run_training(longer, tmp_path, resume=True, progress=progress)
    run_training(longer, tmp_path, resume=True, progress=progress)
    assert len(said) == 1
    kept = read_header(tmp_path / CHECKPOINT_NAME).schedule_changes
    assert kept == (f"Step {STEPS_PER_EPOCH}: {said[0]}",)
    assert "2 epochs instead of 1 epoch:" in said[0]
    rates = [line["learning_rate_g"] for line in metrics(tmp_path)]
    assert rates[STEPS_PER_EPOCH] == learning_rate(longer, 0.5) == 2e-4  # half of the new budget is used


@pytest.mark.usefixtures("few_statistics")
def test_nothing_is_said_where_the_rate_never_falls(tmp_path: Path, data: Path) -> None:
    run_training(tiny_config(data, epochs=1), tmp_path)
    run_training(tiny_config(data, epochs=2), tmp_path, resume=True)
    assert read_header(tmp_path / CHECKPOINT_NAME).schedule_changes == ()
    assert (
        json.loads((tmp_path / "metrics.jsonl").read_text().splitlines()[-1])["step"] == 2 * STEPS_PER_EPOCH
    )
