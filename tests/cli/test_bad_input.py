"""Bad input: the right exit code, one clear sentence, no traceback, and nothing lost."""

from __future__ import annotations

import pickle
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from dcgan_edge.artifact import read_artifact, sidecar_path, write_artifact
from dcgan_edge.cli import main

REFUSED, USAGE, UNAVAILABLE, ERROR = 6, 2, 5, 1
Case = Callable[[Path, Path, Path], tuple[list[str], str]]


def onnx_copy(exported: Path, folder: Path) -> Path:
    for path in exported.glob("generator.fp16.onnx*"):
        shutil.copy(path, folder)
    return folder / "generator.fp16.onnx"


def missing_file(checkpoint: Path, exported: Path, tmp: Path) -> tuple[list[str], str]:
    return ["sample", str(tmp / "no.onnx")], "There is no file"


def truncated_onnx(checkpoint: Path, exported: Path, tmp: Path) -> tuple[list[str], str]:
    path = onnx_copy(exported, tmp)
    path.write_bytes(path.read_bytes()[:-1000])
    return ["sample", str(path)], "cut short"


def truncated_lone_onnx(checkpoint: Path, exported: Path, tmp: Path) -> tuple[list[str], str]:
    path = tmp / "alone.onnx"
    path.write_bytes((exported / "generator.fp16.onnx").read_bytes()[:-1000])
    return ["bench", str(path)], "not a whole ONNX file"


def flipped_byte(checkpoint: Path, exported: Path, tmp: Path) -> tuple[list[str], str]:
    path = onnx_copy(exported, tmp)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    return ["info", str(path)], "was changed"


def text_as_onnx(checkpoint: Path, exported: Path, tmp: Path) -> tuple[list[str], str]:
    path = tmp / "notes.onnx"
    path.write_text("Dear diary,\n")
    return ["sample", str(path)], "not a whole ONNX file"


def engine_without_manifest(checkpoint: Path, exported: Path, tmp: Path) -> tuple[list[str], str]:
    path = tmp / "generator.engine"
    path.write_bytes(b"ftrt" * 100)
    return ["bench", str(path)], "no manifest"


def manifest_of_another_file(checkpoint: Path, exported: Path, tmp: Path) -> tuple[list[str], str]:
    path = onnx_copy(exported, tmp)
    shutil.copy(sidecar_path(exported / "generator.fp32.onnx"), sidecar_path(path))
    return ["verify", str(checkpoint), str(path)], "is not the file that"


def checkpoint_of_another_program(checkpoint: Path, exported: Path, tmp: Path) -> tuple[list[str], str]:
    from safetensors.torch import save_file

    path = tmp / "other.safetensors"
    save_file({"weight": torch.zeros(3)}, path)
    return ["export", str(path), "--out", str(tmp / "out")], "other.safetensors"


class Bomb:
    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return Path.touch, ("boom",)  # what a hostile pickle looks like


def pickle_that_would_run_code(checkpoint: Path, exported: Path, tmp: Path) -> tuple[list[str], str]:
    path = tmp / "weights.pth"
    path.write_bytes(pickle.dumps(Bomb()))
    return ["export", str(path), "--out", str(tmp / "out")], "pickle"


def folder_of_garbage(checkpoint: Path, exported: Path, tmp: Path) -> tuple[list[str], str]:
    folder = tmp / "pictures"
    folder.mkdir()
    for name in ("a.png", "b.jpg", "notes.txt"):
        (folder / name).write_bytes(b"garbage")
    return ["train", "--data", str(folder), "--epochs", "1", "--out", str(tmp / "run")], "pictures"


def unwritable_output(checkpoint: Path, exported: Path, tmp: Path) -> tuple[list[str], str]:
    (tmp / "file").write_text("in the way")
    command = [
        "sample",
        str(exported / "generator.fp16.onnx"),
        "--seeds",
        "1",
        "--out",
        str(tmp / "file" / "x"),
    ]
    return command, "Cannot write"


def batch_of_none(checkpoint: Path, exported: Path, tmp: Path) -> tuple[list[str], str]:
    return ["bench", str(exported / "generator.fp16.onnx"), "--batch", "0"], "--batch"


def cuda_without_cuda(checkpoint: Path, exported: Path, tmp: Path) -> tuple[list[str], str]:
    return ["train", "--device", "cuda", "--out", str(tmp / "run")], "CUDA"


def size_of_37(checkpoint: Path, exported: Path, tmp: Path) -> tuple[list[str], str]:
    return ["train", "--size", "37", "--out", str(tmp / "run")], "37"


def unknown_target(checkpoint: Path, exported: Path, tmp: Path) -> tuple[list[str], str]:
    return ["build", str(exported / "generator.fp16.onnx"), "--target", "sm1", "--out", str(tmp)], "sm1"


def seeds_that_are_none(checkpoint: Path, exported: Path, tmp: Path) -> tuple[list[str], str]:
    return ["sample", str(exported / "generator.fp16.onnx"), "--seeds", "x"], "not a list of seeds"


CASES: list[tuple[Case, int]] = [
    (missing_file, USAGE),
    (truncated_onnx, REFUSED),
    (truncated_lone_onnx, REFUSED),
    (flipped_byte, REFUSED),
    (text_as_onnx, REFUSED),
    (engine_without_manifest, REFUSED),
    (manifest_of_another_file, REFUSED),
    (checkpoint_of_another_program, REFUSED),
    (pickle_that_would_run_code, REFUSED),
    (folder_of_garbage, ERROR),
    (unwritable_output, ERROR),
    (batch_of_none, USAGE),
    (cuda_without_cuda, UNAVAILABLE),
    (size_of_37, USAGE),
    (unknown_target, USAGE),
    (seeds_that_are_none, USAGE),
]


@pytest.mark.parametrize(("case", "code"), CASES, ids=[case.__name__ for case, _ in CASES])
def test_bad_input(
    case: Case, code: int, checkpoint: Path, exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    arguments, said = case(checkpoint, exported, tmp_path)
    result = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    message = result.stderr.strip().splitlines()[-1]
    assert message.startswith("Error: ")
    assert said in message
    assert not Path("boom").exists()


LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
from dcgan_edge.cli import main
main(sys.argv[1:])
"""


def test_a_disk_that_fills_up_loses_nothing(exported: Path, tmp_path: Path) -> None:
    # A limit on file size ends a write in the middle just as a full disk does.
    path = onnx_copy(exported, tmp_path)
    manifest, data = read_artifact(path)
    write_artifact(path, data, manifest)
    before = {each.name: each.read_bytes() for each in tmp_path.iterdir()}
    limit = len(data) // 2
    assert limit < resource.RLIM_INFINITY or resource.RLIM_INFINITY < 0
    command = ["build", str(path), "--target", "sm86", "--out", str(tmp_path), "--no-cache"]
    answer = subprocess.run(
        [sys.executable, "-c", LIMITED.format(limit=limit), *command], capture_output=True, text=True
    )
    assert answer.returncode == ERROR, answer.stderr
    assert "Error: Cannot write" in answer.stderr
    assert "Traceback" not in answer.stderr
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == before
