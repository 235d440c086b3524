"""One training step against a plain one, written out from the paper."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from dcgan_edge.images import from_uint8
from dcgan_edge.latents import Distribution
from dcgan_edge.training.state import MOMENTS, new_state
from dcgan_edge.training.steps import draw_latents, to_network, train_step
from tests.training.tiny_run import SMALL, tiny_config

CPU = torch.device("cpu")
CONFIG = tiny_config(Path("digits"))
PIXELS = torch.randint(0, 256, (16, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def gradients(*networks: nn.Module) -> Iterator[Tensor]:
    for network in networks:
        for parameter in network.parameters():
            assert parameter.grad is not None
            yield parameter.grad


def plain_step(generator: nn.Module, discriminator: nn.Module, latents: Tensor) -> list[float]:
    """Losses of a step in which the discriminator learns first, then the generator from its new verdict."""
    ones, zeros = torch.ones(len(PIXELS)), torch.zeros(len(PIXELS))
    adam = torch.optim.Adam(discriminator.parameters(), 2e-4, (0.5, 0.999), foreach=False)
    real, fake = torch.from_numpy(from_uint8(PIXELS.numpy())), generator(latents)
    loss_d = binary_cross_entropy_with_logits(discriminator(real), ones)
    loss_d = loss_d + binary_cross_entropy_with_logits(discriminator(fake.detach()), zeros)
    torch.autograd.backward(loss_d)
    adam.step()
    kept = [gradient.clone() for gradient in gradients(discriminator)]
    loss_g = binary_cross_entropy_with_logits(discriminator(fake), ones)
    torch.autograd.backward(loss_g)
    for parameter, grad in zip(discriminator.parameters(), kept, strict=True):
        parameter.grad = grad  # what the generator's loss added is not the discriminator's
    return [loss_d.item(), loss_g.item()]


def test_a_step_is_the_papers_step() -> None:
    torch.manual_seed(0)
    state = new_state(CONFIG, CPU)
    generator, discriminator = copy.deepcopy(state.generator), copy.deepcopy(state.discriminator)
    before = torch.get_rng_state()
    losses = train_step(state, PIXELS, CONFIG, bf16=False).figures
    torch.set_rng_state(before)
    expected = plain_step(generator, discriminator, draw_latents(len(PIXELS), SMALL, CPU))
    # float32 with sums in another order
    torch.testing.assert_close(losses[:2], torch.tensor(expected), atol=1e-5, rtol=1e-5)
    for mine, theirs in zip(
        gradients(state.generator, state.discriminator), gradients(generator, discriminator), strict=True
    ):
        torch.testing.assert_close(mine, theirs, atol=1e-6, rtol=1e-3)
    assert state.step == 1


def test_the_fused_adam_is_adam_in_channels_last_order() -> None:
    """torch's plain loop over the same gradients, for five steps."""
    torch.manual_seed(0)
    state = new_state(CONFIG, CPU)
    plain = copy.deepcopy(state.discriminator)
    adam = torch.optim.Adam(plain.parameters(), 2e-4, (0.5, 0.999), foreach=False, fused=False)
    for _ in range(5):
        for mine, theirs in zip(state.discriminator.parameters(), plain.parameters(), strict=True):
            mine.grad = torch.randn_like(mine)
            theirs.grad = mine.grad.clone()
        state.discriminator_adam.step()
        adam.step()
    for mine, theirs in zip(state.discriminator.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-7, rtol=1e-6)  # float32 roundings of 5 steps of 2e-4


def test_the_networks_lie_in_the_order_that_convolutions_like() -> None:
    state = new_state(CONFIG, CPU)
    for network in state.networks().values():
        for parameter in network.parameters():
            if parameter.dim() == 4:
                assert parameter.is_contiguous(memory_format=torch.channels_last)
    for network, adam in state.optimisers().values():
        for parameter in network.parameters():
            assert [adam.state[parameter][m].stride() for m in MOMENTS[1:]] == [parameter.stride()] * 2


@pytest.mark.parametrize("bf16", [False, True])
def test_steps_teach_both_networks(bf16: bool) -> None:
    """On one batch, over and over, the discriminator comes to tell real from generated."""
    torch.manual_seed(0)
    state = new_state(dataclasses.replace(CONFIG, learning_rate=2e-3), CPU)
    first = train_step(state, PIXELS, CONFIG, bf16=bf16).figures.tolist()
    for _ in range(30):
        last = train_step(state, PIXELS, CONFIG, bf16=bf16).figures.tolist()
    assert last[0] < 0.8 * first[0]
    assert last[2] > 0.6 > 0.4 > last[3]
    for network in state.networks().values():
        assert all(parameter.dtype == torch.float32 for parameter in network.parameters())


def test_bf16_is_close_to_fp32() -> None:
    losses = []
    for bf16 in (False, True):
        torch.manual_seed(0)
        losses.append(train_step(new_state(CONFIG, CPU), PIXELS, CONFIG, bf16=bf16).figures)
    # eight bits of mantissa, 2**-8 = 0.4 %, through some layers
    torch.testing.assert_close(losses[0], losses[1], rtol=0.02, atol=0.02)
    assert not torch.equal(losses[0], losses[1])


def test_pixels_become_what_the_networks_expect() -> None:
    # one division against a division and a subtraction in another order: a rounding of float32
    torch.testing.assert_close(
        to_network(PIXELS), torch.from_numpy(from_uint8(PIXELS.numpy())), atol=1e-7, rtol=0
    )


@pytest.mark.parametrize(("distribution", "deviation"), [("normal", 1.0), ("uniform", 3**-0.5)])
def test_latents_follow_their_distribution(distribution: Distribution, deviation: float) -> None:
    torch.manual_seed(0)
    drawn = draw_latents(1000, dataclasses.replace(SMALL, distribution=distribution), CPU)
    assert drawn.shape == (1000, SMALL.latent_dim, 1, 1)
    assert abs(drawn.mean()) < 5 * deviation / 8000**0.5  # five standard errors
    assert abs(drawn.std() - deviation) < 5 * deviation / 8000**0.5
    assert (drawn.abs().max() <= 1) == (distribution == "uniform")
