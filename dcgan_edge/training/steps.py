"""One step of adversarial training: the discriminator first, then the generator, on the same fresh images.

Source: DCGAN, arXiv:1511.06434, section 4; Goodfellow et al. 2014, algorithm 1 with k = 1. Real and generated
images go through the discriminator in batches of their own, so that BatchNorm never mixes the two. What the
losses are and how fast Adam learns is the recipe's.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from dcgan_edge.artifact import Architecture
from dcgan_edge.recipes import Loss, Recipe
from dcgan_edge.training.crew import Alone, Crew, Shard
from dcgan_edge.training.ema import update_average
from dcgan_edge.training.losses import discriminator_loss, generator_loss
from dcgan_edge.training.state import TrainState


@dataclass(frozen=True)
class StepOutcome:
    """What a step leaves for the monitor, on the training device and without a graph.

    `figures` float32 (4,): the discriminator's and the generator's loss, and the mean sigmoid of the
    discriminator on real and on generated images. `real_logits` and `fake_logits` (batch,) are its verdicts
    on them, all before its update. `generated` (batch, channels, size, size) are those images, in [-1, 1],
    `labels` (batch,) the classes of the generated ones and of the real ones, None where there are none.
    """

    figures: Tensor
    real_logits: Tensor
    fake_logits: Tensor
    generated: Tensor
    labels: Tensor | None = None

    def parts(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return what there is one of for each image."""
        return self.real_logits, self.fake_logits, self.generated


def train_step(
    state: TrainState,
    pixels: Tensor,
    recipe: Recipe,
    labels: Tensor | None = None,
    *,
    bf16: bool,
    learning_rate: float | None = None,
    crew: Crew | None = None,
) -> StepOutcome:
    """Train on `pixels` uint8 (batch, channels, size, size) and count the step.

    `labels` int64 (batch,) are the classes of the images, which conditional networks need. The generated ones
    get the same: so they have the classes as often as the data has, and the discriminator, which sees as many
    real as generated images of each class, learns nothing from how often it meets one.

    Where other processes have a part of the batch, `pixels` are those of this one, and all draw the latents
    of the whole batch.

    `learning_rate` is Adam's in this step, None the one that it has. Latents are drawn from torch's global
    generator of the device. The gradients of the step stay in the networks until the next one. `crew` is who
    executes it, None the networks of `state` themselves on the whole batch.
    """
    device = next(state.generator.parameters()).device
    real = to_network(pixels.to(device, non_blocking=True))
    crew = Alone(state) if crew is None else crew
    whole = recipe.batch if crew.group else len(real)
    first = whole * crew.first // crew.count  # of the images of this process
    latents = draw_latents(whole, state.architecture, device)[first : first + len(real)]
    classes = None
    if labels is not None:
        classes = one_hot(labels.to(device), len(state.architecture.classes)).float()
        latents = torch.cat([latents, classes[:, :, None, None]], dim=1)
    if learning_rate is not None:
        state.set_learning_rate(learning_rate)

    def play(shard: Shard, real: Tensor, latents: Tensor, classes: Tensor | None) -> StepOutcome:
        rows = slice(*(whole * i // shard.count - first for i in (shard.index, shard.index + 1)))
        own = None if classes is None else classes[rows]
        return _play(shard, real[rows], latents[rows], own, recipe.loss, batch=whole, bf16=bf16)

    played = crew.run(play, real, latents, classes)
    state.step += 1
    update_average(state.average, state.generator, step=state.step, decay=recipe.ema_decay)
    if len(played) == 1:
        return dataclasses.replace(played[0], labels=labels)
    real_logits, fake_logits, generated = (
        torch.cat(parts) for parts in zip(*(piece.parts() for piece in played), strict=True)
    )
    return StepOutcome(played[0].figures, real_logits, fake_logits, generated, labels)


def _play(
    shard: Shard,
    real: Tensor,
    latents: Tensor,
    classes: Tensor | None,
    loss: Loss,
    *,
    batch: int,
    bf16: bool,
) -> StepOutcome:
    """Take the step on what `shard` has of `batch` images."""
    # the cache of weights in bfloat16 is one for all threads, and emptied by whichever is done first
    alone = shard.count == 1
    autocast = torch.autocast(real.device.type, torch.bfloat16, enabled=bf16, cache_enabled=alone)
    generator, discriminator, share = shard.generator, shard.discriminator, len(real) / batch
    with autocast:
        fake = generator(latents)  # shared by both updates
        real_logits, fake_logits = discriminator(real, classes), discriminator(fake.detach(), classes)
    loss_d = discriminator_loss(loss, real_logits, fake_logits)
    torch.autograd.backward(loss_d * share)
    shard.update("discriminator")

    discriminator.requires_grad_(False)  # the generator's loss needs no gradients of these weights
    with autocast:
        judged = discriminator(fake, classes)
    loss_g = generator_loss(loss, judged)
    torch.autograd.backward(loss_g * share)
    discriminator.requires_grad_(True)

    logits = real_logits.detach().float(), fake_logits.detach().float()
    scores = (verdicts.sigmoid().mean() for verdicts in logits)
    figures = torch.stack([loss_d.detach(), loss_g.detach(), *scores])
    return StepOutcome(shard.update("generator", figures * share), *logits, fake.detach())


def to_network(pixels: Tensor) -> Tensor:
    """Turn uint8 (n, c, h, w), 0..255, into float32 in [-1, 1], channels-last."""
    return pixels.to(torch.float32, memory_format=torch.channels_last).sub_(127.5).div_(127.5)


def draw_latents(count: int, architecture: Architecture, device: torch.device) -> Tensor:
    """Return latents (count, latent_dim, 1, 1) from N(0, 1) or U(-1, 1), whichever the architecture names,
    without classes.
    """
    shape = (count, architecture.latent_dim, 1, 1)
    if architecture.distribution == "uniform":
        return torch.rand(shape, device=device).mul_(2.0).sub_(1.0)
    return torch.randn(shape, device=device)
