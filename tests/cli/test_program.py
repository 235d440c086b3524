"""The command line as a whole: help, exit codes, one JSON document, sentences instead of tracebacks."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from dcgan_edge import __version__, cli
from dcgan_edge.cli import COMMANDS, EXTRAS, SUMMARIES, main
from dcgan_edge.errors import (
    ArtifactError,
    BenchmarkError,
    EdgeError,
    UnavailableError,
    UsageError,
    VerificationError,
)

CODES = {
    EdgeError: 1,
    UsageError: 2,
    VerificationError: 3,
    BenchmarkError: 4,
    UnavailableError: 5,
    ArtifactError: 6,
}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(name: str) -> None:
    answer = CliRunner().invoke(main, [name, "--help"])
    assert answer.exit_code == 0
    assert f"dcgan-edge {name}" in answer.output


def test_the_help_lists_the_commands_in_the_order_of_the_work() -> None:
    answer = CliRunner().invoke(main, ["--help"])
    places = [answer.output.index(f"\n  {name} ") for name in COMMANDS]
    assert places == sorted(places)


def test_version_and_unknown_commands() -> None:
    assert __version__ in CliRunner().invoke(main, ["--version"]).output
    assert CliRunner().invoke(main, ["brew-coffee"]).exit_code == 2


def fail_with(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make `dcgan-edge info X [--json]` raise `error`."""

    @click.command("info")
    @click.argument("file")
    @cli.json_option
    def command(file: str, as_json: bool) -> None:
        raise error

    from dcgan_edge.cli import info

    monkeypatch.setattr(info, "command", command)


@pytest.mark.parametrize("kind", CODES)
def test_an_error_is_a_sentence_and_an_exit_code(
    kind: type[EdgeError], monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_with(kind("It broke. Mend it."), monkeypatch)
    answer = CliRunner().invoke(main, ["info", "x"])
    assert answer.exit_code == CODES[kind]
    assert answer.stderr == "Error: It broke. Mend it.\n"
    assert answer.stdout == ""


def test_with_json_an_error_is_a_document_too(monkeypatch: pytest.MonkeyPatch) -> None:
    fail_with(ArtifactError("It broke."), monkeypatch)
    answer = CliRunner().invoke(main, ["info", "x", "--json"])
    assert json.loads(answer.stdout) == {
        "schema_version": 1,
        "error": {"message": "It broke.", "exit_code": 6},
    }


def test_ctrl_c_ends_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    fail_with(KeyboardInterrupt(), monkeypatch)
    assert CliRunner().invoke(main, ["info", "x"]).exit_code == 130


def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    fail_with(ZeroDivisionError("a bug"), monkeypatch)
    with pytest.raises(ZeroDivisionError):
        CliRunner().invoke(main, ["info", "x"], catch_exceptions=False)


def test_it_runs_as_a_module() -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "dcgan_edge", "doctor", "--json"], capture_output=True, text=True, check=True
    )
    assert json.loads(answer.stdout)["schema_version"] == 1
    assert answer.stderr == ""


def test_options_can_come_from_the_environment() -> None:
    answer = CliRunner(env={"DCGAN_EDGE_INFO_AS_JSON": "1"}).invoke(main, ["info", "missing.onnx"])
    assert answer.exit_code == 2
    assert json.loads(answer.stdout)["error"]["exit_code"] == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["bench", "--json"],
        ["sample", "x.onnx", "--scale", "0", "--json"],
        ["nonsense", "--json"],
        ["--no", "--json"],
    ],
)
def test_with_json_a_usage_error_is_a_document_too(arguments: list[str]) -> None:
    answer = CliRunner().invoke(main, arguments)
    assert answer.exit_code == 2
    assert json.loads(answer.stdout)["error"]["exit_code"] == 2


def test_a_result_and_an_error_are_one_document(monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command("info")
    @cli.json_option
    def command(as_json: bool) -> None:
        cli.print_json({"figure": 1})
        raise BenchmarkError("It is slower.")

    from dcgan_edge.cli import info

    monkeypatch.setattr(info, "command", command)
    answer = CliRunner().invoke(main, ["info", "--json"])
    document = json.loads(answer.stdout)
    assert (answer.exit_code, document["figure"], document["error"]["exit_code"]) == (4, 1, 4)


def run(command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    line = command.replace("dcgan-edge", f"{sys.executable} -m dcgan_edge")
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {line}"],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **environment},
        check=False,
    )


def test_a_reader_that_leaves_is_met_with_silence() -> None:
    answer = run("dcgan-edge doctor | head -n 1 | true")
    assert answer.stderr == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_behind_stdout_is_a_sentence() -> None:
    answer = run("dcgan-edge doctor > /dev/full")
    assert answer.returncode == 1
    assert answer.stderr.startswith("Error: ")
    assert len(answer.stderr.splitlines()) == 1


def test_what_the_terminal_cannot_encode_is_shown_all_the_same(tmp_path: Path) -> None:
    answer = run(f"dcgan-edge info {tmp_path}/zw\u00f6lf.onnx", PYTHONIOENCODING="ascii")
    assert answer.returncode == 2
    assert "Traceback" not in answer.stderr
    assert "lf.onnx" in answer.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("train", "--data", "", "--out", "run"),
        ("train", "--data=", "--out", "run"),
        ("train", "--out", " "),
        ("data", "prepare", "", "--size", "8", "--out", "x.npy"),
        ("info", ""),
    ],
)
def test_an_empty_argument_is_refused_and_never_the_current_folder(arguments: tuple[str, ...]) -> None:
    answer = CliRunner().invoke(main, arguments)
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert "is empty" in answer.stderr


