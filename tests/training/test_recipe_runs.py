"""Whole runs by each recipe: the paper's weights of old, exact resumes, checkpoints without a recipe."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from dcgan_edge.recipes import RECIPES, recipe_settings
from dcgan_edge.training import CHECKPOINT_NAME, TrainConfig, load_generator, read_header, run_training
from dcgan_edge.training.checkpoint import load_discriminator
from dcgan_edge.training.state import required_bytes
from tests.training.checkpoint_files import altered
from tests.training.test_loop import interrupt_at
from tests.training.tiny_run import BATCH, assert_same_run, tiny_config, weights

pytestmark = pytest.mark.usefixtures("few_statistics")
EVERY_RECIPE = pytest.mark.parametrize("recipe", RECIPES)
# Of ten steps by the training before there were recipes: the sum of all absolute values.
OF_OLD = {"generator": 55.130082, "discriminator": 39.623249, "ema": 37.055418}


def config_of(recipe: str, data: Path) -> TrainConfig:
    return tiny_config(data, epochs=3, **{**recipe_settings(recipe), "batch": BATCH})


def test_the_papers_recipe_trains_the_weights_that_it_always_did(tmp_path: Path, data: Path) -> None:
    run_training(tiny_config(data, epochs=2), tmp_path)
    for network, expected in OF_OLD.items():
        mine = [value for name, value in weights(tmp_path).items() if name.startswith(f"{network}.")]
        # other kernels sum in another order; another loss or another rate is off by 1e-2
        assert float(sum(value.double().abs().sum() for value in mine)) == pytest.approx(expected, rel=1e-4)


@EVERY_RECIPE
def test_an_interrupted_run_ends_in_the_same_bits(tmp_path: Path, data: Path, recipe: str) -> None:
    """Schedules, the vectors of the power iteration and random states included."""
    config = config_of(recipe, data)
    run_training(config, tmp_path / "whole")
    for step in (3, 11):
        with pytest.raises(KeyboardInterrupt):
            run_training(config, tmp_path / "parts", resume=step > 3, progress=interrupt_at(step))
    run_training(config, tmp_path / "parts", resume=True)
    assert_same_run(tmp_path / "parts", tmp_path / "whole")


@EVERY_RECIPE
def test_every_recipe_leaves_the_same_generator(tmp_path: Path, data: Path, recipe: str) -> None:
    """Every recipe is exported alike: the names and shapes of what is exported are the preset's."""
    config = config_of(recipe, data)
    run_training(dataclasses.replace(config, epochs=1), tmp_path)
    named = {name: value.shape for name, value in weights(tmp_path).items() if name.startswith("ema.")}
    generator, _ = load_generator(tmp_path / CHECKPOINT_NAME)
    assert {f"ema.{name}": value.shape for name, value in generator.state_dict().items()} == named
    discriminator, kept = load_discriminator(tmp_path / CHECKPOINT_NAME)
    assert kept.discriminator == RECIPES[recipe].discriminator
    assert not any("parametrizations" in name for name in discriminator.state_dict())
    assert discriminator(torch.zeros(2, 1, 28, 28)).shape == (2,)
    needed = sum(value.nbytes for name, value in weights(tmp_path).items() if "num_batches" not in name)
    assert required_bytes(config) > needed  # with the gradients, which no checkpoint has


def test_a_checkpoint_without_a_recipe_is_the_papers(tmp_path: Path, saved: Path) -> None:
    """Those of before there were recipes name the rates and the batch, and nothing else."""
    new = ("recipe", "loss", "normalisation", "extra_convolutions", "decay_from")
    old = altered(
        saved,
        tmp_path / "old.safetensors",
        header=lambda facts: [facts["config"].pop(name) for name in new] + [facts.pop("schedule_changes")],
    )
    assert read_header(old).config == read_header(saved).config
    assert read_header(old).config.recipe == "paper"
