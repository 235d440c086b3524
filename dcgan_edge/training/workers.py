"""Threads that take one training step together, each on its shard of the batch.

Torch's own threads share the work within each layer, which is too little for them where layers are small, and
wait for each other by spinning, which is ruinous where another program wants the processor. Here each thread
takes its images through both networks by itself; they meet where BatchNorm needs the statistics of the whole
batch and where gradients are added, and a thread that waits sleeps.

The arithmetic is that of the number of shards alone: which images are in which, and in what order sums are
added, is fixed. One core that takes two shards in turn, two cores, or two processes with a shard each (see
`distributed`) come to the same bits.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, TypeVar

import torch
from torch import Tensor

from dcgan_edge.errors import UsageError
from dcgan_edge.machine import cpu_count
from dcgan_edge.training.captured import Captured
from dcgan_edge.training.config import TrainConfig
from dcgan_edge.training.crew import Alone, Shard
from dcgan_edge.training.distributed import Group
from dcgan_edge.training.replica import Replica
from dcgan_edge.training.state import TrainState

T = TypeVar("T")
LEAST_IMAGES = (
    16  # of 28 pixels in networks of width 32, for a thread; with fewer it is busy with other things
)
LEAST_SIDE = 28 * 32


def default_shards(config: TrainConfig, device: torch.device, processes: int = 1, cores: int = 0) -> int:
    """Return in how many shards a batch is taken unless the user says: a rule, and nothing is measured.

    On a CPU that is the largest power of two that there are cores for, if each shard has 16 images at least
    (fewer of larger images or in wider networks), as of `cores`, 0 for those of this machine, and one for
    each of `processes` at least. On any other device each process takes its images as one.
    """
    if device.type != "cpu":
        return processes
    side = config.architecture.size * config.architecture.width
    least = max(1, LEAST_IMAGES * LEAST_SIDE // max(LEAST_SIDE, side))
    most = min(cores or cpu_count(), config.batch // least)
    shards = 1 << (max(1, most).bit_length() - 1)
    return max(1, shards // processes) * processes


def open_crew(state: TrainState, shards: int, group: Group | None = None) -> Alone | Workers:
    """Return who executes the steps of `state`, to be closed: threads, or one that needs none.

    On a GPU the images of a process are one shard, and the steps of a single process are CUDA graphs. Raises
    UsageError for a `group` of processes among whom the shards cannot be dealt out evenly.
    """
    kind = next(state.generator.parameters()).device.type
    is_cpu = kind == "cpu"
    if group is not None:
        if is_cpu and shards % group.size:
            raise UsageError(
                f"A batch of this run has {shards} shards, which {group.size} processes cannot share evenly. "
                f"Start another number of processes, which divides {shards}."
            )
        return Workers(state, shards if is_cpu else group.size, group)
    if shards > 1 and is_cpu:
        return Workers(state, shards)
    return Captured(state) if kind == "cuda" else Alone(state)


class Workers:
    """A thread for each shard of `count` that this process has: all, or an equal part of them in a `group`.

    Open, torch's own threads are switched off; `close` ends that.
    """

    def __init__(self, state: TrainState, count: int, group: Group | None = None) -> None:
        here = count // (group.size if group else 1)
        self.count, self.group = count, group
        self.first = group.rank * here if group else 0
        self._barrier = threading.Barrier(here, action=self._act)
        self._values: list[Any] = [None] * here
        self._combine: Callable[[Sequence[Any]], Any] = list
        self._result: Any = None
        self._replicas = {name: Replica(*pair) for name, pair in state.optimisers().items()}
        self._has_dropout = any(replica.has_dropout for replica in self._replicas.values())
        self._shards = [_Member(self, index, self._replicas) for index in range(here)]
        self._threads = torch.get_num_threads()
        torch.set_num_threads(1)
        self._pool = ThreadPoolExecutor(max(1, here - 1), "shard", torch.set_num_threads, (1,))

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the threads and give torch its own back."""
        self._pool.shutdown()
        torch.set_num_threads(self._threads)

    def run(self, work: Callable[..., T], *inputs: Tensor | None) -> list[T]:
        """Return what `work` returns for each shard, in their order.

        What one of them raises is raised here when all have ended; the others are not waited for at the next
        meeting but ended as well.
        """
        for replica in self._replicas.values():
            replica.begin()
        if self._has_dropout:
            seeds = torch.randint(2**62, (self.count,)).tolist()
            for shard in self._shards:
                shard.random.manual_seed(seeds[shard.index])
        running = [self._pool.submit(self._guarded, work, shard, *inputs) for shard in self._shards[1:]]
        try:
            first = self._guarded(work, self._shards[0], *inputs)
        except threading.BrokenBarrierError:
            _raise_first([future.exception() for future in running])
            raise
        return [first, *(future.result() for future in running)]

    def meet(self, index: int, value: T, combine: Callable[[Sequence[T]], Any]) -> Any:
        """Return `combine` of the values that all shards bring, in their order; it is called once."""
        self._values[index] = value
        self._combine = combine
        self._barrier.wait()
        return self._result

    def sum(self, values: Sequence[list[Tensor]]) -> list[Tensor]:
        """Return the sums of what the shards of all processes bring, given that of those here."""
        summed = tree_sum(values)
        return self.group.sum(summed) if self.group else summed

    def _act(self) -> None:
        self._result = self._combine(self._values)

    def _guarded(self, work: Callable[..., T], shard: Shard, *inputs: Tensor | None) -> T:
        try:
            return work(shard, *inputs)
        except BaseException:
            self._barrier.abort()
            raise


class _Member:
    """One shard: copies of the networks over the same weights, with gradients of their own."""

    def __init__(self, workers: Workers, here: int, replicas: dict[str, Replica]) -> None:
        self.index, self.count = workers.first + here, workers.count
        self._workers, self._replicas, self._here = workers, replicas, here
        self.random = torch.Generator(replicas["generator"].device)

        def total(value: Tensor) -> Tensor:
            summed: Tensor = workers.meet(here, [value], workers.sum)[0]
            return summed

        self.generator, self.discriminator = (
            replicas[name].shard(here, total, self.random) for name in ("generator", "discriminator")
        )

    def update(self, network: str, figures: Tensor | None = None) -> Tensor:
        """See `Shard`."""
        replica = self._replicas[network]

        def take_step(gradients: Sequence[list[Tensor]]) -> Tensor:
            *summed, figures = self._workers.sum(gradients)
            replica.step(summed)
            return figures

        gradients = replica.take_gradients(self._here)
        figures = gradients[0].new_zeros(()) if figures is None else figures
        result: Tensor = self._workers.meet(self._here, [*gradients, figures], take_step)
        return result


def tree_sum(values: Sequence[list[Tensor]]) -> list[Tensor]:
    """Return the sum of lists of tensors: neighbours first, then pairs of neighbours, and so on.

    The sums of a half of the shards are thus the same whether the other half is here or in another process.
    """
    if len(values) == 1:
        return values[0]
    middle = (len(values) + 1) // 2
    left, right = tree_sum(values[:middle]), tree_sum(values[middle:])
    return list(torch._foreach_add(left, right))


def _raise_first(errors: Sequence[BaseException | None]) -> None:
    """Raise the error that broke the meeting, rather than that it was broken."""
    for error in errors:
        if error is not None and not isinstance(error, threading.BrokenBarrierError):
            raise error
