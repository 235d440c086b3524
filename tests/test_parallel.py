"""Threads that work ahead, in order."""

from __future__ import annotations

import threading

import pytest

from dcgan_edge.parallel import MAX_WORKERS, ordered_map, worker_count


def test_results_come_in_order_whoever_is_done_first() -> None:
    second_done = threading.Event()

    def work(item: int) -> int:
        if item == 0:
            assert second_done.wait(10)  # seconds; only so that a failure ends
        if item == 1:
            second_done.set()
        return item * item

    assert list(ordered_map(work, range(6), ahead=4, workers=2)) == [0, 1, 4, 9, 16, 25]


def test_it_works_ahead_but_not_further_than_told() -> None:
    begun: set[int] = set()
    results = ordered_map(begun.add, range(100), ahead=5, workers=1)
    next(results)
    results.close()
    assert begun <= set(range(5))


def test_an_exception_comes_in_its_place() -> None:
    results = ordered_map(lambda item: 6 // item, [3, 2, 0, 1], ahead=4, workers=2)
    assert [next(results), next(results)] == [2, 3]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_workers_are_as_many_as_the_cores_and_not_too_many() -> None:
    assert 1 <= worker_count() <= MAX_WORKERS
