"""One word for one thing: the words that this project does not use, looked for where programs read them."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from dcgan_edge.cli import main

ROOT = Path(__file__).parent.parent
FOLDERS = ("dcgan_edge", "export", "runtime", "benchmarks")
INSTEAD = {
    "law": "distribution",
    "lane": "stream",
    "turn": "round",
    "floor": "roofline bound, or real-data baseline",
    "watch": "monitor",
    "spell": "incident, phase",
    "sureness": "confidence",
    "artefact": "artifact",
    "demand": "raise_if_failed",
}
OTHERS = {"floor": {"math.floor", "np.floor", "Floor"}}  # other libraries' names


def words(name: str) -> set[str]:
    """The words of an identifier, an option or a key, in the singular."""
    parts = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)
    return {part.lower().removesuffix("s") if len(part) > 3 else part.lower() for part in parts}


def names(path: Path) -> Iterator[tuple[int, str]]:
    """(line, text) of every identifier in the file, and of every string that could be a key or a heading."""
    before = ""
    for token in tokenize.generate_tokens(io.StringIO(path.read_text()).readline):
        if token.type == tokenize.NAME:
            yield token.start[0], f"{before}{token.string}"
        elif token.type == tokenize.STRING:
            text = token.string.strip("\"'frbFRB")
            if re.fullmatch(r">?[A-Za-z_]+(?:[ _-][A-Za-z_]+){0,2}", text):
                yield token.start[0], text
        before = f"{before}." if token.string == "." and before else token.string if token.type == 1 else ""


def unwanted(text: str) -> list[str]:
    return [word for word in words(text) & INSTEAD.keys() if text not in OTHERS.get(word, ())]


@pytest.mark.source
def test_identifiers_keys_and_headings_use_the_words_of_the_field() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {text}: say {INSTEAD[word]}"
        for folder in FOLDERS
        for path in sorted((ROOT / folder).rglob("*.py"))
        for line, text in names(path)
        for word in unwanted(text)
    ]
    assert found == []


def options(command: click.Command, path: str = "dcgan-edge") -> Iterator[tuple[str, str]]:
    """(command, option) of everything below `command`."""
    for parameter in command.params:
        for option in parameter.opts:
            yield path, option
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield path, name
            yield from options(inner, f"{path} {name}")


def test_commands_and_options_use_the_words_of_the_field() -> None:
    assert [(path, option) for path, option in options(main) if unwanted(option)] == []


@pytest.mark.parametrize("text", ["paired_turns", "TwoLanes", "floor_ms", "the law", "Watch", "x floor"])
def test_what_is_not_wanted_is_found(text: str) -> None:
    assert unwanted(text)


@pytest.mark.parametrize("text", ["return", "plane", "np.floor", "returns", "flaw", "misspelled"])
def test_what_only_looks_alike_is_left_alone(text: str) -> None:
    assert not unwanted(text)
