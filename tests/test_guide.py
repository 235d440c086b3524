"""The guide: its Python runs in order, with a smaller training, and each command is one that there is."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from dcgan_edge.cli import main

GUIDE = Path(__file__).parent.parent / "docs" / "guide.md"
SMALLER = {  # each is in the guide, and would take too long here
    "minutes=3": "epochs=1, batch=3500, width=4, latent_dim=16, precision='fp32'",
    "range(64), ": "range(4), ",
    "grid=(8, 8)": "grid=(2, 2)",
    "range(1000)": "range(60)",
    "batches=[1, 16]": "batches=[1], duration_s=0.1, warmup_s=0.05",
}


def blocks(language: str) -> list[str]:
    """The fenced blocks of `language`, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```", GUIDE.read_text(), flags=re.M | re.S)


def commands() -> list[str]:
    """Every dcgan-edge command of the guide."""
    return [line for block in blocks("bash") for line in block.splitlines()]


@pytest.mark.torch
def test_the_python_of_the_guide_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code = "\n".join(blocks("python"))
    for whole, small in SMALLER.items():
        assert whole in code
        code = code.replace(whole, small)
    exec(compile(code, str(GUIDE), "exec"), {"__name__": "guide"})
    for made in ("runs/digits/checkpoint.safetensors", "out/generator.fp32.onnx", "samples/grid.png"):
        assert (tmp_path / made).is_file()
    assert (tmp_path / "report.html").stat().st_size > 10_000


def steps(words: list[str]) -> Iterator[tuple[click.Command, list[str]]]:
    """The commands that `words` lead through, each with the words that are left for it."""
    command: click.Command = main
    yield command, words
    while isinstance(command, click.Group) and words:
        found = command.get_command(click.Context(command), words[0])
        assert found is not None, f"there is no command {words[0]}"
        command, words = found, words[1:]
        yield command, words


@pytest.mark.parametrize("line", commands())
def test_every_command_of_the_guide_can_be_typed(line: str) -> None:
    program, *words = shlex.split(line)
    assert program == "dcgan-edge"
    *_, (command, rest) = steps(words)
    context = click.Context(command, info_name=command.name)
    values, left, _ = command.make_parser(context).parse_args(rest)  # refuses unknown options
    assert left == []
    paths = (click.Path, click.File)
    for parameter in command.params:
        value = values.get(parameter.name or "")
        if isinstance(value, str) and not isinstance(parameter.type, paths):
            parameter.type.convert(value, parameter, context)


def test_the_guide_shows_every_step_of_the_work() -> None:
    shown = {shlex.split(line)[1] for line in commands()}
    assert shown >= {
        "train",
        "export",
        "build",
        "verify",
        "sample",
        "bench",
        "eval",
        "report",
        "info",
        "doctor",
    }
