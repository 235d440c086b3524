"""Where training runs and in which arithmetic. What is faster is measured here, not guessed."""

from __future__ import annotations

import time
from itertools import pairwise

import torch

from dcgan_edge.errors import UnavailableError
from dcgan_edge.training.config import Arithmetic, Device, TrainConfig
from dcgan_edge.training.state import new_state
from dcgan_edge.training.steps import train_step

TRIAL_BATCH = 32  # images of 32 pixels, fewer of larger ones: enough to tell which is faster, and quick
TRIAL_STEPS = 3
TRIAL_SECONDS = 1.0  # after which one step must do


def resolve_device(device: Device) -> torch.device:
    """The torch device for "auto" (CUDA if it is here), "cpu" or "cuda".

    Raises UnavailableError when CUDA was asked for and is not here.
    """
    if device == "cpu" or (device == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise UnavailableError(
            "There is no CUDA device that this torch can use. Train with --device cpu, or install a CUDA "
            "build of torch for your driver."
        )
    return torch.device("cuda", torch.cuda.current_device())


def resolve_precision(config: TrainConfig, device: torch.device) -> Arithmetic:
    """`config.precision`, or for "auto" the faster of the two for this network on this device.

    "bf16" is autocast: weights, losses and Adam stay float32. Draws nothing from torch's generators.
    """
    if config.precision != "auto":
        return config.precision
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        return (
            "bf16" if _seconds(config, device, bf16=True) < _seconds(config, device, bf16=False) else "fp32"
        )


def _seconds(config: TrainConfig, device: torch.device, *, bf16: bool) -> float:
    """The shortest of a few steps of throw-away networks, after one to warm up."""
    state, architecture = new_state(config, device), config.architecture
    batch = max(2, min(config.batch, TRIAL_BATCH * 32 // max(32, architecture.size)))
    pixels = torch.randint(
        0, 256, (batch, architecture.channels, architecture.size, architecture.size), dtype=torch.uint8
    )
    ends: list[float] = []
    while len(ends) < 2 or (len(ends) <= TRIAL_STEPS and ends[-1] - ends[0] < TRIAL_SECONDS):
        train_step(state, pixels, bf16=bf16, ema_decay=config.ema_decay).tolist()  # waits for the device
        ends.append(time.perf_counter())
    return min(end - start for start, end in pairwise(ends))
