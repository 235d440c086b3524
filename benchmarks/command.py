"""What the programs in this folder share."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import click

from dcgan_edge.errors import EdgeError


@contextlib.contextmanager
def errors_said() -> Iterator[None]:
    """End the program on an EdgeError as `dcgan-edge` does: its sentence on stderr, its exit code."""
    try:
        yield
    except EdgeError as error:
        click.echo(f"Error: {error}", err=True)
        raise SystemExit(error.exit_code) from error
