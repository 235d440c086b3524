"""The walker's table of strange entries, under every command that takes a folder of pictures or artifacts.

Nothing stops a command or makes it wait, no name reaches the terminal raw, and what was left out is named.
"""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from dcgan_edge.cli import main
from dcgan_edge.report.gather import gather
from tests.strange_entries import GOOD, STRANGE, good_pictures, remove

SECONDS = 120  # a command that opens a pipe would wait for ever
TRAIN = ("--width", 2, "--latent-dim", 8, "--batch", 16, "--size", 28, "--device", "cpu")
Arguments = Callable[[Path, Path, Path], list[object]]  # of the folder, a checkpoint, and a place to write


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = good_pictures(tmp_path_factory.mktemp("strange") / "pictures")
    for strange in STRANGE:
        if strange.__name__ != "unreadable_folder":  # which root, who runs the tests in a container, can read
            strange(folder)
    yield folder
    remove(folder)


@pytest.fixture(autouse=True)
def limit() -> Iterator[None]:
    def stop(*_: object) -> None:
        raise TimeoutError(f"still running after {SECONDS} seconds")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


COMMANDS: dict[str, Arguments] = {
    "train": lambda data, checkpoint, out: [
        "train", "--data", data, "--out", out, "--epochs", 1, "--channels", 1, *TRAIN
    ],
    "prepare": lambda data, checkpoint, out: [
        "data", "prepare", data, "--size", 8, "--out", out.with_suffix(".npy")
    ],
    "eval": lambda data, checkpoint, out: ["eval", checkpoint, "--data", data, "--seeds", "0-49"],
    "inpaint": lambda data, checkpoint, out: [
        "latent", "inpaint", checkpoint, "--data", data, "--images", 2, "--steps", 1, "--restarts", 1,
        "--pool", 2, "--out", out
    ],
    "visualize": lambda data, checkpoint, out: [
        "features", "visualize", checkpoint, "--data", data, "--images", 20, "--out", out, "--filters", 1
    ],
}  # fmt: skip


def run(name: str, *places: Path) -> Result:
    arguments = [*map(str, COMMANDS[name](*places)), "--json"]
    return CliRunner().invoke(main, arguments, catch_exceptions=False)


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.torch
def test_a_folder_full_of_strange_entries_is_read_all_the_same(
    name: str, folder: Path, checkpoint: Path, tmp_path: Path
) -> None:
    result = run(name, folder, checkpoint, tmp_path / "out")
    assert result.exit_code == 0, result.stderr
    document: dict[str, Any] = json.loads(result.stdout)
    assert "error" not in document
    assert all(line.isprintable() for line in result.stderr.splitlines())


@pytest.mark.torch
def test_what_was_left_out_is_named_in_json(folder: Path, checkpoint: Path, tmp_path: Path) -> None:
    document = json.loads(run("prepare", folder, checkpoint, tmp_path / "out").stdout)
    assert document["pictures"] - len(document["findings"]["unreadable"]) == GOOD
    omitted = {entry["file"]: entry["reason"] for entry in document["findings"]["omitted"]}
    assert {"pipe.png", "socket.png", "zero.png", "gone.png", "up", "labels.csv", "photo.heic"} <= set(
        omitted
    )
    unreadable = {entry["file"]: entry["reason"] for entry in document["findings"]["unreadable"]}
    assert "git lfs pull" in unreadable["pointer.jpg"]
    assert "HEIC" in unreadable["renamed.jpg"]
    assert "two\\nlines.png" in unreadable
    assert "not-utf8-\\xff\\xfe.png" in unreadable
    document = json.loads(run("train", folder, checkpoint, tmp_path / "run").stdout)
    assert any(line.startswith("pipe.png: ") for line in document["skipped"])
    assert any(line.startswith("pointer.jpg: ") for line in document["skipped"])


def test_artifacts_beside_strange_entries_are_found(exported: Path, tmp_path: Path) -> None:
    place = tmp_path / "artifacts"
    shutil.copytree(exported, place)
    try:
        for strange in STRANGE:
            strange(place)
        names = [name for name, _ in gather([], artifacts=place).artifacts]
        assert names == ["generator.fp16.onnx", "generator.fp32.onnx"]
    finally:
        (place / "secret").chmod(0o700)
        remove(place)
