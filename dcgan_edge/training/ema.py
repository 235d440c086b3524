"""The averaged generator, which is the one that grids show and that is exported.

Its weights are an exponential moving average of the generator's. Its BatchNorm statistics are not averaged
but measured, whenever it is about to be used, on latents that are always the same: statistics of one network
do not fit another's weights, and in eval mode they decide what the images look like.

Sources: Yazici et al. 2019, "The Unusual Effectiveness of Averaging in GAN Training", arXiv:1806.04498;
Brock et al. 2019, "Large Scale GAN Training", arXiv:1809.11096, section 4.1 ("standing statistics").
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn, update_bn

from dcgan_edge.artifact import Architecture

STATISTICS_BATCHES = 16  # at 32 pixels and below; larger images have more pixels to each statistic
STATISTICS_BATCH = 128
GOLDEN_RATIO = 0.6180339887498949
STATISTICS_SEEDS = 2**40  # the first of them; far from the seeds that people choose


def averaged_copy(generator: nn.Module) -> nn.Module:
    """Return a copy of `generator` in eval mode that no optimiser touches."""
    return copy.deepcopy(generator).requires_grad_(False).eval()


def ramped_decay(step: int, decay: float) -> float:
    """Return the decay after `step` steps (from 1): small at first, so that the start is soon forgotten."""
    return min(decay, (1 + step) / (10 + step))


def update_average(average: nn.Module, generator: nn.Module, *, step: int, decay: float) -> None:
    """Move the weights of `average` towards those of `generator`, after training step `step` (from 1).

    `torch.optim.swa_utils.AveragedModel` itself would copy the weights at its first update, and has no decay
    that changes; its update function is used.
    """
    move = get_ema_multi_avg_fn(ramped_decay(step, decay))
    move(list(average.parameters()), list(generator.parameters()), step)


def statistics_latents(architecture: Architecture, shares: Sequence[float] = ()) -> Tensor:
    """Return (n, input_dim, 1, 1), float32, the same on every machine; n is 2,048, or 512 at 128 pixels.

    `shares` are those of the classes in the data: each batch has them too, as near as it can.
    """
    batches = max(1, STATISTICS_BATCHES * 32 // max(32, architecture.size))
    seeds = range(STATISTICS_SEEDS, STATISTICS_SEEDS + batches * STATISTICS_BATCH)
    if not architecture.classes:
        return torch.from_numpy(architecture.inputs(seeds))
    # Weyl's sequence is even in every part of it, and so are the classes that it falls upon.
    points = (np.arange(len(seeds)) + 0.5) * GOLDEN_RATIO % 1.0
    classes = np.searchsorted(np.cumsum(shares)[:-1], points, side="right")
    return torch.from_numpy(architecture.inputs(seeds, classes.tolist()))


def measure_statistics(generator: nn.Module, latents: Tensor) -> None:
    """Set the BatchNorm statistics of `generator` to those of its own images of `latents`.

    `latents` are float32 (n, input_dim, 1, 1). The statistics are the plain mean over batches; nothing of
    earlier ones is left. The generator is in eval mode afterwards.
    """
    update_bn(torch.split(latents, STATISTICS_BATCH), generator)
    generator.eval()
