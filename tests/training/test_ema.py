"""The averaged generator: its weights, its memory, its BatchNorm statistics."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from dcgan_edge.models import build_generator
from dcgan_edge.training.ema import (
    averaged_copy,
    measure_statistics,
    ramped_decay,
    statistics_latents,
    update_average,
)
from tests.training.tiny_run import SMALL


def test_the_decay_ramps_up_to_its_limit() -> None:
    assert ramped_decay(1, 0.999) == 2 / 11
    assert ramped_decay(10**6, 0.999) == 0.999
    decays = [ramped_decay(step, 0.99) for step in range(1, 2000)]
    assert decays == sorted(decays)


def test_the_average_follows_by_its_definition() -> None:
    generator = nn.Linear(1, 1)
    average = averaged_copy(generator)
    expected = generator.weight.item()
    for step in range(1, 30):
        with torch.no_grad():
            generator.weight.fill_(float(step))
        update_average(average, generator, step=step, decay=0.8)
        decay = min(0.8, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * step
    assert next(average.parameters()).item() == pytest.approx(
        expected, rel=1e-5
    )  # float32 against float64, 30 steps


def test_the_copy_is_of_its_own_and_without_gradients() -> None:
    generator = build_generator(SMALL)
    average = averaged_copy(generator)
    update_average(average, generator, step=1, decay=0.9)
    assert not any(parameter.requires_grad for parameter in average.parameters())
    assert all(parameter.requires_grad for parameter in generator.parameters())
    assert not average.training


def test_statistics_are_those_of_the_images_in_eval_mode() -> None:
    """In train mode BatchNorm normalises each batch by itself; in eval mode, with the statistics measured
    here, it must do very nearly the same.
    """
    torch.manual_seed(0)
    generator = build_generator(SMALL)
    latents = statistics_latents(SMALL)
    for module in generator.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.load_state_dict(
                {**module.state_dict(), "running_var": torch.full_like(module.weight, 81.0)}
            )
    measure_statistics(generator, latents)
    assert not any(module.training for module in generator.modules())
    with torch.no_grad():
        own = generator.train()(latents[:512])
        fixed = generator.eval()(latents[:512])
    # statistics of 2,048 images against those of 512: some per cent of the images' contrast
    assert (own - fixed).abs().mean() < 0.05 * own.std()


def test_statistics_are_a_pure_function_of_the_weights() -> None:
    torch.manual_seed(0)
    generator = build_generator(SMALL)
    latents = statistics_latents(SMALL)[:256]
    measure_statistics(generator, latents)
    first = {name: value.clone() for name, value in generator.state_dict().items()}
    generator.train()(torch.randn(64, SMALL.latent_dim, 1, 1))
    random = torch.get_rng_state()
    measure_statistics(generator, latents)
    assert all(torch.equal(value, first[name]) for name, value in generator.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random)
    assert all(m.momentum == 0.1 for m in generator.modules() if isinstance(m, nn.BatchNorm2d))


def test_a_generator_without_batchnorm_is_left_alone() -> None:
    measure_statistics(nn.Linear(3, 3), statistics_latents(SMALL))
