"""Who executes a training step: the contract, and the simplest crew, which is one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

import torch
from torch import Tensor, nn

from dcgan_edge.training.distributed import Group
from dcgan_edge.training.state import TrainState

T = TypeVar("T")
NOTHING = torch.zeros(())


class Shard(Protocol):
    """The networks for one shard of a batch. `index` of `count` is its place in the batch."""

    index: int
    count: int
    generator: nn.Module
    discriminator: nn.Module

    def update(self, network: str, figures: Tensor | None = None) -> Tensor:
        """Let the optimiser of `network` take its step by the gradients of all shards, and return the sum of
        their `figures`. Every shard calls it, and each returns when all have and the step is taken.
        """
        ...


class Crew(Protocol):
    """Whatever executes a step: one shard in the networks themselves, or several in threads.

    A batch has `count` shards, of which those of this process begin with number `first`; `group` are the
    processes that have the others, None if there are none.
    """

    count: int
    first: int
    group: Group | None

    def run(self, work: Callable[..., T], *inputs: Tensor | None) -> list[T]:
        """Return what `work` returns for each shard of this process, in their order, when called with the
        shard and `inputs`. No gradients are left of an earlier step when it begins.
        """
        ...


class Alone:
    """The whole batch as one shard, in the networks themselves, with torch's own threads."""

    index, first, count = 0, 0, 1
    group: Group | None = None

    def __init__(self, state: TrainState) -> None:
        self.generator, self.discriminator = state.generator, state.discriminator
        self._optimisers = state.optimisers()

    def update(self, network: str, figures: Tensor | None = None) -> Tensor:
        """Take the step of the optimiser and return `figures`."""
        self._optimisers[network][1].step()
        return NOTHING if figures is None else figures

    def run(self, work: Callable[..., T], *inputs: Tensor | None) -> list[T]:
        """Return what `work` returns, in a list."""
        for _, adam in self._optimisers.values():
            adam.zero_grad()
        return [work(self, *inputs)]

    def __enter__(self) -> Alone:
        return self

    def __exit__(self, *_: object) -> None:
        pass
