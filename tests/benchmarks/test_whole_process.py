from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks import whole_process
from benchmarks.install_size import installed
from benchmarks.many_seeds import BARE
from benchmarks.start_up import HELP, NOTHING, ORT, OURS, TORCH, programs
from benchmarks.whole_process import Run, alternating, ratio, run
from dcgan_edge.errors import EdgeError


def test_a_process_is_timed_and_its_own_memory_counted() -> None:
    ballast = bytearray(200 * 2**20)  # what this process holds is not the other's
    small = run(["-c", "pass"])
    large = run(["-c", f"bytes(range(256)) * {100 * 2**12}"])
    assert len(ballast) > 0
    assert small.seconds > 0
    assert small.mib < 50  # a bare Python has ten
    assert large.mib > small.mib + 90
    with pytest.raises(EdgeError, match="exit code 3"):
        run(["-c", "raise SystemExit(3)"])


def test_programs_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []

    def fake(words: Sequence[str]) -> Run:
        order.append(words[0])
        return Run(2.0 if words[0] == "b" else 1.0, 10.0)

    monkeypatch.setattr(whole_process, "run", fake)
    taken = alternating({"first": ["a"], "second": ["b"]}, 8)
    assert order == ["a", "b", *["b", "a", "a", "b"] * 4]
    over = ratio(taken["second"], taken["first"])
    assert (over.value, over.low, over.high) == (2.0, 2.0, 2.0)


@pytest.mark.torch
def test_every_script_runs(tmp_path: Path) -> None:
    made = programs(tmp_path)
    assert set(made) == {OURS, ORT, TORCH, NOTHING, HELP}
    for name in (ORT, TORCH):
        run(made[name])
        assert (tmp_path / "image.png").stat().st_size > 1000
        (tmp_path / "image.png").unlink()
    artifact = str(tmp_path / "generator.fp32.onnx")
    bare = (
        BARE.replace("ARTIFACT", artifact).replace("DIM", "100").replace("COUNT", "9").replace("BATCH", "3")
    )
    run(["-c", bare])


def test_the_base_installation_has_no_framework() -> None:
    sizes = installed(set())
    assert {"dcgan-edge", "numpy", "click", "rich"} <= sizes.keys()
    assert not {"torch", "onnx", "onnxruntime", "openvino"} & sizes.keys()
    assert all(size > 0 for size in sizes.values())
    assert "onnxruntime" in installed({"cpu"})
