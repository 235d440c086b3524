"""Every call into NVIDIA's libraries fails once: the program says so, or does without, and leaks nothing.

The work is run once to count the calls, then once for each of them with that call failing alone, and once
with it and all later ones failing, as after an illegal access on the GPU.
"""

from __future__ import annotations

from typing import Any

import pytest

from dcgan_edge.errors import EdgeError
from tests.fakes.lab import Lab, draw, expect

MACHINES = {
    "TensorRT with copies": ("10.3.0", False),
    "TensorRT with shared memory": ("10.16.1.11", True),
    "TensorRT-RTX": ("rtx-1.7.1.116", False),
}
GIVES_BACK = {  # CUDA reports there what went wrong earlier: it is logged
    "cudaFree", "cudaFreeHost", "cudaStreamDestroy", "cudaEventDestroy", "cudaGraphDestroy",
    "cudaGraphExecDestroy",
}  # fmt: skip
COSTS_LITTLE = {  # the version is unknown; kernels are compiled again
    "cudaDriverGetVersion", "cudaRuntimeGetVersion", "IRuntimeCache.deserialize", "IRuntimeCache.serialize",
}  # fmt: skip


def work(lab: Lab) -> tuple[dict[str, Any], int]:
    """Inspect, open, run in every way, close. Checks each layer and each image on the way.

    Returns the facts at the end, and how many calls had been made when closing began.
    """
    *_, last = lab.inspect().layers
    assert last.outputs[0].shape == (4, 1, 8, 8)
    with lab.open(streams=2) as session:
        expect(session.run(draw(3)), draw(3))
        expect(session.run(draw(20)), draw(20))
        images, _ = session.run_timed(draw(8))
        expect(images, draw(8))
        for found, seed in zip(
            session.run_batches(draw(8, seed) for seed in range(3)), range(3), strict=True
        ):
            expect(found, draw(8, seed))
        return session.facts.details, len(lab.gpu.calls)


def calls_of(lab: Lab, integrated: bool) -> list[str]:
    """The calls of the work when nothing fails, on a machine where it ran before."""
    for _ in range(2):
        lab.reset(integrated=integrated)
        work(lab)
        lab.check()
    return lab.gpu.calls


def attempt(lab: Lab) -> tuple[str, dict[str, Any], int]:
    """The work's error, "" if there is none, and what `work` returns."""
    try:
        facts, closing = work(lab)
    except EdgeError as error:
        return str(error) or "an error without a message", {}, 0
    finally:
        lab.check()
    return "", facts, closing


@pytest.mark.parametrize("machine", MACHINES)
def test_each_call_may_fail_once(machine: str) -> None:
    version, integrated = MACHINES[machine]
    with Lab(version) as lab:
        calls = calls_of(lab, integrated)
        raised = 0
        for site, name in enumerate(calls):
            lab.reset(integrated=integrated)
            lab.fail_from(site, site)
            error, facts, closing = attempt(lab)
            assert lab.gpu.calls[site] == name
            assert error != "an error without a message", name
            costs_little = name in GIVES_BACK | COSTS_LITTLE
            if error:
                assert not costs_little, f"call {site}, {name}, is no reason for: {error}"
                raised += 1
            else:
                waits_to_close = site >= closing and name in ("cudaStreamSynchronize", "cudaSetDevice")
                reported = facts["cuda_graph"]["refused"]
                assert costs_little or waits_to_close or reported, f"call {site}, {name}, failed unnoticed"
        print(f"{machine}: each of {len(calls)} calls failed alone; {raised} raised, the others cost less")
        assert raised > len(calls) / 2


@pytest.mark.parametrize("machine", MACHINES)
def test_all_calls_fail_from_one_on(machine: str) -> None:
    version, integrated = MACHINES[machine]
    with Lab(version) as lab:
        calls = calls_of(lab, integrated)
        for site, name in enumerate(calls):
            lab.reset(integrated=integrated)
            lab.fail_from(site)
            error, _, closing = attempt(lab)
            assert error or site >= closing, f"nobody noticed that everything failed from {site}, {name}, on"
        print(f"{machine}: everything failed from each of {len(calls)} calls on")
