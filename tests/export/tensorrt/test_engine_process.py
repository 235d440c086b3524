"""A child that works, one that refuses, and the ways in which one can die."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
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


UNGUARDED = """
from dcgan_edge.errors import EdgeError
from dcgan_edge.export.tensorrt.process import run_in_child
from tests.export.tensorrt import engine_deaths
print("begin", flush=True)
try:
    run_in_child(engine_deaths.reverse, bytes(BYTES), timeout=60)
except EdgeError as error:
    print(f"refused: {error}")
"""


@pytest.mark.parametrize("size", [10, 10_000_000])  # less and more than a pipe holds
def test_a_script_that_is_no_module_ends_at_once(tmp_path: Path, size: int) -> None:
    """The child imports the script, which builds again, which the child may not: it ends before its work."""
    script = tmp_path / "script.py"
    script.write_text(UNGUARDED.replace("BYTES", str(size)))
    root = str(Path(__file__).parents[3])
    done = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True, text=True, timeout=30, check=True, env={**os.environ, "PYTHONPATH": root},
    )  # fmt: skip
    assert "refused: " in done.stdout
    assert "if __name__ == '__main__':" in done.stdout


def test_a_job_larger_than_a_pipe_arrives_and_comes_back() -> None:
    assert run_in_child(engine_deaths.reverse, bytes(3_000_000) + b"end", timeout=LONG)[:3] == b"dne"


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
