"""A child that works, one that refuses, and the ways in which one can die."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from dcgan_edge.errors import EdgeError, UnavailableError
from dcgan_edge.export.tensorrt.process import run_in_child
from tests.export.tensorrt import engine_deaths

LONG = 60.0  # seconds; nothing here takes as long unless it hangs


def test_the_result_comes_back_with_progress_and_log(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    events: list[tuple[str, int, int]] = []
    caplog.set_level(logging.INFO, logger="dcgan_edge")

    def note(phase: str, done: int, total: int) -> None:
        events.append((phase, done, total))

    assert run_in_child(engine_deaths.double, 3, timeout=LONG, progress=note) == 6
    assert events == [("doubling", 1, 3), ("doubling", 2, 3), ("doubling", 3, 3)]
    assert [r.getMessage() for r in caplog.records] == ["doubled"]
    assert capfd.readouterr().out == ""  # what is printed there does not spoil our stdout


def test_an_error_of_the_user_s_world_stays_what_it_is() -> None:
    with pytest.raises(UnavailableError, match="nothing here"):
        run_in_child(engine_deaths.refuse, "nothing here", timeout=LONG)


@pytest.mark.parametrize(
    ("death", "sentence"),
    [
        ("killed", "was killed, most likely because memory ran out"),
        ("out of memory", "was killed, most likely because memory ran out"),
        ("crashed", r"crashed \(SIGSEGV\)"),
        ("left", "ended with exit code 3"),
    ],
)
def test_a_death_becomes_a_sentence(death: str, sentence: str) -> None:
    with pytest.raises(EdgeError, match=sentence) as caught:
        run_in_child(engine_deaths.die, death, timeout=LONG, advice="Try less.")
    assert "the last thing I saw" in str(caught.value)
    assert str(caught.value).endswith("Try less.")


def test_a_build_that_takes_too_long_is_stopped() -> None:
    with pytest.raises(EdgeError, match=r"stopped after 1 s\. Try less\."):
        run_in_child(engine_deaths.die, "hangs", timeout=1, advice="Try less.")


def test_the_child_does_not_outlive_an_interrupt() -> None:
    children: list[int] = []

    def interrupt(phase: str, done: int, total: int) -> None:
        children.append(int(phase))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_in_child(engine_deaths.outlive, "", timeout=LONG, progress=interrupt)
    with pytest.raises(ProcessLookupError):
        os.kill(children[0], 0)


@pytest.mark.skipif(not Path("/proc/self/oom_score_adj").exists(), reason="only Linux has it")
def test_the_child_is_the_first_to_go_when_memory_runs_out() -> None:
    assert run_in_child(engine_deaths.first_victim, None, timeout=LONG) == "1000"
