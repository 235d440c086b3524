"""Progress on stderr: a bar where a person watches, nothing with `-q` or in a log file."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from dcgan_edge.cli import is_quiet


def stderr() -> Console:
    """Return the console for everything that is not the result. Obeys NO_COLOR and TERM."""
    return Console(stderr=True, quiet=is_quiet(), highlight=False)


@contextlib.contextmanager
def counter(title: str, total: int, unit: str) -> Iterator[Callable[[int], None]]:
    """Show a bar of `total` steps; call what is yielded with the number done."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeRemainingColumn(),
    )
    console = stderr()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(title, total=total)
        yield lambda done: bar.update(task, completed=done)


@contextlib.contextmanager
def fraction(title: str, unit: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar; call what is yielded with the number of steps done and the number in all."""
    console = stderr()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn(unit))
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextlib.contextmanager
def steps() -> Iterator[Callable[[str], None]]:
    """Show a line that says what is being done; call what is yielded with each new step."""
    console = stderr()
    if not console.is_terminal:
        yield lambda step: console.print(step)
        return
    with console.status("starting") as status:
        yield status.update
