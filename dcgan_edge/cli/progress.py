"""Progress on stderr: a bar where a person watches, nothing with `-q` or in a log file.

The library that draws is loaded where something is drawn: it takes as long to start as a small generator.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import click

from dcgan_edge.cli import is_quiet

if TYPE_CHECKING:
    from rich.console import Console


def stderr() -> Console:
    """Return the console for everything that is not the result. Obeys NO_COLOR and TERM."""
    from rich.console import Console

    return Console(stderr=True, quiet=is_quiet(), highlight=False)


@contextlib.contextmanager
def fraction(title: str, unit: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar; call what is yielded with the number of steps done and the number in all."""
    if not _is_watched():
        yield lambda done, total: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=stderr(), transient=True) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextlib.contextmanager
def steps() -> Iterator[Callable[[str], None]]:
    """Show a line that says what is being done; call what is yielded with each new step."""
    if not _is_watched():
        quiet = is_quiet()
        yield lambda step: None if quiet else click.echo(step, err=True)
        return
    with stderr().status("starting") as status:
        yield status.update


@contextlib.contextmanager
def hosts_at_work() -> Iterator[Callable[[str, str], None]]:
    """Show a line for each host; call what is yielded with its name and what is done there."""
    if not _is_watched():
        quiet = is_quiet()
        yield lambda name, what: None if quiet else click.echo(f"{name}: {what}", err=True)
        return
    from rich.progress import Progress, TaskID, TextColumn

    columns = [TextColumn(text, markup=False) for text in ("{task.fields[host]}", "{task.description}")]
    with Progress(*columns, console=stderr(), transient=True) as shown:
        tasks: dict[str, TaskID] = {}

        def update(name: str, what: str) -> None:
            if name not in tasks:
                tasks[name] = shown.add_task(what, total=None, host=name)
            shown.update(tasks[name], description=what)

        yield update


def _is_watched() -> bool:
    """Whether a person sees stderr, by the terminal or by rich's word for it; -q says that none wants to."""
    forced = os.environ.get("FORCE_COLOR") or os.environ.get("TTY_COMPATIBLE")
    return not is_quiet() and bool(forced or sys.stderr.isatty())
