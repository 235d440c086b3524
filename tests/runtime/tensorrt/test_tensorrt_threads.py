"""Several threads on one engine session, as a service has them, and streams that come and go."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from dcgan_edge.errors import EdgeError, UsageError
from tests.fakes.lab import Lab, draw, expect

pytest_plugins = ("tests.fakes.fixtures",)

PATIENCE_S = 30.0  # only so that a failure ends


@pytest.mark.parametrize("streams", [1, 2, 4])
def test_threads_share_the_streams_and_get_their_own_images(lab: Lab, streams: int) -> None:
    session = lab.open(streams=streams)
    session.prepare(5)
    prepared = session.facts.details["contexts_prepared"]

    def serve(seed: int) -> None:
        for count in (5, 5, 5):
            expect(session.run(draw(count, seed)), draw(count, seed))

    with ThreadPoolExecutor(8) as pool:  # more threads than streams: calls wait for one
        for done in [pool.submit(serve, 100 * number) for number in range(8)]:
            done.result(PATIENCE_S)
    assert session.facts.details["contexts_prepared"] == prepared == streams


def test_pictures_are_generated_by_several_threads(lab: Lab) -> None:
    session = lab.open(streams=2)
    alone = session.generate([3, 1, 4, 1])
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(session.generate, [[3, 1, 4, 1]] * 8, timeout=PATIENCE_S):
            assert (found == alone).all()


def test_the_number_of_streams_follows_the_request(lab: Lab) -> None:
    session = lab.open()
    for count in (4, 1, 2):
        session.use_streams(count)
        session.prepare(8)
        expect(session.run(draw(32)), draw(32))
        facts = session.facts
        assert facts.streams == len(lab.gpu.streams) == count
        memory = facts.details["memory"]
        assert memory["device"] == count * (
            memory["scratch_per_stream"] + memory["page_locked_host"] // count
        )
        assert memory["taken"] == lab.gpu.used
    with pytest.raises(UsageError):
        session.use_streams(17)
    expect(session.run(draw(3)), draw(3))


def test_what_is_prepared_need_not_be_prepared_again(lab: Lab) -> None:
    session = lab.open(streams=3)
    session.prepare(11)  # a batch of 8 and one of 3, on three streams
    assert session.facts.details["contexts_prepared"] == 6
    before = len(lab.gpu.calls)
    session.prepare(11)
    expect(session.run(draw(11)), draw(11))
    list(session.run_batches([draw(11)] * 5))
    assert not any("create" in call or "Capture" in call for call in lab.gpu.calls[before:])


def test_streams_do_not_change_and_memory_stays_while_others_use_them(lab: Lab) -> None:
    session = lab.open(streams=2)
    begun, go_on = threading.Event(), threading.Event()

    def batches() -> object:
        yield draw(2)
        begun.set()
        assert go_on.wait(PATIENCE_S)
        yield draw(3)

    def consume() -> None:
        with pytest.raises(EdgeError, match="closed"):
            list(session.run_batches(batches()))

    session.prepare(2)
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(consume)
        assert begun.wait(PATIENCE_S)
        assert lab.gpu.leaks()
        session.close()  # the other thread still has a batch in flight
        assert lab.gpu.leaks()
        go_on.set()
        done.result(PATIENCE_S)
    assert not lab.gpu.leaks()
    with pytest.raises(EdgeError, match="closed"):
        session.run(draw(1))


def test_who_waits_for_a_stream_learns_that_the_session_was_closed(lab: Lab) -> None:
    session = lab.open()
    images = session.run_batches([draw(2), draw(2)])
    next(images)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(session.run, draw(1))
        with pytest.raises(EdgeError, match="busy"):
            session.use_streams(2)
        session.close()
        with pytest.raises(EdgeError, match="closed"):
            waiting.result(PATIENCE_S)
