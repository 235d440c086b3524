"""CUDA graphs and the execution contexts they belong to, and the kernels that TensorRT-RTX keeps.

Every test takes a laboratory and nothing else, so that `mutants.py` can run it against changed source.
"""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from dcgan_edge.errors import UsageError
from tests.fakes.lab import Lab, draw, expect

pytest_plugins = ("tests.fakes.fixtures",)


def test_images_are_right_without_copies_and_without_graphs(lab: Lab) -> None:
    for zero_copy, cuda_graph in itertools.product((False, True), repeat=2):
        session = lab.open(zero_copy=zero_copy, cuda_graph=cuda_graph)
        for count in (3, 8, 11, 3):
            expect(session.run(draw(count)), draw(count))


def test_each_batch_size_is_captured_once_and_then_replayed(lab: Lab) -> None:
    session = lab.open()
    for count in (4, 2):
        session.run(draw(count))
    before = list(lab.gpu.calls)
    for count, seed in itertools.product((4, 2), range(3)):
        expect(session.run(draw(count, seed)), draw(count, seed))
    calls = lab.gpu.calls[len(before) :]
    launches = "IExecutionContext.execute_async_v3" if lab.is_rtx else "cudaGraphLaunch"
    assert calls.count(launches) == 6
    assert set(calls) == {launches, "cudaMemcpyAsync", "cudaStreamSynchronize", "cudaSetDevice"}
    assert before.count("cudaStreamBeginCapture") == (0 if lab.is_rtx else 2)
    assert session.facts.details["cuda_graph"]["captured"] == ([] if lab.is_rtx else [2, 4])
    assert session.facts.details["cuda_graph"]["refused"] == {}


def test_without_graphs_nothing_is_captured(lab: Lab) -> None:
    session = lab.open(cuda_graph=False)
    session.run(draw(4))
    assert not any("Capture" in call or "Graph" in call for call in lab.gpu.calls)
    assert session.facts.details["cuda_graph"]["wanted"] is False
    if lab.is_rtx:
        assert session.facts.details["rtx"]["cuda_graph_strategy"] == "DISABLED"


def test_an_engine_that_cannot_be_captured_runs_without_a_graph_and_says_why(lab: Lab) -> None:
    session = lab.open(lab.blob(capturable=False))
    expect(session.run(draw(4)), draw(4))
    expect(session.run(draw(2)), draw(2))
    refused = session.facts.details["cuda_graph"]["refused"]
    if lab.is_rtx:
        assert refused == {}  # it captures by itself
    else:
        assert set(refused) == {"4", "2"}
        assert "not permitted when stream is capturing" in refused["4"]


def test_a_graph_that_recorded_nothing_is_found_out(lab: Lab) -> None:
    session = lab.open(lab.blob(empty_graph=True))
    expect(session.run(draw(4)), draw(4))
    expect(session.run(draw(4, 9)), draw(4, 9))
    if not lab.is_rtx:
        assert "does not compute" in session.facts.details["cuda_graph"]["refused"]["4"]
        assert session.facts.details["cuda_graph"]["captured"] == []


def test_a_replay_that_fails_half_way_leaves_no_work_behind(lab: Lab) -> None:
    session = lab.open()
    calls = lab.gpu.calls
    lab.fail_on(lambda name: name == "cudaMemcpyAsync" and calls[-2:] == ["cudaGraphLaunch", name])
    expect(session.run(draw(4)), draw(4))
    expect(session.run(draw(4, 2)), draw(4, 2))
    if not lab.is_rtx:
        assert "copy from the GPU" in session.facts.details["cuda_graph"]["refused"]["4"]


def test_the_batch_size_unused_for_longest_makes_room(lab: Lab) -> None:
    session = lab.open(lab.blob(profiles=((1, 4, 32),)))
    for count in (*range(1, 25), 1, 25):
        session.prepare(count)
    made = contexts_made(lab)
    assert (made, contexts_alive(lab)) == (25, 24)
    session.prepare(1)
    assert contexts_made(lab) == made
    session.prepare(2)
    assert (contexts_made(lab), contexts_alive(lab)) == (made + 1, 24)


def test_calls_of_many_sizes_are_padded_to_few(lab: Lab) -> None:
    session = lab.open(lab.blob(profiles=((1, 16, 32),)))
    for call in range(200):
        count = 1 + call * 7 % 32
        expect(session.run(draw(count)), draw(count))
    assert {batch for _, batch in lab.gpu.executed} == {1, 2, 4, 8, 16, 24, 32}
    assert contexts_made(lab) == 7
    assert lab.gpu.calls.count("cudaStreamBeginCapture") == (0 if lab.is_rtx else 7)
    assert session.facts.details["contexts_prepared"] == 7


