"""Figures of a step against their definitions, and that taking them changes nothing."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dcgan_edge.latents import FloatArray
from dcgan_edge.training.state import TrainState, new_state, tensors
from dcgan_edge.training.steps import StepOutcome, to_network, train_step
from dcgan_edge.training.vital_signs import class_figures, gradient_norm, vital_signs
from tests.training.tiny_run import tiny_config

PIXELS = torch.randint(0, 256, (16, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def stepped() -> tuple[TrainState, StepOutcome]:
    torch.manual_seed(0)
    config = tiny_config(Path("digits"))
    state = new_state(config, torch.device("cpu"))
    return state, train_step(state, PIXELS, config, bf16=False)


def outcome(generated: Tensor, real_logits: Tensor, fake_logits: Tensor) -> StepOutcome:
    return StepOutcome(torch.zeros(4), real_logits, fake_logits, generated)


def mean_distance(images: Tensor) -> float:
    pairs = list(itertools.combinations(images.double(), 2))
    return sum(float((one - other).square().sum().sqrt()) for one, other in pairs) / len(pairs)


def test_figures_are_what_their_names_say() -> None:
    state, taken = stepped()
    signs = vital_signs(state, PIXELS, taken)
    assert signs["real_accuracy"] == (taken.real_logits > 0).sum().item() / 16
    assert signs["fake_accuracy"] == (taken.fake_logits < 0).sum().item() / 16
    expected = mean_distance(taken.generated) / mean_distance(to_network(PIXELS))
    assert signs["diversity"] == pytest.approx(expected, rel=1e-5)  # sums of 784 squares in float32
    for figure, network in (("grad_norm_d", state.discriminator), ("grad_norm_g", state.generator)):
        squares = [float(p.grad.double().square().sum()) for p in network.parameters() if p.grad is not None]
        assert len(squares) == len(list(network.parameters()))
        assert signs[figure] == pytest.approx(math.sqrt(sum(squares)), rel=1e-5)


def test_accuracy_counts_verdicts() -> None:
    taken = outcome(
        to_network(PIXELS), torch.tensor([3.0, 0.1, -0.1, 5.0]), torch.tensor([-1.0, 2.0, 3.0, 0.0])
    )
    signs = vital_signs(stepped()[0], PIXELS, taken)
    assert (signs["real_accuracy"], signs["fake_accuracy"]) == (0.75, 0.25)


def test_diversity_is_1_for_real_images_and_0_for_a_single_one() -> None:
    state, taken = stepped()
    assert vital_signs(state, PIXELS, outcome(to_network(PIXELS), taken.real_logits, taken.fake_logits))[
        "diversity"
    ] == pytest.approx(1.0)
    alike = taken.generated[:1].expand(16, 1, 28, 28)
    signs = vital_signs(state, PIXELS, outcome(alike, taken.real_logits, taken.fake_logits))
    assert signs["diversity"] == 0.0
    assert vital_signs(state, PIXELS[:1].expand(16, 1, 28, 28), taken)["diversity"] is None


@pytest.mark.parametrize(
    ("values", "norm"),
    [([3.0, 4.0], 5.0), ([1e30, 1e30], math.sqrt(2) * 1e30), ([math.nan], None), ([], 0.0)],
)
def test_a_norm_is_of_all_gradients_and_finite(values: list[float], norm: float | None) -> None:
    network = nn.ParameterList([nn.Parameter(torch.zeros(1)) for _ in values])
    for parameter, value in zip(network, values, strict=True):
        parameter.grad = torch.tensor([value])
    assert gradient_norm(network) == (norm if norm is None else pytest.approx(norm))


def test_entropy_is_in_bits_of_the_shares_of_classes() -> None:
    def brightest(images: FloatArray) -> FloatArray:
        """Class 0 to 3 by which corner is brightest."""
        assert images.dtype == np.float32
        assert -1 <= images.min() <= images.max() <= 1
        return images[:, 0, [0, 0, -1, -1], [0, -1, 0, -1]]

    _, taken = stepped()
    images = torch.full((16, 1, 28, 28), -1.0)
    images[:8, 0, 0, 0] = images[8:12, 0, 0, -1] = images[12:, 0, -1, 0] = 1.0
    pixels = torch.zeros(4, 1, 28, 28, dtype=torch.uint8)
    pixels[:2, 0, 0, 0] = pixels[2:, 0, -1, -1] = 255
    found = class_figures(pixels, outcome(images, taken.real_logits, taken.fake_logits), brightest)
    assert found == {"class_entropy": 1.5, "real_class_entropy": 1.0}


def test_looking_changes_nothing() -> None:
    state, taken = stepped()
    kept = {name: value.clone() for name, value in tensors(state).items()}
    gradients = [
        parameter.grad.clone() for parameter in state.generator.parameters() if parameter.grad is not None
    ]
    random = torch.get_rng_state()
    vital_signs(state, PIXELS, taken)
    class_figures(PIXELS, taken, lambda images: images[:, 0, 0])
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(value, kept[name]) for name, value in tensors(state).items())
    after = [parameter.grad for parameter in state.generator.parameters() if parameter.grad is not None]
    assert all(torch.equal(one, other) for one, other in zip(gradients, after, strict=True))
