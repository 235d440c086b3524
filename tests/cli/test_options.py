from __future__ import annotations

import click
import pytest

from dcgan_edge.cli import main
from dcgan_edge.cli.options import FiniteRange, parse_size
from dcgan_edge.errors import UsageError


@pytest.mark.parametrize(
    ("text", "size"),
    [("256MiB", 256 * 2**20), ("1", 2**20), ("1.5 GiB", 3 * 2**29), ("500MB", 500_000_000), ("7b", 7)],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "MiB", "-1", "1 XB", "0", "1e3", "nan"])
def test_other_text_is_no_size(text: str) -> None:
    with pytest.raises(UsageError):
        parse_size(text)


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e999"])
def test_no_option_takes_a_number_that_is_none(value: str) -> None:
    with pytest.raises(click.BadParameter):
        FiniteRange(min=0).convert(value, None, None)


def test_no_command_has_a_range_that_lets_nan_through() -> None:
    ranges = [option.type for option in options_of(main) if isinstance(option.type, click.FloatRange)]
    assert len(ranges) > 10
    assert all(isinstance(each, FiniteRange) for each in ranges)


def options_of(command: click.Command) -> list[click.Parameter]:
    found = list(command.params)
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            found += options_of(below)
    return found
