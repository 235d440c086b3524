from __future__ import annotations

import os
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks.planted import Slowed, hog
from benchmarks.self_check import _paired, _rotated, answer, plain_loop
from dcgan_edge.artifact import read_artifact
from dcgan_edge.latents import latents
from dcgan_edge.runtime.bench.outcome import Comparison, Outcome
from dcgan_edge.runtime.onnxruntime_session import OnnxRuntimeSession
from dcgan_edge.runtime.session import open_session


def test_the_plain_loop_asks_the_bare_session_what_ours_asks_it(exported: Path) -> None:
    session = OnnxRuntimeSession(*read_artifact(exported / "generator.fp32.onnx"), device="cpu")
    with session:
        asked: list[dict[str, Any]] = []
        bare: Any = session._session

        def run(names: Any, feeds: dict[str, Any]) -> Any:
            asked.append(feeds)
            return bare.run(names, feeds)

        session._session = SimpleNamespace(run=run)
        taken = plain_loop(session, 0.05)
        count = len(asked)
        session.run(latents([0], session.manifest.architecture.latent_dim))
    assert len(taken) == count > 0
    theirs, ours = asked[0], asked[-1]
    assert theirs.keys() == ours.keys()
    assert all((theirs[name] == ours[name]).all() for name in theirs)


def test_a_slowed_session_makes_the_same_images_later(exported: Path) -> None:
    readings = iter([0, 1000, 1050, 1099, 1100, 9999])  # nanoseconds: the call takes 1000, and 100 are added
    with open_session(exported / "generator.fp32.onnx", device="cpu") as session:
        slow = Slowed(session, 0.1, clock=lambda: next(readings))
        z = latents(range(3), session.manifest.architecture.latent_dim)
        assert (session.run(z) == slow.run(z)).all()
    assert next(readings) == 9999


def test_ratios_are_taken_round_by_round() -> None:
    ours = [{"p50_ms": value} for value in (1.1, 2.2, 30.0)]
    theirs = [{"p50_ms": value} for value in (1.0, 2.0, 10.0)]
    medians, ratio = _paired(ours, theirs, "p50_ms")
    assert medians == (2.2, 2.0)
    assert ratio == pytest.approx(1.1)  # rounding of a division


def test_every_loop_is_first_in_its_round() -> None:
    assert [_rotated(["a", "b", "c"], round_)[0] for round_ in range(4)] == ["a", "b", "c", "a"]


def test_the_busy_program_is_not_ours_and_ends() -> None:
    def children() -> set[str]:
        return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())

    before = children()
    with hog() as pid:
        assert Path(f"/proc/{pid}").exists()
        assert children() <= before
    deadline = time.monotonic() + 30  # seconds; only so that a failure ends
    while Path(f"/proc/{pid}").exists() and Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z":
        assert time.monotonic() < deadline
        time.sleep(0.01)


def comparison(name: str, outcome: Outcome, *, regression: bool = False) -> Comparison:
    because = "other programs were busy (in 9 of 9 rounds)" if outcome == "ambiguous" else ""
    return Comparison(name, 1, 1, "p50", 1.0, 1.0, 0.0, 0.0, 0.0, outcome, regression, because)


@pytest.mark.parametrize(
    ("name", "outcome", "beside", "holds"),
    [
        ("same", "same", "", True),
        ("same", "ambiguous", "", True),
        ("same", "slower", "", False),
        ("same", "faster", " beside a busy program", False),
        ("slower", "slower", "", True),
        ("slower", "ambiguous", "", False),
        ("slower", "ambiguous", " beside a busy program", True),
        ("slower", "same", " beside a busy program", False),
    ],
)
def test_an_answer_is_right_or_the_busy_program_is_named(
    name: str, outcome: Outcome, beside: str, holds: bool
) -> None:
    right: Outcome = "slower" if name == "slower" else "same"
    check = answer("a promise", beside, [comparison(name, right), comparison(name, outcome)], "9 s a run")
    assert check.holds is holds
    assert "busy (in" not in check.found
    assert ("because" in check.found) == (outcome == "ambiguous")


def test_exit_code_4_for_the_same_is_never_right() -> None:
    assert not answer("a promise", "", [comparison("same", "same", regression=True)], "").holds
