"""Real trainings, tiny ones: those broken on purpose are called so while they run, a sound one is not."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from dcgan_edge.artifact import Architecture
from dcgan_edge.latents import FloatArray
from dcgan_edge.recipes import RECIPES, Recipe, recipe_settings
from dcgan_edge.training import (
    CHECKPOINT_NAME,
    TrainConfig,
    TrainEvent,
    TrainProgress,
    TrainResult,
    ema,
    loop,
    monitor,
    problems,
    read_header,
    run,
    run_training,
    steps,
)
from dcgan_edge.training.state import TrainState, new_state
from dcgan_edge.training.steps import draw_latents
from tests.training.tiny_run import (
    BATCH,
    STEPS_PER_EPOCH,
    assert_same_run,
    metrics,
    tiny_config,
    weights,
    write_digits,
)

SETTLING, WINDOW = 20, 5  # lines, one at each step: fewer than usual, so that a test takes a second
STEPS = 35
BROKEN, MENDED = 45, 55  # steps between which the generator of `Collapsing` gets the same latent each time


@pytest.fixture(scope="module", autouse=True)
def quick() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ema, "STATISTICS_BATCHES", 2)
        patch.setattr(monitor, "SETTLING", SETTLING)
        patch.setattr(monitor, "WINDOW", WINDOW)
        yield


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_digits(tmp_path_factory.mktemp("digits"))


def config(data: Path, steps: int = STEPS, **changes: Any) -> TrainConfig:
    return tiny_config(data, epochs=steps // STEPS_PER_EPOCH, learning_rate=2e-3, **changes)


def changed_state(monkeypatch: pytest.MonkeyPatch, change: Callable[[TrainState], None]) -> None:
    """Trainings begin with what `change` makes of their state."""

    def changed(config: TrainConfig, device: torch.device) -> TrainState:
        state = new_state(config, device)
        with torch.no_grad():
            change(state)
        return state

    monkeypatch.setattr(loop, "new_state", changed)


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    for group in optimiser.param_groups:
        group["lr"] = rate


def told(result: TrainResult) -> dict[str, list[str]]:
    """The states of each problem, in order."""
    problems: dict[str, list[str]] = {}
    for event in result.events:
        problems.setdefault(event.problem, []).append(event.state)
    return problems


def test_a_sound_training_raises_nothing(tmp_path: Path, data: Path) -> None:
    result = run_training(config(data, 2 * STEPS), tmp_path)
    assert result.step == 2 * STEPS
    assert result.events == ()
    assert all("events" not in line for line in metrics(tmp_path))


def test_a_generator_without_latents_collapses(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "draw_latents", lambda *arguments: draw_latents(*arguments).zero_())
    seen: list[TrainEvent] = []
    result = run_training(config(data), tmp_path, progress=lambda progress: seen.extend(progress.events))
    assert told(result)["mode collapse"] == ["begins"]
    assert tuple(seen) == result.events
    event = next(event for event in seen if event.problem == "mode collapse")
    assert event.step <= SETTLING + WINDOW < STEPS  # while it goes on
    assert "differ from each other 0.00 times" in event.seen


class Collapsing:
    """Latents that are all the same from step BROKEN to MENDED, as many drawn as ever."""

    def __init__(self) -> None:
        self.step = 0

    def __call__(self, count: int, architecture: Architecture, device: torch.device) -> Tensor:
        drawn = draw_latents(count, architecture, device)
        return drawn[:1].expand_as(drawn).contiguous() if BROKEN < self.step <= MENDED else drawn


def train_collapsing(
    config: TrainConfig, out: Path, monkeypatch: pytest.MonkeyPatch, *, resume: bool = False, stop: int = 0
) -> TrainResult:
    """Train with `Collapsing` latents; Ctrl-C comes after step `stop`."""
    drawn = Collapsing()
    monkeypatch.setattr(steps, "draw_latents", drawn)
    if resume:
        drawn.step = read_header(out / CHECKPOINT_NAME).step
    drawn.step += 1

    def progress(progress: TrainProgress) -> None:
        if progress.stage == "train":
            drawn.step = progress.step + 1
            if progress.step == stop:
                raise KeyboardInterrupt

    return run_training(config, out, resume=resume, progress=progress)


def test_a_collapse_is_over_when_it_is_and_a_resumed_run_remembers(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(problems, "VARIED", 0.4)  # two feature maps do not soon come to more
    asked = config(data, 80)
    whole = train_collapsing(asked, tmp_path / "whole", monkeypatch)
    assert told(whole)["mode collapse"] == ["begins", "ends"]
    begin, end = (event for event in whole.events if event.problem == "mode collapse")
    assert BROKEN < begin.step < MENDED < end.step
    for number, stop in enumerate((BROKEN + 1, begin.step, MENDED - 1, end.step - 1)):
        with pytest.raises(KeyboardInterrupt):
            train_collapsing(asked, tmp_path / "parts", monkeypatch, resume=number > 0, stop=stop)
    parts = train_collapsing(asked, tmp_path / "parts", monkeypatch, resume=True)
    assert parts.events == whole.events
    assert_same_run(tmp_path / "parts", tmp_path / "whole")
    written = [event for line in metrics(tmp_path / "parts") for event in line.get("events", ())]
    assert [TrainEvent(**event) for event in written] == list(whole.events)


@pytest.mark.parametrize("recipe", ["spectral", "sn-hinge"])
def test_a_sound_training_by_spectral_norms_raises_nothing(tmp_path: Path, data: Path, recipe: str) -> None:
    settings = {**recipe_settings(recipe), "batch": BATCH}
    epochs = 2 * STEPS // STEPS_PER_EPOCH
    assert run_training(tiny_config(data, epochs=epochs, **settings), tmp_path).events == ()


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_a_discriminator_that_alone_learns_wins(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch, recipe: Recipe
) -> None:
    def unequal(state: TrainState) -> None:
        set_rate(state.generator_adam, 0.0)
        set_rate(state.discriminator_adam, 0.02)  # a hundred times the usual

    changed_state(monkeypatch, unequal)
    settings = {**dataclasses.asdict(recipe), "batch": BATCH, "decay_from": 1.0}
    result = run_training(tiny_config(data, epochs=2 * STEPS // STEPS_PER_EPOCH, **settings), tmp_path)
    assert told(result)["discriminator wins"] == ["begins"]


def test_a_dead_discriminator_is_lost_and_the_generator_gets_no_gradient(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill(state: TrainState) -> None:
        set_rate(state.discriminator_adam, 0.0)
        for parameter in state.discriminator.parameters():
            parameter.zero_()

    changed_state(monkeypatch, kill)
    problems = told(run_training(config(data), tmp_path))
    assert problems["discriminator lost"] == problems["gradients vanish"] == ["begins"]


def test_weights_out_of_all_proportion_make_gradients_explode(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def blow_up(state: TrainState) -> None:
        for optimiser in (state.generator_adam, state.discriminator_adam):
            set_rate(optimiser, 0.0)
        *_, last, _ = state.discriminator.parameters()
        last.mul_(1e6)

    changed_state(monkeypatch, blow_up)
    assert told(run_training(config(data), tmp_path))["gradients explode"] == ["begins"]


def test_the_monitor_does_not_change_the_training(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def classify(images: FloatArray) -> FloatArray:
        return images[:, 0, 14, 10:20]

    run_training(config(data, 20), tmp_path / "monitored", classify=classify)
    assert [line["step"] for line in metrics(tmp_path / "monitored") if "class_entropy" in line] == [10, 20]
    monkeypatch.setattr(run, "vital_signs", lambda *_: {})
    run_training(config(data, 20), tmp_path / "alone")
    assert "diversity" not in (tmp_path / "alone" / "metrics.jsonl").read_text()
    monitored, alone = weights(tmp_path / "monitored"), weights(tmp_path / "alone")
    assert monitored.keys() == alone.keys()
    assert [name for name in alone if not torch.equal(monitored[name], alone[name])] == []


def test_a_gradient_that_is_not_finite_is_null_in_the_metrics(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signs = {"grad_norm_d": None, "grad_norm_g": 1.0}
    monkeypatch.setattr(run, "vital_signs", lambda *_: signs)
    (event,) = run_training(config(data, 5), tmp_path).events
    assert (event.step, event.problem) == (1, "gradients explode")
    first = json.loads((tmp_path / "metrics.jsonl").read_text().splitlines()[0])
    assert first["grad_norm_d"] is None
