"""Machines with two GPUs: an engine runs on the one that was asked for, whichever thread asks.

`mutants.py` runs those that take a laboratory and nothing else against changed source.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dcgan_edge.artifact import read_artifact, write_artifact
from dcgan_edge.errors import UnavailableError, UsageError
from dcgan_edge.golden import GOLDEN_SEEDS, pack_golden
from dcgan_edge.runtime.session import EngineOptions, open_session
from dcgan_edge.verification import verify
from tests.fakes.blob import evaluate
from tests.fakes.lab import Lab, draw, expect, tiny_onnx

pytest_plugins = ("tests.fakes.fixtures",)


def in_another_thread(work: Callable[[], object]) -> None:
    """Run `work` in a thread in which no GPU was chosen yet; raise what it raises."""
    errors: list[BaseException] = []

    def guarded() -> None:
        try:
            work()
        except BaseException as error:  # handed to this thread
            errors.append(error)

    thread = threading.Thread(target=guarded)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]


def test_an_engine_runs_on_the_gpu_that_was_asked_for(lab: Lab) -> None:
    lab.reset(count=2)
    session = lab.open(device_index=1, streams=2)
    expect(session.run(draw(11)), draw(11))
    assert (session.facts.device, session.facts.device_name) == ("cuda:1", "Orin (fake) 1")
    assert lab.gpu.used_on(0) == 0 < lab.gpu.used_on(1)


def test_sessions_on_two_gpus_do_not_meet(lab: Lab) -> None:
    lab.reset(count=2)
    sessions = [lab.open(device_index=index) for index in (0, 1)]
    for seed in range(3):
        for session in sessions:
            expect(session.run(draw(5, seed)), draw(5, seed))
            expect(session.run_timed(draw(2, seed))[0], draw(2, seed))
    sessions[0].close()
    assert lab.gpu.used_on(0) == 0 < lab.gpu.used_on(1)


def test_threads_in_which_no_gpu_was_chosen_use_the_session_s(lab: Lab) -> None:
    lab.reset(count=2)
    session = lab.open(device_index=1, streams=2)
    found: list[Any] = []
    uses: list[Callable[[], object]] = [
        lambda: found.append(session.run(draw(9))),
        lambda: found.extend(session.run_batches([draw(9), draw(9)])),
        lambda: found.append(session.run_timed(draw(9))[0]),
        lambda: session.prepare(7),
        lambda: session.use_streams(3),
    ]
    for use in uses:
        in_another_thread(use)
    for images in found:
        expect(images, draw(9))
    expect(session.run(draw(9)), draw(9))
    assert lab.gpu.used_on(0) == 0


def test_a_session_may_be_closed_by_another_thread(lab: Lab) -> None:
    lab.reset(count=2)
    session = lab.open(device_index=1)
    session.run(draw(3))
    in_another_thread(session.close)
    assert not lab.gpu.leaks()


def test_a_gpu_that_is_not_there_is_refused_with_how_many_are(lab: Lab) -> None:
    lab.reset(count=2)
    with pytest.raises(UnavailableError, match=r"cuda:2.* 2\."):
        lab.open(device_index=2)


def write_engine(lab: Lab, folder: Path, **changes: Any) -> Path:
    """Put an engine of the laboratory's machine, with its manifest, into `folder`."""
    data = lab.blob(**changes).pack()
    path = folder / "generator.fp16.sm87.engine"
    facts, golden = pack_golden(evaluate(tiny_onnx(), draw(len(GOLDEN_SEEDS))))
    write_artifact(path, data, lab.manifest(data, golden=facts), golden=golden)
    return path


def test_an_engine_opens_by_its_path_on_each_gpu_and_refuses_what_is_for_cpus(
    lab: Lab, tmp_path: Path
) -> None:
    lab.reset(count=2)
    path = write_engine(lab, tmp_path)
    with lab.installed():
        for device, number in (("auto", 0), ("cuda", 0), ("cuda:1", 1)):
            with open_session(path, device=device, engine=EngineOptions(streams=2)) as session:
                expect(session.run(draw(5)), draw(5))
                assert (session.facts.device, session.facts.streams) == (f"cuda:{number}", 2)
        before = len(lab.gpu.calls)
        refused: list[dict[str, Any]] = [
            {"device": "cpu"}, {"threads": 3}, {"device": "cpu", "threads": 3}, {"backend": "onnxruntime"},
            {"backend": "onnxruntime-tensorrt", "device": "cuda"}, {"device": "cuda:x"},
        ]  # fmt: skip
        for options in refused:
            with pytest.raises(UsageError):
                open_session(path, **options)
        assert len(lab.gpu.calls) == before
        with pytest.raises(UnavailableError):
            open_session(path, device="cuda:2")


@pytest.mark.parametrize(("grey_levels", "verdict"), [(0, "passed"), (3, "failed")])
def test_an_engine_proves_itself_on_its_gpu(lab: Lab, tmp_path: Path, grey_levels: int, verdict: str) -> None:
    lab.reset(count=2)
    path = write_engine(lab, tmp_path, error=grey_levels * 2 / 255)
    with lab.installed():
        (proof,) = verify(path, device="cuda:1")
        (recorded,) = read_artifact(path)[0].verified
        assert recorded == proof.verification
    assert recorded.verdict == verdict
    assert recorded.grey_levels in (grey_levels, grey_levels + 1)  # golden images are float16
    assert (recorded.device, recorded.device_name) == ("cuda:1", "Orin (fake) 1")
    assert recorded.backend == ("tensorrt-rtx" if lab.is_rtx else "tensorrt")
