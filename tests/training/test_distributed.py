"""One training in two processes: the bits of one, and an end when one of them is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import torch.distributed as dist

from dcgan_edge.data import dataset as datasets
from dcgan_edge.data import open_data
from dcgan_edge.training import CHECKPOINT_NAME, resumed_config, run_training
from dcgan_edge.training.checkpoint import check_checkpoint
from dcgan_edge.training.interrupt import deferred_interrupt
from tests.training.sessions import start_part
from tests.training.tiny_run import tiny_config, weights

PATIENCE = 240  # seconds, on a machine that has much else to do; it takes 20 on one that has not


@pytest.mark.slow
@pytest.mark.usefixtures("few_statistics")
def test_two_processes_are_one_and_one_goes_on_for_them(tmp_path: Path, data: Path) -> None:
    """With the same shards every weight, moment and random number is the same, so the tolerance is none."""
    run_training(tiny_config(data, epochs=2, shards=2), tmp_path / "alone")
    command = [
        *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"),
        *("-m", "tests.training.torchrun_session", str(data), str(tmp_path / "together"), "1"),
    ]
    variables = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, text=True)
    said, _ = process.communicate(timeout=PATIENCE)
    assert (process.returncode, said) == (0, "Trained 5 steps.\n")
    run_training(resumed_config(tmp_path / "together", epochs=2), tmp_path / "together", resume=True)
    mine, theirs = weights(tmp_path / "together"), weights(tmp_path / "alone")
    assert mine.keys() == theirs.keys()
    assert [name for name in mine if not torch.equal(mine[name], theirs[name])] == []


@pytest.mark.skipif(os.name != "posix", reason="there is no SIGKILL")
@pytest.mark.parametrize("rank", [0, 1])
def test_a_killed_process_ends_the_other(tmp_path: Path, data: Path, rank: int) -> None:
    out = tmp_path / "out"
    store = dist.TCPStore("localhost", 0, is_master=True, wait_for_workers=False)  # type: ignore[attr-defined]
    processes = [start_part(number, store.port, data, out, epochs=100_000) for number in (0, 1)]
    killed, other = processes[rank], processes[1 - rank]
    try:
        deadline = time.monotonic() + PATIENCE
        while not _is_at_step(out, 3):
            assert killed.is_alive()
            assert other.is_alive()
            assert time.monotonic() < deadline
            time.sleep(0.2)
        killed.kill()
        other.join(PATIENCE)
        assert other.exitcode == (1 if rank == 1 else 0)  # the first one says why
    finally:
        for process in processes:
            process.kill()
            process.join()
    assert check_checkpoint(out / CHECKPOINT_NAME).step >= 3


def _is_at_step(out: Path, step: int) -> bool:
    path = out / CHECKPOINT_NAME
    return path.is_file() and check_checkpoint(path).step >= step


@pytest.mark.parametrize("memory", [2**40, 0], ids=["in memory", "streamed"])
@pytest.mark.parametrize(("batch", "parts"), [(16, 2), (10, 3)])
def test_parts_of_a_batch_are_all_of_it_once(
    data: Path, batch: int, parts: int, memory: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datasets, "available_memory", lambda: memory)
    images = open_data(str(data), 28, 1)
    whole = list(images.batches(batch, seed=3, epoch=1, start=2))
    shares = [images.batches(batch, seed=3, epoch=1, start=2, part=(i, parts)) for i in range(parts)]
    together = [torch.cat(step) for step in zip(*shares, strict=True)]
    assert len(whole) == len(together) > 0
    assert all(torch.equal(one, other) for one, other in zip(whole, together, strict=True))


def test_a_ctrl_c_that_is_passed_on_is_the_same_one() -> None:
    with deferred_interrupt(same_for=60.0) as is_interrupted:
        assert not is_interrupted()
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
        assert is_interrupted()
    with deferred_interrupt():
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
