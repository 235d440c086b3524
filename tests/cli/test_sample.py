"""`dcgan-edge sample` as it is typed on many machines."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dcgan_edge.cli import main


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], catch_exceptions=False)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_shards_and_urls_write_what_one_run_does(exported: Path, tmp_path: Path) -> None:
    request = ("sample", exported / "generator.fp32.onnx", "--seeds", "3-47", "--format", "webdataset",
               "--per-file", "10", "--threads", "1")  # fmt: skip
    assert run(*request, "--out", tmp_path / "one").exit_code == 0
    for number in (2, 0, 3, 1):
        answer = run(*request, "--shard", f"{number}/4", "--out", (tmp_path / "many").as_uri(), "--json")
        document = json.loads(answer.stdout)
        assert (answer.exit_code, document["images"]) == (0, {0: 15, 1: 10, 2: 10, 3: 10}[number])
        assert [Path(path).name for path in document["files"]] == [
            f"{part:05d}.tar" for part in range(number, 5, 4)
        ]
    assert contents(tmp_path / "many") == contents(tmp_path / "one")
    answer = run(*request, "--shard", "5/6", "--out", tmp_path / "one")
    assert (answer.exit_code, "0 pictures" in answer.stdout) == (0, True)  # more shards than files


@pytest.mark.parametrize(
    "words",
    [
        ("--shard", "1/2"),
        ("--shard", "4/4", "--format", "webdataset"),
        ("--out", "s3://bucket/x"),
        ("--format", "npy", "--shard", "1/2"),
        pytest.param(
            ("--format", "webdataset", "--out", "nowhere://bucket"),
            marks=pytest.mark.skipif(
                find_spec("fsspec") is None, reason="needs fsspec, which is not installed"
            ),
        ),
        ("--format", "webdataset", "--per-file", "0"),
        ("--workers", "2", "--format", "parquet"),
    ],
)
def test_what_cannot_be_shared_is_a_usage_error(
    exported: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    answer = run("sample", exported / "generator.fp32.onnx", "--out", tmp_path / "x", *words)
    assert (answer.exit_code, (tmp_path / "x").exists()) == (2, False), answer.stderr


def test_nobody_pays_for_libraries_of_clusters_who_did_not_ask(exported: Path, tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "sys.modules.update(fsspec=None, pyarrow=None, ray=None, torch=None)\n"
        "from dcgan_edge.cli import main; main()"
    )
    command = [sys.executable, "-c", code, "sample", str(exported / "generator.fp32.onnx"), "--seeds", "0-9"]
    command += ["--out", str(tmp_path), "--format"]
    answer = subprocess.run([*command, "webdataset", "--shard", "0/2"], capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    answer = subprocess.run([*command, "parquet"], capture_output=True, text=True)
    assert (answer.returncode, "dcgan-edge[cluster]" in answer.stderr) == (5, True)


def test_what_is_missing_of_a_set_is_said_in_numbers_of_shards(exported: Path, tmp_path: Path) -> None:
    request = ("sample", exported / "generator.fp32.onnx", "--seeds", "0-99", "--format", "webdataset",
               "--per-file", "10", "--threads", "1", "--out", tmp_path)  # fmt: skip
    run(*request, "--shard", "0/2")
    answer = run("check", tmp_path, "--shards", "5", "--json")
    document = json.loads(answer.stdout)
    assert (answer.exit_code, document["missing"]) == (3, [1, 3, 5, 7, 9])
    assert (document["complete"], document["unfinished_shards"]) == (False, [0, 1, 2, 3, 4])
    assert run("check", tmp_path, "--shards", "10").stdout == "1,3,5,7,9\n"
    run(*request, "--shard", "1/2")
    answer = run("check", tmp_path)
    assert (answer.exit_code, "10 files of 100 images" in answer.stdout) == (0, True)
    assert run("check", tmp_path, "--key", tmp_path / "key").exit_code == 2
    assert run("check", exported, "--shards", "2").exit_code == 2


def test_a_job_is_the_command_as_it_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DCGAN_EDGE_SAMPLE_BATCH", "16")
    request = ("sample", "out/a b.onnx", "--seeds", "5,0-3", "--format", "webdataset", "--class", "all",
               "--threads", "4", "--out", "s3://b/c", "--shards", "8")  # fmt: skip
    answer = run(*request, "--print-job", "slurm")
    assert answer.exit_code == 0, answer.stderr
    line = next(line for line in answer.stdout.splitlines() if line.startswith("exec "))
    assert line == (
        "exec dcgan-edge sample 'out/a b.onnx' --seeds 5,0-3 --class all --out s3://b/c --format webdataset "
        "--batch 16 --threads 4 \\"
    )
    document = json.loads(run(*request, "--print-job", "k8s", "--image", "me/it:1", "--json").stdout)
    assert "image: 'me/it:1'" in document["job"]


@pytest.mark.parametrize(
    "words",
    [
        ("--print-job", "slurm", "--format", "parquet", "--threads", "4"),
        ("--print-job", "slurm", "--format", "parquet", "--shards", "4"),
        ("--print-job", "slurm", "--threads", "4", "--shards", "4"),
        ("--print-job", "slurm", "--format", "parquet", "--threads", "4", "--shards", "4", "--shard", "0/4"),
        ("--print-job", "slurm", "--format", "parquet", "--threads", "4", "--shards", "4", "--image", "x"),
        ("--print-job", "k8s", "--format", "parquet", "--threads", "4", "--shards", "4", "--engine", "ray"),
        ("--shards", "4", "--format", "parquet"),
        ("--image", "x"),
    ],
)
def test_what_makes_no_job_is_a_usage_error(words: tuple[str, ...]) -> None:
    assert run("sample", "generator.onnx", *words).exit_code == 2
