"""Changing the power mode of a Jetson for a while: `nvpmodel -m N`, and back to what it was.

Written from NVIDIA's Jetson Linux Developer Guide ("Power Management", nvpmodel) and tested with a stand-in
for the command; it was never run on a board by us.
"""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Callable, Iterator, Sequence

from dcgan_edge.errors import UnavailableError
from dcgan_edge.signals import interrupted_by_sigterm

from ..telemetry.sources.power_mode import COMMAND, MODE

TIMEOUT_S = 60.0
Run = Callable[[Sequence[str]], str]


def run_command(words: Sequence[str]) -> str:
    """Return what a command prints; a question it asks is not answered.

    Raises OSError and subprocess.SubprocessError.
    """
    answer = subprocess.run(
        words, capture_output=True, text=True, timeout=TIMEOUT_S, check=True, stdin=subprocess.DEVNULL
    )
    return answer.stdout


class PowerModes:
    """The power modes of this board. Use `power_modes`, which puts the first one back."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self.first = self.ask()
        self.current: int | None = self.first  # None where it is not known

    def ask(self) -> int:
        """Return the number of the mode that the board is in. Raises UnavailableError where it has none."""
        try:
            printed = self._run(COMMAND)
        except (OSError, subprocess.SubprocessError) as error:
            raise UnavailableError(
                f"Power modes are for Jetsons with nvpmodel, and {_why(error)}."
            ) from error
        found = MODE.search(printed)
        if not found or found[2] is None:
            raise UnavailableError(f"nvpmodel -q printed no number of a mode but {printed.strip()[:80]!r}.")
        return int(found[2])

    def change(self, number: int) -> None:
        """Put the board into mode `number`, if it is in another.

        Raises UnavailableError when it does not go there: without root, for a mode that the board does not
        have, or for one that needs a restart.
        """
        if number == self.current:
            return
        self.current = None  # until the board has said it: the command may be cut off when it is half done
        try:
            self._run(("nvpmodel", "-m", str(number)))
        except (OSError, subprocess.SubprocessError) as error:
            self.current = self.ask()
            raise UnavailableError(
                f"The power mode could not be changed to {number}: {_why(error)}. It takes root (sudo)."
            ) from error
        self.current = self.ask()
        if self.current != number:
            raise UnavailableError(
                f"The board stayed in power mode {self.current} when it was told to go to {number}; that "
                "mode may need a restart. Leave it out of the plan."
            )


@contextlib.contextmanager
def power_modes(run: Run = run_command) -> Iterator[PowerModes]:
    """Open the board's power modes; the mode it was in is put back in the end, whatever happens.

    SIGTERM, with which services are stopped, raises Terminated meanwhile.
    """
    modes = PowerModes(run)
    with interrupted_by_sigterm():
        try:
            yield modes
        finally:
            modes.change(modes.first)


def _why(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        said = (error.stderr or error.stdout or "").strip().splitlines()
        return f"nvpmodel ended with {error.returncode}{f' ({said[-1][:80]})' if said else ''}"
    if isinstance(error, FileNotFoundError):
        return "there is none here"
    return f"it failed ({error})"
