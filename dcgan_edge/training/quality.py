"""What an averaged generator is worth while it trains, measured on images of seeds that nobody else uses.

Judging draws no random number and touches no weight: a run is the same, bit for bit, with and without it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import nn

from dcgan_edge.artifact import Architecture
from dcgan_edge.latents import FloatArray

Judge = Callable[[Iterable[FloatArray]], tuple[float, float]]  # batches of images in [-1, 1] -> FID and KID
SEEDS = range(2**41, 2**41 + 1000)  # others than `eval` has: what is chosen here is not flattered there
BATCH = 100


@dataclass(frozen=True)
class Quality:
    """What the averaged generator was worth after `step`: FID and KID to held-out images, lower is better."""

    step: int
    fid: float
    kid: float


def judged(average: nn.Module, architecture: Architecture, step: int, judge: Judge) -> Quality:
    """Return what `judge` finds of 1,000 images of `average`, which is in eval mode, after `step`."""
    fid, kid = judge(_images(average, architecture))
    return Quality(step, fid, kid)


def _images(average: nn.Module, architecture: Architecture) -> Iterator[FloatArray]:
    device = next(average.parameters()).device
    for start in range(0, len(SEEDS), BATCH):
        drawn = architecture.inputs(SEEDS[start : start + BATCH])
        with torch.no_grad():
            yield average(torch.from_numpy(drawn).to(device)).float().cpu().numpy()
