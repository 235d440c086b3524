"""Fixtures that several tests of training share; torch is imported when one is used."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from dcgan_edge.training.state import TrainState


@pytest.fixture(scope="module")
def few_statistics() -> Iterator[None]:
    """BatchNorm statistics of 256 images instead of 2,048: the same code, a second less for each test."""
    from dcgan_edge.training import ema

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ema, "STATISTICS_BATCHES", 2)
        yield


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.training.tiny_run import write_digits

    return write_digits(tmp_path_factory.mktemp("digits"))


@pytest.fixture(scope="module")
def state() -> TrainState:
    from tests.training.checkpoint_files import trained_state

    return trained_state()


@pytest.fixture(scope="module")
def saved(state: TrainState, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from dcgan_edge.training.checkpoint import CHECKPOINT_NAME, save_checkpoint
    from tests.training.checkpoint_files import HEADER

    path = tmp_path_factory.mktemp("run") / CHECKPOINT_NAME
    save_checkpoint(path, state, HEADER)
    return path
