"""CUDA graphs and the execution contexts they belong to, and the kernels that TensorRT-RTX keeps.

Every test takes a laboratory and nothing else, so that `mutants.py` can run it against changed source.
"""

from __future__ import annotations

import itertools
from pathlib import Path

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
    expect(session.run(draw(3)), draw(3))
    refused = session.facts.details["cuda_graph"]["refused"]
    if lab.is_rtx:
        assert refused == {}  # it captures by itself
    else:
        assert set(refused) == {"4", "3"}
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
    for count in (*range(1, 9), 1, 9):
        session.run(draw(count))
    made = lab.gpu.calls.count("ICudaEngine.create_execution_context")
    session.run(draw(1))
    assert lab.gpu.calls.count("ICudaEngine.create_execution_context") == made
    session.run(draw(2))
    assert lab.gpu.calls.count("ICudaEngine.create_execution_context") == made + 1


def test_few_batch_sizes_are_kept_prepared(lab: Lab) -> None:
    session = lab.open(lab.blob(profiles=((1, 4, 32),)))
    for count in (*range(1, 13), 1, 12, 2):
        expect(session.run(draw(count)), draw(count))
        assert sum(type(thing).__name__ == "IExecutionContext" for thing in lab.gpu.objects) <= 8
        assert list(lab.gpu.handles.values()).count("executable graph") <= 8
    before = len(lab.gpu.calls)
    for count in (2, 12, 1, 11, 10, 9, 8, 7):  # used lately, so still there
        session.run(draw(count))
    assert "ICudaEngine.create_execution_context" not in lab.gpu.calls[before:]


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
