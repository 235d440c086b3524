"""Batches: their order, their place in an epoch, in memory and streamed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dcgan_edge.data import Dataset, dataset, open_data
from dcgan_edge.data.dataset import MemoryDataset, StreamedDataset, epoch_order, gather
from dcgan_edge.data.pixels import UnreadableImage
from dcgan_edge.errors import EdgeError
from dcgan_edge.images import PixelArray


class Numbers:
    """A source whose image i is filled with i. Those in `bad` cannot be read."""

    omitted = ()

    def __init__(self, count: int, bad: frozenset[int] = frozenset()) -> None:
        self._count, self._bad = count, bad

    def __len__(self) -> int:
        return self._count

    def name(self, index: int) -> str:
        return f"number {index}"

    def digest(self) -> str:
        return f"{self._count} numbers"

    def load(self, index: int) -> PixelArray:
        if index in self._bad:
            raise UnreadableImage("it is bad")
        return np.full((1, 2, 2), index, np.uint8)


def numbers(data: Dataset, batch: int, *, seed: int = 0, epoch: int = 0, start: int = 0) -> list[list[int]]:
    """The numbers in each batch of an epoch."""
    return [
        images[:, 0, 0, 0].tolist() for images in data.batches(batch, seed=seed, epoch=epoch, start=start)
    ]


@pytest.fixture
def no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "available_memory", lambda: 0)


@given(st.integers(0, 300), st.integers(0, 2**64 - 1), st.integers(0, 10_000))
def test_an_epoch_is_a_permutation(count: int, seed: int, epoch: int) -> None:
    order = epoch_order(count, seed=seed, epoch=epoch)
    assert sorted(order.tolist()) == list(range(count))
    np.testing.assert_array_equal(order, epoch_order(count, seed=seed, epoch=epoch))


def test_the_order_is_the_same_for_ever() -> None:
    """Golden values: a change would make checkpoints of running trainings go on with other images."""
    assert epoch_order(8, seed=0, epoch=0).tolist() == GOLDEN_0_0
    assert epoch_order(8, seed=7, epoch=3).tolist() == GOLDEN_7_3


GOLDEN_0_0 = [5, 3, 7, 2, 4, 1, 0, 6]
GOLDEN_7_3 = [1, 7, 6, 5, 0, 4, 3, 2]


def test_seeds_and_epochs_give_other_orders() -> None:
    orders = {tuple(epoch_order(50, seed=seed, epoch=epoch)) for seed in range(5) for epoch in range(5)}
    assert len(orders) == 25


def test_what_fits_into_memory_is_kept_there_and_what_does_not_is_streamed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    size = 10 * 4  # bytes of ten images; a quarter of the free memory may be used
    monkeypatch.setattr(dataset, "available_memory", lambda: 4 * size)
    assert isinstance(gather(Numbers(10), (1, 2, 2)), MemoryDataset)
    monkeypatch.setattr(dataset, "available_memory", lambda: 4 * size - 1)
    assert isinstance(gather(Numbers(10), (1, 2, 2)), StreamedDataset)


@pytest.mark.parametrize("streamed", [False, True])
def test_batches_follow_the_order_and_leave_the_rest_out(
    streamed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dataset, "available_memory", lambda: 0 if streamed else 10**6)
    data = gather(Numbers(23), (1, 2, 2))
    batches = numbers(data, 5, seed=3, epoch=2)
    assert [number for batch in batches for number in batch] == epoch_order(23, seed=3, epoch=2)[:20].tolist()
    assert [len(batch) for batch in batches] == [5, 5, 5, 5]
    assert next(data.batches(5, seed=0, epoch=0)).dtype == torch.uint8


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("start", [0, 1, 3, 4])
def test_an_epoch_can_be_taken_up_in_the_middle(
    streamed: bool, start: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dataset, "available_memory", lambda: 0 if streamed else 10**6)
    data = gather(Numbers(23), (1, 2, 2))
    assert numbers(data, 5, epoch=1, start=start) == numbers(data, 5, epoch=1)[start:]


@pytest.mark.parametrize("memory", [0, 10**6])
def test_the_next_image_is_put_in_the_place_of_a_bad_one_however_much_memory_there_is(
    memory: int, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dataset, "available_memory", lambda: memory)
    data = gather(Numbers(12, frozenset({4, 5, 11})), (1, 2, 2))
    replaced = {4: 6, 5: 6, 11: 0}
    for epoch in range(2):
        expected = [replaced.get(number, number) for number in epoch_order(12, seed=0, epoch=epoch).tolist()]
        assert numbers(data, 12, epoch=epoch) == [expected]
    assert sorted(data.skipped) == ["number 11: it is bad", "number 4: it is bad", "number 5: it is bad"]
    assert caplog.text.count("number 4") == 1  # named once, not in every epoch


@pytest.mark.usefixtures("no_memory")
def test_streaming_nothing_readable_is_an_error() -> None:
    data = gather(Numbers(3, frozenset(range(3))), (1, 2, 2))
    with pytest.raises(EdgeError, match="None of the pictures"):
        numbers(data, 2)


@pytest.mark.usefixtures("no_memory")
def test_a_stream_that_is_left_early_stops_its_threads() -> None:
    stream = gather(Numbers(200), (1, 2, 2)).batches(4, seed=0, epoch=0)
    next(stream)
    stream.close()  # type: ignore[attr-defined]  # it is a generator, which the contract need not say
    with pytest.raises(StopIteration):
        next(stream)


def test_reading_is_reported() -> None:
    seen: list[tuple[int, int]] = []
    gather(Numbers(5, frozenset({1})), (1, 2, 2), progress=lambda done, of: seen.append((done, of)))
    assert seen == [(1, 5), (2, 5), (3, 5), (4, 5), (5, 5)]


def test_the_digits_open_at_every_size() -> None:
    for size, channels in ((28, 1), (32, 3)):
        data = open_data("digits", size, channels)
        assert len(data) == 7000
        assert next(data.batches(3, seed=0, epoch=0)).shape == (3, channels, size, size)
