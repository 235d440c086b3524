"""Too little memory, said before a training begins or when it runs out."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

import torch

from dcgan_edge.errors import EdgeError
from dcgan_edge.machine import available_memory
from dcgan_edge.training.config import TrainConfig
from dcgan_edge.training.state import required_bytes


def check_memory(config: TrainConfig, device: torch.device) -> None:
    """Raise EdgeError for networks that do not fit into what is free: a system may kill instead of refuse."""
    free = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else available_memory()
    needed = required_bytes(config)
    if needed > free:
        raise EdgeError(
            f"These networks take at least {needed / 2**30:,.1f} GiB of memory, and {free / 2**30:,.1f} GiB "
            "are free. Choose a smaller --width, --latent-dim or --size."
        )


@contextlib.contextmanager
def shortage_explained() -> Iterator[None]:
    """Turn torch's ways of running out of memory into EdgeError."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        # torch.OutOfMemoryError is a RuntimeError; on the CPU there is only the text to tell it by
        if isinstance(error, RuntimeError) and not re.search("out of memory|n't allocate memory", str(error)):
            raise
        raise EdgeError(
            "There is not enough memory for these networks and this batch. Choose a smaller --batch, --width "
            "or --size."
        ) from error
