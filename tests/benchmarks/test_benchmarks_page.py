"""What docs/benchmarks.md tells people to type is what the commands take."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from dcgan_edge.cli import main
from dcgan_edge.cli.program import Answer

PAGE = (Path(__file__).parents[2] / "docs" / "benchmarks.md").read_text()
COMMAND = re.compile(
    r"^ +(?:run: )?(?:\.venv/bin/)?dcgan-edge ((?:bench|report) .*(?:\n +--.*)?)$", re.MULTILINE
)

INLINE = 1  # a command in the middle of a sentence


@pytest.mark.parametrize("line", COMMAND.findall(PAGE))
def test_a_command_of_the_page_is_taken(line: str) -> None:
    name, *arguments = shlex.split(line, comments=True)
    command = main.get_command(click.Context(main), name)
    assert command is not None
    program = click.Context(main, obj=Answer(wanted=False))
    command.make_context(
        name, arguments, parent=program
    )  # raises UsageError for an unknown option or a bad value


def test_all_of_them_were_found() -> None:
    assert (
        len(COMMAND.findall(PAGE))
        == PAGE.count("dcgan-edge bench ") + PAGE.count("dcgan-edge report ") - INLINE
    )
