"""Results as tables on stdout, for people; programs ask for `--json`.

Figures and verdicts are never cut. Where a table is too wide for the terminal, the names in its first column
are wrapped; where that is not enough, each row becomes a paragraph. A pipe or a file has any width.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.cells import cell_len
from rich.console import Console
from rich.measure import Measurement
from rich.table import Column, Table
from rich.text import Text

from dcgan_edge.artifact import Manifest
from dcgan_edge.runtime.parity import Parity
from dcgan_edge.words import parity_words, size_words

NARROWEST_NAME = 16  # columns that a wrapped name keeps; with less, rows become paragraphs
UNBOUNDED = 100_000  # columns; more than any table has


def new_table(*headings: str, title: str | None = None) -> Table:
    """Return an empty table for `show`.

    A column whose heading starts with ">" holds numbers, one that starts with "~" sentences, which may be
    wrapped as the names in the first column are.
    """
    table = Table(title=title, title_justify="left")
    for heading in headings:
        overflow = "fold" if heading[:1] == "~" else "ellipsis"
        justify = "right" if heading[:1] == ">" else "left"
        table.add_column(heading.lstrip(">~"), justify=justify, overflow=overflow)  # type: ignore[arg-type]
    return table


def show(table: Table) -> None:
    """Print `table` on stdout such that nothing in it is cut."""
    console = Console(highlight=False)
    for place, column in enumerate(table.columns):
        column.no_wrap = place > 0 and column.overflow != "fold"
    natural = Measurement.get(console, console.options.update(max_width=UNBOUNDED), table).maximum
    if not console.is_terminal:
        console.width = max(natural, console.width)
    spare = console.width - natural
    if spare < 0 and not _wrapped(table, -spare):
        _show_paragraphs(table, console)
        return
    console.print(table)


def _wrapped(table: Table, excess: int) -> bool:
    """Narrow the columns that may be wrapped by `excess` in all, the widest first; whether that suffices."""
    wrappable = [c for place, c in enumerate(table.columns) if place == 0 or c.overflow == "fold"]
    for column in sorted(wrappable, key=_width, reverse=True):
        width = _width(column)
        given = min(excess, max(0, width - NARROWEST_NAME))
        if given:
            column.overflow, column.max_width = "fold", width - given
            excess -= given
    return excess == 0


def _width(column: Column) -> int:
    """Return the width of the widest line in `column`, its heading included."""
    lines = [line for cell in (column.header, *column.cells) for line in _plain(cell).splitlines()]
    return max((cell_len(line) for line in lines), default=0)


def _plain(cell: object) -> str:
    return cell.plain if isinstance(cell, Text) else Text.from_markup(str(cell)).plain


def _show_paragraphs(table: Table, console: Console) -> None:
    """Print each row as its name and, below it, a line for each other cell that is not empty."""
    headings = [_plain(column.header) for column in table.columns]
    if table.title:
        console.print(table.title, soft_wrap=True)
    for row in zip(*(list(column.cells) for column in table.columns), strict=True):
        name, *values = map(_plain, row)
        console.print(Text(name), soft_wrap=True)
        for heading, value in zip(headings[1:], values, strict=True):
            if value:
                console.print(Text(f"  {heading}: {value}"), soft_wrap=True)


def artifact_table(written: Sequence[tuple[Path, Manifest]]) -> Table:
    """Return a row for each file: precision, size, hash and parity."""
    table = new_table("file", "precision", ">size", "sha256", "~parity")
    for path, manifest in written:
        size, digest = size_words(manifest.size), manifest.sha256[:12]
        table.add_row(Text(path.name), manifest.precision, size, digest, parity_words(manifest))
    return table


def parity_table(verdicts: Mapping[str, Parity]) -> Table:
    """Return a row of differences to PyTorch for each artifact by name."""
    table = new_table(
        "artifact", ">seeds", ">max |diff|", ">mean |diff|", ">worst PSNR", ">worst seed", ">grey levels",
        ">pixels differ", "verdict",
    )  # fmt: skip
    for name, parity in verdicts.items():
        table.add_row(
            Text(name),
            str(parity.seeds),
            f"{parity.max_abs:.2e}",
            f"{parity.mean_abs:.2e}",
            f"{parity.worst_psnr_db:.1f} dB",
            str(parity.worst_seed),
            str(parity.grey_levels),
            f"{parity.pixels_differ:.3%}",
            "passed" if parity.passed else "FAILED",
        )
    return table
