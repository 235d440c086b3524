"""Every numeric option of every command at the values that break programs: a sentence and a code, always."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import click
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

import dcgan_edge
from dcgan_edge.cli import main
from dcgan_edge.errors import UsageError

VALUES = ("0", "-1", "1", "1000000000000000000", "1e300", "nan", "inf", "-inf", "0x10", "1,2", "½")
CODES = {0, 1, 2, 5, 6}
WORDS = (click.Path, click.Choice)


def options(group: click.Group, names: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """(command, option) of everything that takes one value which is neither a path nor a word of a list."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from options(command, (*names, name))
            continue
        for option in command.params:
            if isinstance(option, click.Option) and not option.is_flag and not isinstance(option.type, WORDS):
                yield (*names, name), option.opts[-1]


OPTIONS = sorted(options(main))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An empty current folder, and no command that would work for long on what it is given."""

    def refuse(*_: object, **__: object) -> NoReturn:
        raise UsageError("This is a test.")

    empty = tmp_path_factory.mktemp("extremes")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(empty)
        patch.setattr("dcgan_edge.demo.run_demo", refuse)
        for name in ("train", "fetch", "compare_presets"):
            if name in dcgan_edge.__all__:
                patch.setattr(dcgan_edge, name, refuse)
        yield empty


def run(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, words)
    unforeseen = result.exception is not None and not isinstance(result.exception, SystemExit)
    assert not unforeseen, (words, result.exception)
    return result.exit_code, result.output


@settings(derandomize=True, deadline=None, max_examples=120)
@given(st.sampled_from(OPTIONS), st.sampled_from(VALUES), st.booleans())
@pytest.mark.torch
def test_no_value_of_any_option_is_a_traceback(
    folder: Path, option: tuple[tuple[str, ...], str], value: str, twice: bool
) -> None:
    command, name = option
    given_data = ["--data", "missing"] if (command, "--data") in OPTIONS and name != "--data" else []
    thing = ["mnist"] if command == ("data", "fetch") else []
    code, said = run(*command, *thing, *given_data, f"{name}={value}", *(["missing.onnx"] * twice))
    assert code in CODES, said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    "words",
    [
        ("--grid", "1000x1000", "--scale", "64"),
        ("--grid", "1000x1000"),
        ("--grid", "99999999999999999999x1"),
        ("--batch", "1000000000000000000"),
        ("--seeds", "0-18446744073709551615"),
        ("--seeds", "18446744073709551616"),
        ("--threads", "1000000000000000000"),
        ("--scale", "0"),
        ("--out", "/dev/null"),
    ],
)
def test_sample_refuses_what_is_too_much(exported: Path, tmp_path: Path, words: tuple[str, ...]) -> None:
    artifact = str(exported / "generator.fp32.onnx")
    code, said = run("sample", artifact, "--seeds", "0-3", "--out", str(tmp_path / "out"), *words)
    assert code in (1, 2, 6), said
    assert "Error: " in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("nested", ["[" * 100_000, '{"a":' * 100_000, "[" * 100_000 + "]" * 100_000])
@pytest.mark.parametrize("words", [("report",), ("report", "--training")])
def test_a_file_of_deeply_nested_json_is_refused(tmp_path: Path, nested: str, words: tuple[str, ...]) -> None:
    path = tmp_path / "deep.json"
    path.write_text(nested + "\n")
    code, said = run(*words, str(path), "--format", "json")
    assert code == 6
    assert len(said) < 2000


def test_a_current_folder_that_was_deleted_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    for words in (("report", "run.json"), ("sample", "x.onnx"), ("doctor",), ("train", "--json")):
        code, said = run(*words)
        assert code == 2
        assert "current folder is gone" in said
    assert json.loads(CliRunner().invoke(main, ["doctor", "--json"]).stdout)["error"]["exit_code"] == 2


def test_a_report_does_not_depend_on_its_environment(tmp_path: Path) -> None:
    metrics = tmp_path / "metrics.jsonl"
    metrics.write_text("".join(f'{{"step": {n}, "loss_d": {n}}}\n' for n in range(1, 9)))
    texts: list[str] = []
    changes: tuple[dict[str, str], ...] = (
        {},
        {"SOURCE_DATE_EPOCH": "abc", "MPLBACKEND": "module://matplotlib_inline.backend_inline"},
        {"SOURCE_DATE_EPOCH": "-1", "MPLBACKEND": "tkagg"},
    )
    for environment in changes:
        page = tmp_path / f"{len(texts)}.html"
        command = [sys.executable, "-m", "dcgan_edge", "report", "--training", str(metrics)]
        ran = subprocess.run(
            [*command, "--output", str(page)],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
        )
        assert ran.returncode == 0, ran.stderr
        texts.append(page.read_text())
    assert texts[0] == texts[1] == texts[2]
