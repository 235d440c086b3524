"""One training in several processes, started by torchrun: each takes its share of the shards of every batch.

The first process leads: it has the folder, the clock and the last word, and tells the others before each step
that there is one and at what learning rate. They have the images, and answer with sums only: of BatchNorm's
statistics and of gradients. So all hold the same weights, and only one writes. Whoever ends, the connections
of the others to it end too, and nobody waits.

On CPUs the processes exchange by gloo, and add in a fixed order, so that a number of shards comes to the same
bits in one process and in several. On NVIDIA GPUs they exchange by NCCL, each with its own GPU.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from dcgan_edge.errors import EdgeError
from dcgan_edge.training.state import TrainState, tensors

END, BEGIN, STEP = 0.0, 1.0, 2.0
PATIENCE = timedelta(minutes=30)  # while the first process evaluates or writes, the others wait


class PeerError(EdgeError):
    """Another process of the training has failed or was interrupted; it, or the first one, says why.

    This one ends as if all was well: torchrun would end the first before it has said anything.
    """

    exit_code = 0


class Group:
    """The processes of this training. `rank` is the number of this one, from 0, of `size`."""

    def __init__(self, rank: int, size: int) -> None:
        self.rank, self.size = rank, size
        self.is_in_step = False  # when the others wait for sums and for nothing else

    def tell(self, kind: float, value: Any = None) -> None:
        """Tell the other processes what comes next; the first process does. `value` of a step is a number or
        None.
        """
        self.is_in_step = kind == STEP
        with _loss_explained():
            number = math.nan if kind != STEP or value is None else value
            dist.broadcast(torch.tensor([kind, number], dtype=torch.float64), 0)
            if kind != STEP:
                dist.broadcast_object_list([value], 0)

    def hear(self) -> tuple[float, Any]:
        """Return what the first process tells: a kind and its value."""
        told = torch.empty(2, dtype=torch.float64)
        with _loss_explained():
            dist.broadcast(told, 0)
            kind, value = told.tolist()
            if kind == STEP:
                return kind, None if math.isnan(value) else value
            values = [None]
            dist.broadcast_object_list(values, 0)
        return kind, values[0]

    def share(self, state: TrainState) -> None:
        """Give every process the tensors and the random numbers of the first."""
        device = next(state.generator.parameters()).device
        with _loss_explained(), torch.no_grad():
            for value in tensors(state).values():
                whole = value.contiguous()
                dist.broadcast(whole, 0)
                value.copy_(whole)
            random = torch.get_rng_state()
            dist.broadcast(random, 0)
            torch.set_rng_state(random)
            if device.type == "cuda":
                random = torch.cuda.get_rng_state(device)
                dist.broadcast(random, 0)
                torch.cuda.set_rng_state(random, device)

    def raise_if_unready(self, error: EdgeError | None) -> None:
        """Raise what keeps a process from taking part, in all of them: `error` is what keeps this one."""
        found: list[Any] = [None] * self.size
        with _loss_explained():
            dist.all_gather_object(found, None if error is None else str(error))
        for rank, message in enumerate(found):
            if message is not None:
                raise (EdgeError if self.rank == 0 else PeerError)(
                    f"Process {rank} of this training cannot take part: {message}"
                )

    def sum(self, values: Sequence[Tensor]) -> list[Tensor]:
        """Return the sums of `values`, tensors of one type, over all processes, in the same order in each."""
        flat = torch.cat([value.reshape(-1) for value in values])
        with _loss_explained():
            if flat.is_cuda:
                dist.all_reduce(flat)
            else:
                parts = [torch.empty_like(flat) for _ in range(self.size)]
                dist.all_gather(parts, flat)
                flat = _by_halves(parts)
        pieces = torch.split_with_sizes(flat, [value.numel() for value in values])
        # in the memory order of the weights, which the fused Adam expects
        return [torch.empty_like(v).copy_(p.view(v.shape)) for v, p in zip(values, pieces, strict=True)]


def _by_halves(parts: Sequence[Tensor]) -> Tensor:
    if len(parts) == 1:
        return parts[0]
    middle = (len(parts) + 1) // 2
    return _by_halves(parts[:middle]) + _by_halves(parts[middle:])


@contextmanager
def open_group(device: torch.device) -> Iterator[Group | None]:
    """Join the processes that torchrun has started, within the block; None if it has not, or only one."""
    if not is_distributed():
        yield None
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    with _loss_explained():
        dist.init_process_group(backend, timeout=PATIENCE)
    try:
        yield Group(dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()


def is_distributed() -> bool:
    """Return whether torchrun started this process as one of several."""
    return dist.is_available() and dist.is_torchelastic_launched() and int(os.environ["WORLD_SIZE"]) > 1


def local_device(device: str) -> str:
    """Return the device of this process for a request: of several processes, each has a GPU of its own."""
    if is_distributed() and device in ("auto", "cuda") and torch.cuda.is_available():
        return f"cuda:{os.environ['LOCAL_RANK']}"
    return device


@contextmanager
def _loss_explained() -> Iterator[None]:
    """Turn what torch raises when a process is gone into an error that says so."""
    try:
        yield
    except RuntimeError as error:
        message = (
            "A process of this training has ended, and without it there is no next step. The last checkpoint "
            "is kept; go on from there with --resume, with as many processes as you like."
        )
        rank = int(os.environ.get("RANK", "0"))
        raise (EdgeError if rank == 0 else PeerError)(message) from error
