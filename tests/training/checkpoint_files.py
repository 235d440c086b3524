"""A checkpoint of a small run after two steps, and copies of it in which something was changed."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from dcgan_edge.latents import latents
from dcgan_edge.models import preset_spec
from dcgan_edge.training.ema import measure_statistics
from dcgan_edge.training.header import METADATA_KEY, Header
from dcgan_edge.training.state import TrainState, new_state
from dcgan_edge.training.steps import train_step
from tests.training.tiny_run import BATCH, SMALL, tiny_config

CPU = torch.device("cpu")
HEADER = Header(
    tiny_config(Path("digits")),
    "fp32",
    2,
    0,
    2,
    83,
    1.5,
    {"torch": torch.__version__},
    "",
    preset_spec(SMALL),
)
Z = torch.from_numpy(latents(range(8), SMALL.latent_dim))


def trained_state() -> TrainState:
    torch.manual_seed(0)
    state = new_state(HEADER.config, CPU)
    for _ in range(HEADER.step):
        pixels = torch.randint(0, 256, (BATCH, 1, 28, 28), dtype=torch.uint8)
        train_step(state, pixels, dataclasses.replace(HEADER.config, ema_decay=0.9), bf16=False)
    measure_statistics(state.average, torch.randn(256, SMALL.latent_dim, 1, 1))
    return state


def altered(
    source: Path,
    target: Path,
    *,
    tensor: Callable[[dict[str, Tensor]], object] = lambda named: None,
    header: Callable[[dict[str, Any]], object] = lambda facts: None,
) -> Path:
    """A copy of a checkpoint whose tensors and header went through the two functions."""
    named = load_file(source)
    with safe_open(source, framework="pt") as file:
        facts = json.loads(file.metadata()[METADATA_KEY])
    tensor(named)
    header(facts)
    save_file(named, target, {METADATA_KEY: json.dumps(facts)})
    return target
