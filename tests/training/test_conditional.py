"""Training with classes: what the networks are told, and that a run is as exact as any other."""

from __future__ import annotations

import dataclasses
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import one_hot

from dcgan_edge.architecture import Architecture
from dcgan_edge.classes import DIGIT_NAMES
from dcgan_edge.data import load_digits
from dcgan_edge.errors import UsageError
from dcgan_edge.latent.inversion import load_networks
from dcgan_edge.models import PRESETS, build_discriminator
from dcgan_edge.recipes import DiscriminatorDesign, recipe_settings
from dcgan_edge.training import CHECKPOINT_NAME, load_generator, read_header, run_training
from dcgan_edge.training.checkpoint import load_discriminator
from dcgan_edge.training.ema import statistics_latents
from dcgan_edge.training.grid import grid_inputs
from dcgan_edge.training.losses import discriminator_loss, generator_loss
from dcgan_edge.training.request import TrainRequest, resolve
from dcgan_edge.training.state import new_state
from dcgan_edge.training.steps import StepOutcome, draw_latents, to_network, train_step
from dcgan_edge.training.vital_signs import class_figures, vital_signs
from dcgan_edge.training.workers import open_crew
from tests.training.tiny_run import SMALL, assert_same_run, tiny_config, write_digits

CPU = torch.device("cpu")
NUMERALS = tuple(map(str, range(10)))
CONDITIONAL = dataclasses.replace(SMALL, classes=NUMERALS)
CONFIG = tiny_config(Path("digits"), architecture=CONDITIONAL)
PIXELS = torch.randint(0, 256, (16, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(16) % 10
DESIGNS = (DiscriminatorDesign(), DiscriminatorDesign("spectral", 1))


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("preset", PRESETS)
def test_the_class_adds_its_own_verdict_to_that_on_any_image(
    preset: str, design: DiscriminatorDesign
) -> None:
    architecture = Architecture(preset, 28, 1, 4, 8, classes=("a", "b", "c"))
    judge = build_discriminator(architecture, design).eval()
    images, classes = to_network(PIXELS[:3]), torch.eye(3)
    outputs = judge.get_submodule("layers")(images).flatten(1)
    torch.testing.assert_close(judge(images), outputs[:, 0])
    torch.testing.assert_close(judge(images, classes), outputs[:, 0] + outputs[:, 1:].diagonal())


def test_a_step_tells_both_networks_the_classes_of_the_images() -> None:
    torch.manual_seed(0)
    state = new_state(CONFIG, CPU)
    before = torch.get_rng_state()
    classes = one_hot(LABELS, 10).float()

    def losses(fake: Tensor) -> Tensor:
        real_logits = state.discriminator(to_network(PIXELS), classes)
        return discriminator_loss(CONFIG.loss, real_logits, state.discriminator(fake, classes))

    with torch.no_grad():
        drawn = draw_latents(len(PIXELS), CONDITIONAL, CPU)
        expected = losses(state.generator(torch.cat([drawn, classes[:, :, None, None]], 1)))
    torch.set_rng_state(before)
    outcome = train_step(state, PIXELS, CONFIG, LABELS, bf16=False)
    # float32 with sums in another order
    torch.testing.assert_close(outcome.figures[0], expected, atol=1e-5, rtol=1e-5)
    with torch.no_grad():  # the discriminator has learnt before it judges for the generator
        judged = generator_loss(CONFIG.loss, state.discriminator(outcome.generated, classes))
    # BatchNorm in train mode judges by its batch alone, so the second pass comes to the same
    torch.testing.assert_close(outcome.figures[1], judged, atol=1e-5, rtol=1e-5)
    assert outcome.labels is LABELS


@pytest.mark.parametrize("recipe", ["paper", "spectral"])
def test_a_resumed_run_is_the_run_that_never_stopped(tmp_path: Path, recipe: str) -> None:
    data = write_digits(tmp_path / "data")
    settings = {**recipe_settings(recipe), "batch": 16, "architecture": CONDITIONAL}
    config = tiny_config(data, **settings)
    run_training(config, tmp_path / "whole")
    # the schedule is that of the whole run, of which the first call takes a part
    stopped = pytest.raises(KeyboardInterrupt)
    with stopped:
        run_training(config, tmp_path / "parts", progress=_stop_at(7))
    run_training(config, tmp_path / "parts", resume=True)
    assert_same_run(tmp_path / "whole", tmp_path / "parts")
    generator, spec = load_generator(tmp_path / "whole" / CHECKPOINT_NAME)
    assert spec.architecture.classes == NUMERALS
    assert generator(torch.zeros(2, 18, 1, 1)).shape == (2, 1, 28, 28)
    assert read_header(tmp_path / "whole" / CHECKPOINT_NAME).config.architecture == CONDITIONAL
    with Image.open(tmp_path / "whole" / "samples" / "step000020.png") as grid:
        assert grid.size == (3 * (10 * 30 - 2), 3 * (8 * 30 - 2))  # a column for each class


def _stop_at(step: int):  # type: ignore[no-untyped-def]
    def progress(done) -> None:  # type: ignore[no-untyped-def]
        if done.stage == "train" and done.step == step:
            raise KeyboardInterrupt

    return progress


def test_each_thread_tells_its_networks_the_classes_of_its_images() -> None:
    figures = []
    for shards in (1, 2):
        torch.manual_seed(0)
        state = new_state(CONFIG, CPU)
        with open_crew(state, shards) as crew:
            outcome = train_step(state, PIXELS, CONFIG, LABELS, bf16=False, crew=crew)
        assert outcome.labels is LABELS
        figures.append(outcome.figures)
    # float32 with sums in another order; the generator's loss comes after a step of Adam, which amplifies
    torch.testing.assert_close(figures[0], figures[1], atol=1e-3, rtol=0)


def test_other_labels_of_the_same_images_are_other_data(tmp_path: Path) -> None:
    data = write_digits(tmp_path / "data")
    config = tiny_config(data, architecture=CONDITIONAL, epochs=1)
    run_training(config, tmp_path / "run")
    path = data / "train-labels-idx1-ubyte"
    path.write_bytes(path.read_bytes()[:-1] + b"\x03")
    with pytest.raises(UsageError, match="not the 83 of the beginning"):
        run_training(dataclasses.replace(config, epochs=2), tmp_path / "run", resume=True)
    path.write_bytes(struct.pack(">HBBI", 0, 8, 1, 83) + bytes(range(83)))
    with pytest.raises(UsageError, match="83 classes, not of 10"):
        run_training(config, tmp_path / "new")


def test_conditional_is_asked_for_by_the_data(tmp_path: Path) -> None:
    config = resolve(TrainRequest(conditional=True), tmp_path)
    assert config.architecture.classes == DIGIT_NAMES
    assert resolve(TrainRequest(), tmp_path).architecture.classes == ()
    data = write_digits(tmp_path / "data")
    run_training(tiny_config(data, epochs=1), tmp_path)
    with pytest.raises(UsageError, match="leave out --conditional"):
        resolve(TrainRequest(conditional=True), tmp_path, resume=True)
    (data / "train-labels-idx1-ubyte").unlink()
    with pytest.raises(UsageError, match="no file of labels"):
        resolve(TrainRequest(data=str(data), conditional=True), tmp_path)


def test_statistics_are_measured_on_classes_as_frequent_as_in_the_data() -> None:
    architecture = dataclasses.replace(SMALL, classes=("often", "never", "seldom"))
    latents = statistics_latents(architecture, (0.9, 0.0, 0.1))
    for batch in torch.split(latents[:, SMALL.latent_dim :, 0, 0], 128):
        # Weyl's sequence strays by about log(128) / 128 from the share
        np.testing.assert_allclose(batch.mean(0), (0.9, 0.0, 0.1), atol=0.03)
    assert torch.equal(latents[:, : SMALL.latent_dim], statistics_latents(SMALL))


def test_grids_have_a_column_for_each_of_a_few_classes() -> None:
    inputs = grid_inputs(CONDITIONAL).reshape(8, 10, -1)
    assert np.array_equal(inputs[:, :, 8:], np.tile(np.eye(10), (8, 1, 1)))
    assert all((inputs[row, :, :8] == inputs[row, 0, :8]).all() for row in range(8))
    many = dataclasses.replace(SMALL, classes=tuple(map(str, range(17))))
    assert np.array_equal(grid_inputs(many), many.inputs(range(64)))


def test_diversity_is_within_the_classes() -> None:
    images, labels = load_digits()
    chosen = np.concatenate([np.flatnonzero(labels == digit)[:4] for digit in range(10)])
    pixels, kinds = torch.tensor(images[chosen, None]), torch.tensor(labels[chosen].astype(np.int64))
    state = new_state(tiny_config(Path("digits"), architecture=CONDITIONAL), CPU)
    logits = torch.zeros(40)

    def diversity(generated: Tensor) -> float | None:
        outcome = StepOutcome(torch.zeros(4), logits, logits, generated, kinds)
        return vital_signs(state, pixels, outcome)["diversity"]

    real = to_network(pixels)
    assert diversity(real) == pytest.approx(1.0)
    one_of_each = real[kinds * 4]  # different digits, and each of them always the same
    assert diversity(one_of_each) == 0.0


def test_agreement_is_the_share_of_images_of_the_class_asked_for() -> None:
    logits = torch.zeros(16)
    outcome = StepOutcome(torch.zeros(4), logits, logits, to_network(PIXELS), LABELS)
    found = class_figures(PIXELS, outcome, lambda images: np.eye(10, dtype=np.float32)[[3] * 16], NUMERALS)
    assert found["class_agreement"] == 2 / 16  # 3 and 13
    assert "class_agreement" not in class_figures(
        PIXELS, outcome, lambda images: np.eye(10, dtype=np.float32)[[3] * 16]
    )


def test_networks_held_to_one_class_are_networks_like_others(tmp_path: Path) -> None:
    run_training(
        tiny_config(write_digits(tmp_path / "data"), architecture=CONDITIONAL, epochs=1), tmp_path / "run"
    )
    path = tmp_path / "run" / CHECKPOINT_NAME
    held = load_networks(path, class_name="3")
    generator, discriminator = load_generator(path)[0], load_discriminator(path)[0]
    inputs = torch.from_numpy(CONDITIONAL.inputs([5, 6], [3, 3]))
    images = generator(inputs)
    torch.testing.assert_close(held.generator(inputs[:, :8]), images)
    torch.testing.assert_close(held.discriminator(images), discriminator(images, torch.eye(10)[[3, 3]]))
    assert held.architecture == SMALL
    with pytest.raises(UsageError, match="--class"):
        load_networks(path)
