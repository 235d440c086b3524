"""Sessions of engines at work, on the in-memory machine, for each supported version of NVIDIA's libraries.

Every test takes a laboratory and nothing else, so that `mutants.py` can run it against changed source.
"""

from __future__ import annotations

import json

import numpy as np
import pytest

from dcgan_edge.errors import UsageError
from tests.fakes.context import CONTEXT_BYTES
from tests.fakes.lab import ARCHITECTURE, Lab, draw, expect

pytest_plugins = ("tests.fakes.fixtures",)

SEVERAL = ((1, 1, 1), (2, 4, 8), (6, 16, 16))
IMAGE = (1, 8, 8)


def test_images_are_those_of_the_onnx_file_for_any_number_of_latents(lab: Lab) -> None:
    session = lab.open()
    for count in (1, 2, 3, 7, 8, 9, 16, 21, 3, 1):
        latents = draw(count, first_seed=count)
        expect(session.run(latents), latents)


def test_images_belong_to_the_caller(lab: Lab) -> None:
    session = lab.open()
    first = session.run(draw(4))
    kept = first.copy()
    session.run(draw(4, first_seed=50))
    session.close()
    np.testing.assert_array_equal(first, kept)


def test_latents_need_not_be_contiguous(lab: Lab) -> None:
    latents = draw(12)[::3]
    expect(lab.open().run(latents), latents.copy())


def test_no_latents_make_no_images(lab: Lab) -> None:
    session = lab.open()
    assert session.run(draw(0)).shape == (0, *IMAGE)
    with pytest.raises(UsageError, match="one or more"):
        list(session.run_batches([draw(0)]))


def test_the_profile_tuned_for_the_nearest_batch_is_used(lab: Lab) -> None:
    session = lab.open(lab.blob(profiles=SEVERAL))
    for count, runs in {1: [(0, 1)], 3: [(1, 3)], 7: [(1, 7)], 12: [(2, 12)], 20: [(2, 16), (1, 4)]}.items():
        session.prepare(count)
        lab.gpu.executed.clear()
        expect(session.run(draw(count)), draw(count))
        assert lab.gpu.executed == runs


def test_a_rest_below_every_minimum_is_padded(lab: Lab) -> None:
    session = lab.open(lab.blob(profiles=((4, 6, 6),)))
    session.run(draw(6, first_seed=90))  # leaves its latents in the buffer, where the padding will be
    for count in (1, 3, 7):
        expect(session.run(draw(count)), draw(count))
        assert not lab.gpu.latents[count % 6 :].any()
    assert {batch for _, batch in lab.gpu.executed} == {4, 6}


def test_memory_is_allocated_once_for_the_largest_batch(lab: Lab) -> None:
    session = lab.open(lab.blob(profiles=SEVERAL))
    before = len(lab.gpu.calls)
    for count in (16, 1, 40):
        session.run(draw(count))
    assert not {"cudaMalloc", "cudaHostAlloc"} & set(lab.gpu.calls[before:])


def test_memory_is_shared_with_an_integrated_gpu_unless_told_otherwise(lab: Lab) -> None:
    for integrated, asked, shared in ((True, None, True), (True, False, False), (False, None, False)):
        lab.check()
        lab.reset(integrated=integrated)
        session = lab.open(zero_copy=asked)
        expect(session.run(draw(5)), draw(5))
        assert session.facts.details["zero_copy"] is shared
        assert ("cudaMemcpyAsync" in lab.gpu.calls) is not shared
        memory = session.facts.details["memory"]
        assert memory["device"] == memory["scratch_per_stream"] + (
            0 if shared else memory["page_locked_host"]
        )


def test_batches_come_back_in_order_whatever_the_number_of_streams(lab: Lab) -> None:
    batches = [draw(count, first_seed=10 * count) for count in (8, 1, 11, 3, 8, 20, 2)]
    for streams in (1, 2, 3):
        session = lab.open(streams=streams)
        found = list(session.run_batches(iter(batches)))
        assert len(found) == len(batches)
        for images, latents in zip(found, batches, strict=True):
            expect(images, latents)


def test_streams_work_at_the_same_time(lab: Lab) -> None:
    session = lab.open(streams=2)
    session.run(draw(16))
    at_work = []

    def observe(_: int, name: str) -> bool:
        if name == "cudaStreamSynchronize":
            at_work.append(sum(bool(stream.queue) for stream in lab.gpu.streams.values()))
        return False

    lab.gpu.fail = observe
    expect(session.run(draw(32)), draw(32))
    assert at_work[:3] == [2, 2, 2]
    assert session.facts.details["cuda_graph"]["captured"] == ([] if lab.is_rtx else [8])  # by both


def test_phases_are_timed_on_the_gpu_and_on_the_host(lab: Lab) -> None:
    session = lab.open()
    session.run(draw(8))
    session.run(draw(2))
    clock = iter([0, 1_000_000, 4_000_000, 9_000_000, 20_000_000, 20_500_000, 21_500_000, 30_000_000])
    images, times = session.run_timed(draw(10), clock=lambda: next(clock))
    expect(images, draw(10))
    # two batches of 1 ms to the GPU, 10 ms on it, 2 ms back; 3 + 1 ms to queue, 9 + 10 ms in all
    assert (times.h2d, times.compute, times.d2h) == (2.0, 20.0, 4.0)
    assert times.enqueue == pytest.approx(4.0)
    assert times.end_to_end == pytest.approx(19.0)


def test_timing_ends_when_the_images_are_there(lab: Lab) -> None:
    session = lab.open()
    session.run_timed(draw(10))
    _, times = session.run_timed(draw(10), clock=lambda: int(lab.gpu.clock * 1e6))
    assert (times.enqueue, times.end_to_end) == (0.0, pytest.approx(26.0))


def test_with_shared_memory_no_time_goes_into_copies(lab: Lab) -> None:
    session = lab.open(zero_copy=True)
    images, times = session.run_timed(draw(8))
    expect(images, draw(8))
    assert (times.h2d, times.compute, times.d2h) == (0.0, 10.0, 0.0)
    assert 0 < times.enqueue < times.end_to_end


def test_preparing_a_batch_size_is_not_part_of_what_is_timed(lab: Lab) -> None:
    _, times = lab.open().run_timed(draw(8))
    assert times.compute == 10.0


def test_facts_repeat_the_run_and_survive_json(lab: Lab) -> None:
    session = lab.open(lab.blob(warning="built by another model of GPU"), streams=2)
    session.run(draw(8))
    facts = json.loads(json.dumps(session.facts.to_dict()))
    assert facts["backend"] == ("tensorrt-rtx" if lab.is_rtx else "tensorrt")
    assert facts["version"] == lab.trt.__version__
    assert (facts["device"], facts["device_name"]) == ("cuda:0", "Orin (fake)")
    assert facts["details"]["gpu"]["sm"] == "sm87"
    assert facts["details"]["gpu"]["driver"] == "12.6"
    assert facts["streams"] == 2
    assert facts["details"]["warnings"] == ["built by another model of GPU"]
    assert facts["details"]["batch_profiles"] == [{"min": 1, "opt": 4, "max": 8}]
    memory = facts["details"]["memory"]
    # one batch size was prepared, on one stream; its context takes something, too
    assert memory["taken"] == lab.gpu.used == memory["device"] + len(lab.blob().onnx) + CONTEXT_BYTES
    assert memory["page_locked_host"] == 2 * 4 * 8 * (ARCHITECTURE.latent_dim + 64)
    assert memory["scratch_per_stream"] == 8 * 512
