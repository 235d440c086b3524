"""What every process of a training but the first does: its part of each step, and nothing else.

It has no folder and no clock. The first process tells it what is trained, then each step with its learning
rate, and at last how it ended.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import torch

from dcgan_edge.data import Dataset
from dcgan_edge.errors import EdgeError
from dcgan_edge.training.allocator import keep_freed_memory
from dcgan_edge.training.config import TrainConfig
from dcgan_edge.training.distributed import BEGIN, END, Group, PeerError
from dcgan_edge.training.header import Header
from dcgan_edge.training.interrupt import RAISED
from dcgan_edge.training.state import TrainState, new_state
from dcgan_edge.training.steps import train_step
from dcgan_edge.training.workers import open_crew

OpenData = Callable[[TrainConfig], Dataset]


@contextlib.contextmanager
def leading(group: Group) -> Iterator[None]:
    """Tell the other processes, unless they are in a step, when an error ends the block."""
    try:
        yield
    except BaseException as error:
        if not group.is_in_step:
            with contextlib.suppress(EdgeError):
                group.tell(END, PeerError(str(error) or type(error).__name__))
        raise


def begin(group: Group, state: TrainState, header: Header) -> None:
    """Let the other processes take part in the run of `header`, whose step `state` is at.

    Raises EdgeError with what keeps one of them from it.
    """
    group.tell(BEGIN, header)
    group.raise_if_unready(None)
    group.share(state)


def follow(group: Group, device: torch.device, open_data: OpenData) -> Any:
    """Take part in what the first process trains, and return what it returns.

    Raises PeerError where that fails or is interrupted. Signals to this process are left to the first.
    """
    with _signals_left_alone():
        kind, told = group.hear()
        if kind == END:
            return _ended(told)
        header: Header = told
        state, data = _prepared(group, device, header, open_data)
        group.share(state)
        with open_crew(state, header.shards, group) as crew:
            while True:
                epoch, start = divmod(state.step, header.images // header.config.batch)
                part = (group.rank, group.size)
                for batch in data.labelled_batches(
                    header.config.batch, seed=header.config.seed, epoch=epoch, start=start, part=part
                ):
                    kind, told = group.hear()
                    if kind == END:
                        return _ended(told)
                    bf16 = header.precision == "bf16"
                    train_step(
                        state, batch.pixels, header.config, batch.labels,
                        bf16=bf16, learning_rate=told, crew=crew,
                    )  # fmt: skip
                    group.is_in_step = False


def _prepared(
    group: Group, device: torch.device, header: Header, open_data: OpenData
) -> tuple[TrainState, Dataset]:
    """The networks and the images, once no process lacks either."""
    keep_freed_memory()
    error: EdgeError | None = None
    try:
        data = open_data(header.config)
        state = new_state(header.config, device)
        state.step = header.step
        if (len(data), data.digest) != (header.images, header.data_digest):
            error = EdgeError(f"{header.config.data} has other images there than in the first process.")
    except EdgeError as raised:
        error = raised
    group.raise_if_unready(error)
    return state, data


def _ended(told: Any) -> Any:
    if isinstance(told, BaseException):
        raise told
    return told


@contextlib.contextmanager
def _signals_left_alone() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    with contextlib.ExitStack() as stack:
        for number in RAISED:
            stack.callback(signal.signal, number, signal.signal(number, signal.SIG_IGN))
        yield
