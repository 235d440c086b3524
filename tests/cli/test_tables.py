"""Tables for people: nothing in them is cut, however narrow the terminal and however long the names."""

from __future__ import annotations

import pytest
from rich.console import Console

from dcgan_edge.cli import tables

NAME = "runs/a-rather-long-folder/export/generator.fp16.sm86-sm89-sm120.rtx1.7.1.engine"
FIGURES = ("fp16", "1,048,576", "123.456", "0.000123", "UNSTABLE")


def shown(monkeypatch: pytest.MonkeyPatch, width: int, *, terminal: bool) -> str:
    """Return what `show` prints of one row on a console of `width` columns."""
    console = Console(width=width, force_terminal=terminal, record=True, color_system=None, highlight=False)
    monkeypatch.setattr(tables, "Console", lambda **_: console)
    table = tables.new_table("artifact", "precision", ">batch", ">median ms", ">p99", "verdict")
    table.add_row(NAME, *FIGURES)
    tables.show(table)
    return console.export_text()


@pytest.mark.parametrize("width", [200, 120, 100, 80, 60, 40, 20])
@pytest.mark.parametrize("terminal", [True, False])
def test_no_figure_and_no_verdict_is_cut(monkeypatch: pytest.MonkeyPatch, width: int, terminal: bool) -> None:
    text = shown(monkeypatch, width, terminal=terminal)
    assert all(figure in text for figure in FIGURES), text
    assert "\N{HORIZONTAL ELLIPSIS}" not in text


def test_a_wide_terminal_and_a_pipe_show_the_name_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    assert NAME in shown(monkeypatch, 200, terminal=True)
    assert NAME in shown(monkeypatch, 80, terminal=False)


def test_at_100_columns_the_name_is_wrapped_and_the_table_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = shown(monkeypatch, 100, terminal=True).splitlines()
    assert max(map(len, lines)) <= 100
    assert any("UNSTABLE" in line and "123.456" in line for line in lines)


def test_on_a_phone_a_row_is_a_paragraph(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [line.strip() for line in shown(monkeypatch, 40, terminal=True).splitlines()]
    assert "median ms: 123.456" in lines
