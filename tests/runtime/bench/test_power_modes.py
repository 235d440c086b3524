"""Power modes with a stand-in for nvpmodel, which was not run on a board."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Sequence

import pytest

from dcgan_edge.errors import UnavailableError
from dcgan_edge.runtime.bench.power_modes import power_modes


class Nvpmodel:
    """A board of modes 0 to 2. Without `root` no mode can be set; `restart` is of a mode that needs one."""

    def __init__(self, mode: int = 1, *, root: bool = True, restart: int | None = None) -> None:
        self.mode, self.root, self.restart = mode, root, restart
        self.asked: list[tuple[str, ...]] = []

    def __call__(self, words: Sequence[str]) -> str:
        self.asked.append(tuple(words))
        if words[1] == "-q":
            return f"NV Power Mode: MODE_{self.mode}\n{self.mode}\n"
        number = int(words[2])
        if not self.root or number > 2:
            raise subprocess.CalledProcessError(255, list(words), "", "NVPM ERROR: Error opening a file")
        if number != self.restart:
            self.mode = number
        return ""


def test_a_mode_is_set_and_the_first_one_put_back() -> None:
    board = Nvpmodel(mode=1)
    with power_modes(board) as modes:
        modes.change(2)
        assert (board.mode, modes.current) == (2, 2)
        modes.change(0)
        assert board.mode == 0
    assert board.mode == 1


def test_it_is_put_back_after_an_error_too() -> None:
    board = Nvpmodel(mode=1)

    def fail() -> None:
        with power_modes(board) as modes:
            modes.change(2)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert board.mode == 1


def test_it_is_put_back_where_the_command_was_cut_off() -> None:
    board = Nvpmodel(mode=1)

    def run(words: Sequence[str]) -> str:
        said = board(words)
        if words[-1] == "2":
            raise KeyboardInterrupt
        return said

    with pytest.raises(KeyboardInterrupt), power_modes(run) as modes:
        modes.change(2)
    assert board.mode == 1


def test_it_is_put_back_when_the_program_is_stopped() -> None:
    board, before = Nvpmodel(mode=1), signal.getsignal(signal.SIGTERM)

    def stop() -> None:
        with power_modes(board) as modes:
            modes.change(2)
            signal.raise_signal(signal.SIGTERM)

    with pytest.raises(KeyboardInterrupt):
        stop()
    assert board.mode == 1
    assert signal.getsignal(signal.SIGTERM) is before


def test_the_mode_that_it_is_in_is_not_set() -> None:
    board = Nvpmodel(mode=1)
    with power_modes(board) as modes:
        modes.change(1)
    assert board.asked == [("nvpmodel", "-q")]


@pytest.mark.parametrize(
    ("board", "words"),
    [
        (Nvpmodel(root=False), "Error opening a file.*root"),
        (Nvpmodel(restart=2), "restart"),
    ],
)
def test_a_mode_that_cannot_be_set_is_said(board: Nvpmodel, words: str) -> None:
    with pytest.raises(UnavailableError, match=words), power_modes(board) as modes:
        modes.change(2)
    assert board.mode == 1


@pytest.mark.parametrize("error", [FileNotFoundError("nvpmodel"), subprocess.TimeoutExpired("nvpmodel", 60)])
def test_where_there_is_no_nvpmodel_there_are_no_modes(error: Exception) -> None:
    def run(_: Sequence[str]) -> str:
        raise error

    with pytest.raises(UnavailableError, match="Jetson"), power_modes(run):
        pass


def test_an_answer_without_a_number_is_refused() -> None:
    with (
        pytest.raises(UnavailableError, match="no number"),
        power_modes(lambda words: "NV Power Mode: MAXN\n"),
    ):
        pass
