"""The averaged generator, which is the one that grids show and that is exported.

Its weights are an exponential moving average of the generator's. Its BatchNorm statistics are not averaged
but measured, whenever it is about to be used, on latents that are always the same: statistics of one network
do not fit another's weights, and in eval mode they decide what the images look like.

Sources: Yazici et al. 2019, "The Unusual Effectiveness of Averaging in GAN Training", arXiv:1806.04498;
Brock et al. 2019, "Large Scale GAN Training", arXiv:1809.11096, section 4.1 ("standing statistics").
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from dcgan_edge.artifact import Architecture
from dcgan_edge.latents import latents

STATISTICS_BATCHES = 16  # at 32 pixels and below; larger images have more pixels to each statistic
STATISTICS_BATCH = 128
STATISTICS_SEEDS = 2**40  # the first of them; far from the seeds that people choose


def averaged_copy(generator: nn.Module) -> nn.Module:
    """A copy of `generator` in eval mode that no optimiser touches."""
    return copy.deepcopy(generator).requires_grad_(False).eval()


def ramped_decay(step: int, decay: float) -> float:
    """The decay after `step` steps (from 1): short memory at first, so that the start is soon forgotten."""
    return min(decay, (1 + step) / (10 + step))


@torch.no_grad()
def update_average(average: nn.Module, generator: nn.Module, *, step: int, decay: float) -> None:
    """Move the weights of `average` towards those of `generator`, after training step `step` (from 1)."""
    share = 1.0 - ramped_decay(step, decay)
    for mean, value in zip(average.parameters(), generator.parameters(), strict=True):
        mean.lerp_(value, share)


def statistics_latents(architecture: Architecture) -> Tensor:
    """(n, latent_dim, 1, 1), float32, the same on every machine; n is 2,048, or 512 at 128 pixels."""
    batches = max(1, STATISTICS_BATCHES * 32 // max(32, architecture.size))
    seeds = range(STATISTICS_SEEDS, STATISTICS_SEEDS + batches * STATISTICS_BATCH)
    return torch.from_numpy(latents(seeds, architecture.latent_dim, architecture.distribution))


@torch.no_grad()
def measure_statistics(generator: nn.Module, latents: Tensor) -> None:
    """Set the BatchNorm statistics of `generator` to those of its own images of `latents`, float32.

    They are the plain mean over batches; nothing of earlier statistics is left. Leaves eval mode on.
    """
    norms = [module for module in generator.modules() if isinstance(module, _BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # cumulative average
        norm.train()
    for batch in torch.split(latents, STATISTICS_BATCH) if norms else ():
        generator(batch)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    generator.eval()
