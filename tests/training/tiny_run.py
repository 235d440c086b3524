"""The smallest run that has everything: 80 digits, two feature maps, five steps an epoch."""

from __future__ import annotations

import dataclasses
import json
import struct
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from dcgan_edge.artifact import Architecture
from dcgan_edge.data import load_digits
from dcgan_edge.training import CHECKPOINT_NAME, TrainConfig

torch.set_num_threads(1)  # networks this small only wait for one another on several, long on a busy machine
SMALL = Architecture("dcgan", 28, 1, width=2, latent_dim=8)
IMAGES, BATCH = 83, 16  # three images are left over in each epoch
STEPS_PER_EPOCH = IMAGES // BATCH


def write_digits(folder: Path) -> Path:
    """An IDX folder with the first bundled digits and their labels."""
    folder.mkdir(parents=True, exist_ok=True)
    images, labels = (each[:IMAGES] for each in load_digits())
    start = struct.pack(">HBBI", 0, 8, 1, len(labels))
    (folder / "train-labels-idx1-ubyte").write_bytes(start + labels.tobytes())
    header = struct.pack(">HBB3I", 0, 8, 3, *images.shape)
    (folder / "train-images-idx3-ubyte").write_bytes(header + images.tobytes())
    return folder


def tiny_config(data: Path, *, epochs: int | None = 4, **changes: Any) -> TrainConfig:
    config = TrainConfig(
        SMALL,
        data=str(data),
        batch=BATCH,
        epochs=epochs,
        device="cpu",
        precision="fp32",
        log_every=1,
        grid_every=10_000,
        checkpoint_seconds=1000.0,
        minutes=None if epochs else 1.0,
    )
    return dataclasses.replace(config, **changes)


def weights(out: Path) -> dict[str, Tensor]:
    return load_file(out / CHECKPOINT_NAME)


def metrics(out: Path) -> list[dict[str, Any]]:
    """The lines of metrics.jsonl without the one figure that is a time."""
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name != "images_per_second"} for line in lines]


def assert_same_run(one: Path, other: Path) -> None:
    """Every tensor, random states included, and every metric, bit for bit."""
    mine, theirs = weights(one), weights(other)
    assert mine.keys() == theirs.keys()
    assert [name for name in mine if not torch.equal(mine[name], theirs[name])] == []
    assert metrics(one) == metrics(other)