def test_an_error_cannot_steer_the_terminal(tmp_path: Path) -> None:
    answer = CliRunner().invoke(main, ["info", str(tmp_path / "\x1b[2Jgone")])
    assert answer.exit_code == 2
    assert "\x1b" not in answer.stderr


def test_every_command_has_a_summary_that_the_list_shows_whole() -> None:
    said = CliRunner().invoke(main, ["--help"], terminal_width=80).output
    assert SUMMARIES.keys() == COMMANDS.keys()
    for name, summary in SUMMARIES.items():
        assert f"  {name:15}{summary}\n" in said


def test_every_library_is_brought_by_the_extra_that_is_named() -> None:
    """The other way round than pip: what an extra requires, with the extras that it includes."""
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    part = text.partition("[project.optional-dependencies]")[2].partition("\n[")[0]
    brought = {name: re.findall(r'"([^"]+)"', line) for name, line in re.findall(r"(?m)^(\w+) = (.*)$", part)}
    renamed = {"skimage": "scikit-image", "sklearn": "scikit-learn"}
    for library, extra in EXTRAS.items():
        wanted = renamed.get(library, library.replace("_", "-"))
        found = list(brought[extra])
        found += [each for one in found if one.startswith("dcgan-edge[") for each in brought[one[11:-1]]]
        assert wanted in {re.split(r"[>=<;\[ ]", each)[0] for each in found}, (library, extra)


def test_the_shell_completes_commands_and_options() -> None:
    words = {
        "COMP_WORDS": "dcgan-edge sample --ba",
        "COMP_CWORD": "2",
        "_DCGAN_EDGE_COMPLETE": "bash_complete",
    }
    result = CliRunner().invoke(main, [], prog_name="dcgan-edge", env=words)
    assert {"plain,--batch", "plain,--backend"} <= set(result.output.split())


@pytest.mark.parametrize("words", [["doctor"], ["info", "nothing.onnx", "--json"]])
def test_a_closed_standard_output_is_no_crash(words: list[str]) -> None:
    shell = 'exec "$@" >&-'
    command = ["sh", "-c", shell, "sh", sys.executable, "-m", "dcgan_edge", *words]
    ran = subprocess.run(command, stderr=subprocess.PIPE, text=True)
    assert ran.returncode in (0, 2)
    assert "Traceback" not in ran.stderr


def test_long_names_are_read_and_too_long_ones_refused(exported: Path, tmp_path: Path) -> None:
    longest = tmp_path / ("a" * 250 + ".onnx")
    shutil.copy(exported / "generator.fp32.onnx", longest)
    assert CliRunner().invoke(main, ["info", str(longest)]).exit_code == 0
    metrics = tmp_path / "metrics.jsonl"
    metrics.write_text('{"step": 1, "loss_d": 1}\n')
    for words in (
        ["info", "a" * 300 + ".onnx"],
        ["info", "a" * 300 + ".safetensors"],
        ["report", "a" * 300],
        ["report", "--training", "a" * 300],
        ["report", "--training", str(metrics), "--output", "b" * 300],
    ):
        result = CliRunner().invoke(main, words)
        assert isinstance(result.exception, SystemExit), result.exception
        assert result.exit_code in (1, 2, 6)
    output = tmp_path / ("b" * 252 + ".md")
    report = ["report", "--training", str(metrics), "--format", "md", "--output", str(output)]
    assert CliRunner().invoke(main, report).exit_code == 0
    assert output.is_file()


def test_a_folder_that_is_deleted_under_the_program_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")

    @click.command("info")
    def command() -> None:
        (tmp_path / "gone").rmdir()
        Path.cwd()

    monkeypatch.setattr(main, "get_command", lambda ctx, name: command)
    answer = CliRunner().invoke(main, ["info"])
    assert (answer.exit_code, "folder is gone" in answer.stderr) == (2, True)
