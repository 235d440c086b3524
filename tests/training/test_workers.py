"""Shards of a batch in threads: the step of the whole batch, the same bits every time, no hang."""

from __future__ import annotations

import dataclasses
import json
import threading
from pathlib import Path

import pytest
import torch
from torch import Tensor

from dcgan_edge.artifact import Architecture
from dcgan_edge.errors import ArtifactError, EdgeError, UsageError
from dcgan_edge.recipes import recipe_settings
from dcgan_edge.training import TrainConfig, read_header, resumed_config, run_training
from dcgan_edge.training.checkpoint import CHECKPOINT_NAME
from dcgan_edge.training.crew import Shard
from dcgan_edge.training.distributed import Group
from dcgan_edge.training.header import Header
from dcgan_edge.training.header import read_header as parse_header
from dcgan_edge.training.state import TrainState, new_state, tensors
from dcgan_edge.training.steps import StepOutcome, train_step
from dcgan_edge.training.workers import Workers, default_shards, open_crew, tree_sum
from tests.training.checkpoint_files import HEADER
from tests.training.test_loop import interrupt_at
from tests.training.tiny_run import SMALL, assert_same_run, tiny_config

CPU = torch.device("cpu")
PIXELS = torch.randint(0, 256, (15, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
CONFIG = tiny_config(Path("digits"))
HINGE = dataclasses.replace(CONFIG, **{**recipe_settings("sn-hinge"), "batch": 16, "learning_rate": 2e-4})


def trained(
    config: TrainConfig, shards: int, *, steps: int, bf16: bool = False
) -> tuple[TrainState, StepOutcome]:
    torch.manual_seed(0)
    state = new_state(config, CPU)
    if shards == 1:
        outcomes = [train_step(state, PIXELS, config, bf16=bf16) for _ in range(steps)]
    else:
        with Workers(state, shards) as crew:
            outcomes = [train_step(state, PIXELS, config, bf16=bf16, crew=crew) for _ in range(steps)]
    return state, outcomes[-1]


def gradients(state: TrainState) -> list[Tensor]:
    networks = (state.generator, state.discriminator)
    found = [parameter.grad for network in networks for parameter in network.parameters()]
    return [gradient for gradient in found if gradient is not None]


@pytest.mark.parametrize("shards", [2, 3, 4])
def test_a_step_in_shards_is_the_step_of_the_whole_batch(shards: int) -> None:
    """With BatchNorm over the whole batch, of 15 images here, which no number of shards divides but 3."""
    whole, expected = trained(CONFIG, 1, steps=1)
    state, outcome = trained(CONFIG, shards, steps=1)
    # float32 with sums in another order
    for mine, theirs in zip(
        (outcome.figures, *outcome.parts()), (expected.figures, *expected.parts()), strict=True
    ):
        torch.testing.assert_close(mine, theirs, atol=1e-5, rtol=1e-4)
    for one, other in zip(gradients(state), gradients(whole), strict=True):
        torch.testing.assert_close(one, other, atol=1e-3 * float(other.abs().max()), rtol=0)
    named = tensors(whole)
    for name, value in tensors(state).items():
        if "running" in name or "tracked" in name:
            torch.testing.assert_close(value, named[name])


def test_steps_in_shards_stay_with_those_of_the_whole_batch() -> None:
    """After 50 steps. Roundings grow as the two networks chase each other: a thousandth of a loss of 1."""
    _, expected = trained(CONFIG, 1, steps=50)
    _, outcome = trained(CONFIG, 2, steps=50)
    torch.testing.assert_close(outcome.figures, expected.figures, atol=1e-3, rtol=0)


def test_a_spectral_norm_learns_in_shards() -> None:
    """Its power iteration advances once for an update, not for a pass, so only the first step is near the
    plain one: 4 % is how far one iteration is from the next on fresh weights.
    """
    _, expected = trained(HINGE, 1, steps=1)
    state, outcome = trained(HINGE, 2, steps=1)
    torch.testing.assert_close(outcome.figures, expected.figures, atol=0.04, rtol=0.04)
    first = outcome.figures.tolist()
    _, later = trained(HINGE, 2, steps=40)
    assert later.figures[0] < 0.8 * first[0]  # on one batch, over and over, the discriminator learns it
    assert len(gradients(state)) == len([*state.generator.parameters(), *state.discriminator.parameters()])


UPSAMPLE = dataclasses.replace(
    CONFIG, architecture=Architecture("dcgan-upsample", 28, 1, width=4, latent_dim=8)
)


@pytest.mark.parametrize("config", [CONFIG, HINGE, UPSAMPLE], ids=["paper", "sn-hinge", "dropout"])
@pytest.mark.parametrize("bf16", [False, True])
def test_the_same_bits_every_time(config: TrainConfig, bf16: bool) -> None:
    first, second = (tensors(trained(config, 3, steps=3, bf16=bf16)[0]) for _ in range(2))
    assert [name for name in first if not torch.equal(first[name], second[name])] == []


def test_sums_are_taken_by_halves() -> None:
    """(a + b) + (c + d): what two processes with two shards each come to."""
    values = [[torch.tensor(value)] for value in (1e8, 3.0, -1e8, 4.0)]
    assert tree_sum(values)[0] == (torch.tensor(1e8) + 3.0) + (torch.tensor(-1e8) + 4.0)
    assert tree_sum(values[:1]) == values[0]


def test_an_error_in_one_thread_ends_all_and_is_raised() -> None:
    def work(shard: Shard) -> None:
        if shard.index == 1:
            raise EdgeError("this shard cannot")
        crew.meet(shard.index, 0, sum)  # would wait for ever

    before = threading.active_count()
    with Workers(new_state(CONFIG, CPU), 3) as crew, pytest.raises(EdgeError, match="this shard"):
        crew.run(work)
    assert threading.active_count() == before


def test_torchs_threads_are_given_back() -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        with Workers(new_state(CONFIG, CPU), 2):
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("size", "width", "batch", "cores", "shards"),
    [
        (28, 32, 64, 1, 1),
        (28, 32, 64, 2, 2),
        (28, 32, 64, 3, 2),  # a power of two, so that they can be dealt out to processes
        (28, 32, 64, 16, 4),
        (28, 32, 128, 16, 8),
        (28, 32, 31, 16, 1),
        (64, 64, 64, 16, 16),  # more work in each image, so fewer for a thread
        (28, 4, 64, 16, 4),
    ],
)
def test_as_many_shards_as_there_are_cores_for(
    size: int, width: int, batch: int, cores: int, shards: int
) -> None:
    config = TrainConfig(Architecture("dcgan", size, 1, width=width), epochs=1, batch=batch)
    assert default_shards(config, CPU, cores=cores) == shards
    assert default_shards(config, torch.device("cuda"), cores=cores) == 1


@pytest.mark.parametrize(("processes", "shards"), [(2, 4), (3, 3), (4, 4), (8, 8)])
def test_every_process_has_a_shard_and_all_have_as_many(processes: int, shards: int) -> None:
    config = TrainConfig(Architecture("dcgan", 28, 1, width=32), epochs=1, batch=64)
    assert default_shards(config, CPU, processes, cores=4) == shards
    assert default_shards(config, torch.device("cuda"), processes, cores=4) == processes
    with pytest.raises(UsageError, match="5 processes"):
        open_crew(new_state(CONFIG, CPU), shards, Group(0, 5))


@pytest.mark.usefixtures("few_statistics")
@pytest.mark.parametrize("recipe", ["paper", "sn-hinge"])
def test_a_run_in_shards_is_kept_in_shards(tmp_path: Path, data: Path, recipe: str) -> None:
    settings = {**recipe_settings(recipe), "batch": 16}
    config = tiny_config(data, epochs=2, **{**settings, "shards": 2})
    result = run_training(config, tmp_path / "whole")
    assert result.shards == read_header(tmp_path / "whole" / CHECKPOINT_NAME).shards == 2
    with pytest.raises(KeyboardInterrupt):
        run_training(config, tmp_path / "parts", progress=interrupt_at(7))
    run_training(resumed_config(tmp_path / "parts"), tmp_path / "parts", resume=True)
    assert_same_run(tmp_path / "parts", tmp_path / "whole")
    with pytest.raises(UsageError, match="shards"):
        run_training(dataclasses.replace(config, shards=4), tmp_path / "whole", resume=True)


def test_checkpoints_from_before_shards_are_of_one() -> None:
    facts = json.loads(HEADER.to_json())
    del facts["shards"], facts["config"]["shards"]
    header = parse_header(json.dumps(facts), "a file")
    assert isinstance(header, Header)
    assert header.shards == 1
    for wrong in (0, HEADER.config.batch + 1, "2"):
        with pytest.raises(ArtifactError):
            parse_header(json.dumps({**facts, "shards": wrong}), "a file")


@pytest.mark.parametrize("shards", [0, 17])
def test_a_batch_has_as_many_shards_as_images_at_most(shards: int) -> None:
    with pytest.raises(UsageError, match="shards"):
        TrainConfig(SMALL, epochs=1, batch=16, shards=shards)
