"""A training step as one CUDA graph: on a GPU, a step of small networks is mostly the launching of kernels.

That of a 28-pixel DCGAN is a thousand kernels of a few microseconds each, and Python takes longer to launch
one than the GPU to run it. Captured once, they are launched together. Kernels and order are those of a step
that is not captured. Source: CUDA C++ Programming Guide, "CUDA Graphs".
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor

from dcgan_edge.training.crew import Alone
from dcgan_edge.training.state import TrainState

T = TypeVar("T")
WARM_UP = 3  # steps in which libraries choose their kernels and allocate what they keep

_log = logging.getLogger(__name__)


class Captured(Alone):
    """The whole batch as one shard on an NVIDIA GPU, launched as one graph after the first WARM_UP steps.

    What `run` returns is overwritten by the next step. Where CUDA refuses to capture a step, it is said once,
    and the steps go on as before.
    """

    def __init__(self, state: TrainState) -> None:
        super().__init__(state)
        self._state = state
        device = next(state.generator.parameters()).device
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._graph: torch.cuda.CUDAGraph | None = None
        self._inputs: list[Tensor | None] = []
        self._result: list[Any] = []
        self._left = WARM_UP

    def run(self, work: Callable[..., T], *inputs: Tensor | None) -> list[T]:
        """Return what `work` returns, in a list; `work` is the same in every call, and so are the shapes."""
        if self._graph is None and self._left == 0:
            self._capture(work, inputs)
        if self._graph is None:
            self._left -= 1
            return self._beside(work, inputs)
        for own, given in zip(self._inputs, inputs, strict=True):
            if own is not None and given is not None:
                own.copy_(given)
        self._graph.replay()
        return self._result

    def _beside(self, work: Callable[..., T], inputs: tuple[Tensor | None, ...]) -> list[T]:
        """Run `work` in the stream of the capture, where CUDA wants what comes before one."""
        current = torch.cuda.current_stream(self._stream.device)
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream):
            result = super().run(work, *inputs)
        current.wait_stream(self._stream)
        return result

    def _capture(self, work: Callable[..., T], inputs: tuple[Tensor | None, ...]) -> None:
        self._state.let_adam_be_captured()
        self._inputs = [None if each is None else each.clone() for each in inputs]
        graph = torch.cuda.CUDAGraph()
        random = torch.cuda.default_generators[self._stream.device.index]
        state = random.clone_state()
        try:
            with torch.cuda.graph(graph, stream=self._stream):
                self._result = super().run(work, *self._inputs)
        except RuntimeError as error:
            _log.warning("The GPU gets each kernel of a step by itself, as CUDA refuses a graph: %s", error)
            self._left = -1  # never again
            random.graphsafe_set_state(state)  # it would wait for the end of the capture
            return
        self._graph = graph
