"""The queue by a clock that is set by hand: who shares a call, who waits, who is refused, what is left."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcgan_edge.serving.batching import LATENTS, BatchQueue, Job, Part, Piece, QueueClosed, QueueFull


class HandClock:
    """Seconds, as many as a test says."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def queue(*, most: int = 4, delay_s: float = 0.5, room: int = 100) -> tuple[BatchQueue, HandClock]:
    clock = HandClock()
    return BatchQueue(most=most, delay_s=delay_s, room=room, clock=clock), clock


def latents(count: int, most: int = 4) -> Job:
    sizes = [most] * (count // most) + [count % most] * bool(count % most)
    return Job(Part(LATENTS, size, size, None) for size in sizes)


def block(number: int, asked: int = 1, most: int = 4) -> Job:
    return Job([Part(number, asked, most, None)])


def finish(batch: Sequence[Piece]) -> None:
    for piece in batch:
        piece.job.deliver(piece, piece.place)


def jobs(batch: Sequence[Piece]) -> list[Job]:
    return [piece.job for piece in batch]


def test_a_call_that_is_not_full_waits_its_time_and_no_longer() -> None:
    waiting, clock = queue()
    job = latents(1)
    waiting.submit(job)
    assert waiting.due() == []
    assert waiting.wait_s() == 0.5
    clock.now += 0.25
    assert waiting.wait_s() == 0.25
    assert waiting.due() == []
    clock.now += 0.25
    assert jobs(waiting.due()) == [job]
    assert waiting.wait_s() is None
    assert (job.arrived, job.started) == (100.0, 100.5)


def test_latents_share_a_call_while_there_is_room() -> None:
    waiting, _ = queue()
    first, second, third = latents(2), latents(1), latents(3)
    for job in (first, second, third):
        waiting.submit(job)
    assert jobs(waiting.due()) == [first, second]  # 2 + 1 + 3 are more than 4
    assert waiting.due() == []  # 3 wait for a fourth
    waiting.submit(latents(1))
    assert len(waiting.due()) == 2


def test_a_large_job_takes_several_calls_and_ends_with_the_last() -> None:
    waiting, clock = queue()
    job = latents(10)
    waiting.submit(job)
    finish(waiting.due())
    finish(waiting.due())
    assert waiting.due() == []
    assert not job.future.done()
    clock.now += 1
    finish(waiting.due())
    assert job.future.result(0) == [0, 1, 2]


def test_all_who_ask_for_a_block_share_one_call_however_many_they_are() -> None:
    waiting, clock = queue()
    same = [block(7, 3) for _ in range(20)]
    other = block(8)
    for job in (other, *same):
        waiting.submit(job)
    assert jobs(waiting.due()) == same  # 60 of 4: full
    clock.now += 1
    assert jobs(waiting.due()) == [other]


def test_whoever_waited_longest_is_next_though_others_fill_a_call() -> None:
    waiting, clock = queue()
    partial = block(1)
    waiting.submit(partial)
    clock.now += 0.5
    waiting.submit(latents(4))
    assert jobs(waiting.due()) == [partial]


def test_what_has_no_room_is_refused_and_comes_in_once_there_is() -> None:
    waiting, _ = queue(room=10)
    first, second = latents(8), latents(4)
    waiting.submit(first)
    with pytest.raises(QueueFull):
        waiting.submit(second)
    finish(waiting.due())
    with pytest.raises(QueueFull):
        waiting.submit(second)  # it occupies its room until it is answered
    waiting.withdraw(first)
    waiting.submit(second)
    assert (waiting.occupied, waiting.refused) == (4, 2)


def test_one_job_that_is_larger_than_the_room_is_taken_alone() -> None:
    waiting, _ = queue(room=2)
    waiting.submit(latents(8))
    with pytest.raises(QueueFull):
        waiting.submit(latents(1))


def test_a_client_that_leaves_takes_its_work_with_it() -> None:
    waiting, clock = queue()
    gone, stays = latents(6), latents(1)
    for job in (gone, stays):
        waiting.submit(job)
    begun = waiting.due()  # four of the six
    waiting.withdraw(gone)
    waiting.withdraw(gone)
    assert (waiting.occupied, waiting.waiting, waiting.withdrawn) == (1, 1, 1)
    finish(begun)  # the call that was running ends, and nobody hears of it
    assert gone.future.cancelled()
    clock.now += 1
    assert jobs(waiting.due()) == [stays]


def test_an_error_ends_a_job_once_and_leaves_nothing_of_it() -> None:
    waiting, _ = queue()
    job = latents(6)
    waiting.submit(job)
    for piece in waiting.due():
        piece.job.fail(ValueError("broken"))
    job.fail(ValueError("again"))
    waiting.withdraw(job)
    assert (waiting.waiting, waiting.occupied) == (0, 0)
    with pytest.raises(ValueError, match="broken"):
        job.future.result(0)


def test_a_closed_queue_hands_out_what_it_has_at_once_and_takes_no_more() -> None:
    waiting, _ = queue()
    job = latents(1)
    waiting.submit(job)
    waiting.close()
    assert jobs(waiting.take()) == [job]
    assert waiting.take() == []
    with pytest.raises(QueueClosed):
        waiting.submit(latents(1))


@given(st.lists(st.tuples(st.integers(-1, 3), st.integers(1, 9), st.sampled_from("swt")), max_size=40))
def test_whatever_happens_nothing_is_lost_made_twice_or_left(steps: list[tuple[int, int, str]]) -> None:
    waiting, clock = queue(room=30)
    held: list[Job] = []
    taken: list[Piece] = []
    for key, count, what in steps:
        clock.now += 0.2
        if what == "s":
            job = latents(count) if key == LATENTS else block(key, min(count, 4))
            try:
                waiting.submit(job)
                held.append(job)
            except QueueFull:
                assert waiting.occupied + job.computed > 30
        elif what == "w" and held:
            waiting.withdraw(held.pop(count % len(held)))
        else:
            batch = waiting.due()
            assert len({piece.part.key for piece in batch}) <= 1
            asked = sum(piece.part.asked for piece in batch)
            assert asked <= 4 or batch[0].part.key != LATENTS
            taken += batch
            finish(batch)
        assert waiting.occupied == sum(job.computed for job in held)
    waiting.close()
    while batch := waiting.take():
        taken += batch
        finish(batch)
    assert len(taken) == len(set(map(id, taken)))
    assert all(job.future.result(0) == list(range(len(job.pieces))) for job in held)
    for job in held:
        waiting.withdraw(job)
    assert (waiting.occupied, waiting.waiting) == (0, 0)
