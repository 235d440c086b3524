"""One step of adversarial training: the discriminator first, then the generator, on the same fresh images.

Source: DCGAN, arXiv:1511.06434, section 4; Goodfellow et al. 2014, algorithm 1 with k = 1. Real and generated
images go through the discriminator in batches of their own, so that BatchNorm never mixes the two. What the
losses are and how fast Adam learns is the recipe's.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from dcgan_edge.artifact import Architecture
from dcgan_edge.recipes import Recipe
from dcgan_edge.training.ema import update_average
from dcgan_edge.training.losses import discriminator_loss, generator_loss
from dcgan_edge.training.state import TrainState


@dataclass(frozen=True)
class StepOutcome:
    """What a step leaves for the monitor, on the training device and without a graph.

    `figures` float32 (4,): the discriminator's and the generator's loss, and the mean sigmoid of the
    discriminator on real and on generated images. `real_logits` and `fake_logits` (batch,) are its verdicts
    on them, all before its update. `generated` (batch, channels, size, size) are those images, in [-1, 1].
    """

    figures: Tensor
    real_logits: Tensor
    fake_logits: Tensor
    generated: Tensor


def train_step(
    state: TrainState, pixels: Tensor, recipe: Recipe, *, bf16: bool, learning_rate: float | None = None
) -> StepOutcome:
    """Train on `pixels` uint8 (batch, channels, size, size) and count the step.

    `learning_rate` is Adam's in this step, None the one that it has. Latents are drawn from torch's global
    generator of the device. The gradients of the step stay in the networks until the next one.
    """
    generator, discriminator = state.generator, state.discriminator
    device = next(generator.parameters()).device
    real = to_network(pixels.to(device, non_blocking=True))
    latents = draw_latents(len(real), state.architecture, device)
    autocast = torch.autocast(device.type, torch.bfloat16, enabled=bf16)
    if learning_rate is not None:
        state.set_learning_rate(learning_rate)

    with autocast:
        fake = generator(latents)  # shared by both updates
        real_logits, fake_logits = discriminator(real), discriminator(fake.detach())
    loss_d = discriminator_loss(recipe.loss, real_logits, fake_logits)
    state.discriminator_adam.zero_grad()
    torch.autograd.backward(loss_d)
    state.discriminator_adam.step()

    discriminator.requires_grad_(False)  # the generator's loss needs no gradients of these weights
    with autocast:
        judged = discriminator(fake)
    loss_g = generator_loss(recipe.loss, judged)
    state.generator_adam.zero_grad()
    torch.autograd.backward(loss_g)
    state.generator_adam.step()
    discriminator.requires_grad_(True)

    state.step += 1
    update_average(state.average, generator, step=state.step, decay=recipe.ema_decay)
    logits = real_logits.detach().float(), fake_logits.detach().float()
    scores = (verdicts.sigmoid().mean() for verdicts in logits)
    figures = torch.stack([loss_d.detach(), loss_g.detach(), *scores])
    return StepOutcome(figures, *logits, fake.detach())


def to_network(pixels: Tensor) -> Tensor:
    """Turn uint8 (n, c, h, w), 0..255, into float32 in [-1, 1], channels-last."""
    return pixels.to(torch.float32, memory_format=torch.channels_last).sub_(127.5).div_(127.5)


def draw_latents(count: int, architecture: Architecture, device: torch.device) -> Tensor:
    """Return latents (count, latent_dim, 1, 1) from N(0, 1) or U(-1, 1), whichever the architecture names."""
    shape = (count, architecture.latent_dim, 1, 1)
    if architecture.distribution == "uniform":
        return torch.rand(shape, device=device).mul_(2.0).sub_(1.0)
    return torch.randn(shape, device=device)
