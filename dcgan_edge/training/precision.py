"""Where training runs and in which arithmetic: rules, so that the same command is the same run."""

from __future__ import annotations

import torch

from dcgan_edge.errors import UnavailableError
from dcgan_edge.runtime.device import parse_device
from dcgan_edge.training.config import Arithmetic, TrainPrecision

BF16_CAPABILITY = (8, 0)  # compute capability of Ampere, the first with bfloat16 in its tensor cores


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
            f"There is no CUDA device {chosen.index}: torch finds {torch.cuda.device_count()}, from 0 on."
        )
    return torch.device("cuda", chosen.index)


def resolve_precision(precision: TrainPrecision, device: torch.device) -> Arithmetic:
    """Return `precision`, or for "auto" what the device is made for.

    That is "bf16" on NVIDIA GPUs of compute capability 8.0 and newer with a CUDA build of torch, and "fp32"
    everywhere else, on every CPU too. Nothing is measured: the same command and seed have the same arithmetic
    at any time. "bf16" is autocast: weights, losses and Adam stay float32.
    """
    if precision != "auto":
        return precision
    if device.type != "cuda" or torch.version.cuda is None:
        return "fp32"
    return "bf16" if torch.cuda.get_device_capability(device) >= BF16_CAPABILITY else "fp32"