def test_a_size_that_was_prepared_is_not_padded(lab: Lab) -> None:
    session = lab.open(streams=2)
    session.prepare(5)
    assert contexts_made(lab) == 2
    for images in session.run_batches([draw(5), draw(5)]):
        expect(images, draw(5))
    assert contexts_made(lab) == 2
    before = len(lab.gpu.calls)
    lab.gpu.executed.clear()
    expect(session.run(draw(5)), draw(5))
    expect(session.run(draw(3)), draw(3))
    expect(session.run_timed(draw(5))[0], draw(5))
    assert [batch for _, batch in lab.gpu.executed if batch != 4] == [5, 5]
    assert session.facts.details["batch_sizes"] == [1, 2, 4, 5, 8]
    expect(session.run(draw(16)), draw(16))
    assert lab.gpu.calls[before:].count("ICudaEngine.create_execution_context") == 3  # of 4, and twice of 8


def test_few_sizes_beside_the_usual_ones_stay_exact(lab: Lab) -> None:
    session = lab.open(lab.blob(profiles=((1, 4, 32),)))
    for count in range(1, 21):
        session.prepare(count)
    usual = {1, 2, 4, 8, 16, 24, 32}
    last = {11, 12, 13, 14, 15, 17, 18, 19, 20}  # without the usual ones
    assert session.facts.details["batch_sizes"] == sorted(usual | (last - {11}))
    with pytest.raises(UsageError):
        session.prepare(0)


def test_few_batch_sizes_are_kept_prepared(lab: Lab) -> None:
    session = lab.open(lab.blob(profiles=((1, 4, 32),)))
    for count in (*range(1, 13), 1, 12, 2):
        expect(session.run(draw(count)), draw(count))
        assert contexts_alive(lab) <= 7
        assert list(lab.gpu.handles.values()).count("executable graph") <= 7
    before = len(lab.gpu.calls)
    for count in (2, 12, 1, 11, 10, 9, 8, 7):  # used lately, so still there
        session.run(draw(count))
    assert "ICudaEngine.create_execution_context" not in lab.gpu.calls[before:]


def contexts_made(lab: Lab) -> int:
    return lab.gpu.calls.count("ICudaEngine.create_execution_context")


def contexts_alive(lab: Lab) -> int:
    return sum(type(thing).__name__ == "IExecutionContext" for thing in lab.gpu.objects)


def test_rtx_keeps_its_kernels_for_the_next_process(lab: Lab) -> None:
    if not lab.is_rtx:
        assert "rtx" not in lab.open().facts.details
        return
    session = lab.open()
    assert session.facts.details["rtx"]["runtime_cache_state"] == "cold"
    assert session.facts.details["rtx"]["kernel_specialization"] == "EAGER"
    assert session.facts.details["rtx"]["cuda_graph_strategy"] == "WHOLE_GRAPH_CAPTURE"
    for count in (8, 3, 8):
        session.run(draw(count))
    file = Path(session.facts.details["rtx"]["runtime_cache"])
    assert file.is_relative_to(lab.cache.name)
    assert f"{session.manifest.sha256[:16]}.orin-fake.rtx1.7.1.116.cache" == file.name
    lab.check()
    lab.reset()
    session = lab.open()
    assert session.facts.details["rtx"]["runtime_cache_state"] == "warm"
    kept = file.read_text()
    file.unlink()
    session.run(draw(3))
    session.run(draw(8))
    assert lab.gpu.compiled == []
    assert not file.exists()  # nothing new, nothing written
    session.run(draw(2))
    assert lab.gpu.compiled == ["batch 2"]
    assert "batch 2" in file.read_text()  # at once, not when the session closes
    lab.check()
    file.write_text(kept.replace("Orin", "Thor"))
    session = lab.open()
    assert session.facts.details["rtx"]["runtime_cache_state"] == "stale"
    expect(session.run(draw(8)), draw(8))


def test_kernels_that_cannot_be_kept_only_cost_time(lab: Lab) -> None:
    if lab.is_rtx:
        Path(lab.cache.name, "tensorrt-rtx").write_text("not a folder")
    session = lab.open()
    expect(session.run(draw(8)), draw(8))
    expect(session.run(draw(4)), draw(4))
