"""Every command in the documents is one that the command line takes, options and values included."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from dcgan_edge.cli import COMMANDS, main
from dcgan_edge.cli.program import Answer

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
AROUND = re.compile(r"^(\||&&|\d?>>?|;|<)$")  # where the command ends and the shell goes on


def commands(page: Path) -> Iterator[tuple[int, list[str]]]:
    """(line, arguments) of each `dcgan-edge ...` that stands on a line of its own in code."""
    text = re.sub(r"\\\n\s*", " ", page.read_text())
    for number, line in enumerate(text.splitlines(), start=1):
        match = re.match(r"^\s*(?:\$ |run: |- run: )?(?:\.venv/bin/)?dcgan-edge (.+)$", line)
        if match is None or match[1].split()[0] not in COMMANDS:
            continue
        words = shlex.split(match[1], comments=True)
        end = next((place for place, word in enumerate(words) if AROUND.match(word)), len(words))
        yield number, words[:end]


def parse(arguments: list[str]) -> None:
    """Raise click.ClickException unless the command line takes `arguments`. Nothing is run."""
    context = click.Context(main, info_name="dcgan-edge", obj=Answer(False))
    command: click.Command = main
    while isinstance(command, click.Group):
        name, inner, arguments = command.resolve_command(context, arguments)
        assert name is not None
        assert inner is not None
        command = inner
        if isinstance(command, click.Group):
            context = click.Context(command, parent=context, info_name=name)
    command.make_context(command.name, arguments, parent=context)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_commands_of_a_page_are_taken(page: Path) -> None:
    refused = []
    for line, arguments in commands(page):
        try:
            parse(list(arguments))
        except click.ClickException as error:
            refused.append(f"{page.name}:{line}: {shlex.join(arguments)}: {error.format_message()}")
    assert refused == []


def test_there_are_commands_to_try() -> None:
    assert sum(1 for page in PAGES for _ in commands(page)) > 50
