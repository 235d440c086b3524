"""Where training runs and in which arithmetic. What is faster is measured here, not guessed."""

from __future__ import annotations

import math
import time
from typing import get_args

import torch

from dcgan_edge.errors import UnavailableError
from dcgan_edge.runtime.device import parse_device
from dcgan_edge.training.config import Arithmetic, TrainConfig
from dcgan_edge.training.state import new_state
from dcgan_edge.training.steps import train_step

TRIAL_BATCH = 32  # images of 32 pixels, fewer of larger ones: enough to tell which is faster, and quick
TRIAL_ROUNDS = 10
TRIAL_SECONDS = 2.0  # after which the rounds that were had must do


def resolve_device(device: str) -> torch.device:
    """Return the torch device for "auto" (CUDA if it is here), "cpu", "cuda" or "cuda:1".

    Raises UsageError for another word, UnavailableError when CUDA or its GPU of that number is not here.
    """
    chosen = parse_device(device)
    if chosen.kind == "cpu" or (chosen.kind == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise UnavailableError(
            "There is no CUDA device that this torch can use. Train with --device cpu, or install a CUDA "
            "build of torch for your driver."
        )
    if chosen.index >= torch.cuda.device_count():
        raise UnavailableError(
            f"There is no CUDA device {chosen.index}: torch finds {torch.cuda.device_count()}, counted from "
            "0."
        )
    return torch.device("cuda", chosen.index)


def resolve_precision(config: TrainConfig, device: torch.device) -> Arithmetic:
    """`config.precision`, or for "auto" the faster of the two for this network on this device.

    "bf16" is autocast: weights, losses and Adam stay float32. Draws nothing from torch's generators.
    """
    if config.precision != "auto":
        return config.precision
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        seconds = _trial(config, device)
    return min(seconds, key=lambda precision: seconds[precision])


def _trial(config: TrainConfig, device: torch.device) -> dict[Arithmetic, float]:
    """Seconds of a step in either arithmetic: the least of a few, taken in turns, so that whatever else the
    machine does meets both. The networks are thrown away.
    """
    state, architecture = new_state(config, device), config.architecture
    batch = max(2, min(config.batch, TRIAL_BATCH * 32 // max(32, architecture.size)))
    shape = (batch, architecture.channels, architecture.size, architecture.size)
    pixels = torch.randint(0, 256, shape, dtype=torch.uint8)

    def measured(precision: Arithmetic) -> float:
        begun = time.perf_counter()
        step = train_step(state, pixels, bf16=precision == "bf16", ema_decay=config.ema_decay)
        step.figures.tolist()  # waits for the device
        return time.perf_counter() - begun

    both: tuple[Arithmetic, ...] = get_args(Arithmetic)
    for precision in both:  # the first step of each sets things up
        measured(precision)
    best = dict.fromkeys(both, math.inf)
    begun = time.perf_counter()
    for _ in range(TRIAL_ROUNDS):
        for precision in both:
            best[precision] = min(best[precision], measured(precision))
        if time.perf_counter() - begun > TRIAL_SECONDS:
            break
    return best
