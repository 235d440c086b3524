"""`dcgan-edge report` as a user types it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from dcgan_edge.cli import main
from dcgan_edge.runtime.bench.record import BenchReport, Measurement, WarmUp
from dcgan_edge.runtime.bench.workload import Samples


def record(path: Path, factor: float = 1.0) -> Path:
    """A record of two rounds of three calls around 1 ms."""
    latency = (factor * np.array([1.0e6, 1.1e6, 1.2e6])).astype(np.int64)
    rounds = tuple(Samples(np.arange(3) * 2_000_000 + round_ * 10_000_000, latency) for round_ in range(2))
    taken = Measurement(
        "g.onnx",
        "00",
        "fp16",
        "latency",
        1,
        1,
        {"backend": "b", "version": "1"},
        WarmUp(9, 0.1, True),
        rounds,
    )
    path.write_text(BenchReport({}, (taken,), {"cpu": "x", "cpus": "2"}, {}).to_json())
    return path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["report", *map(str, arguments)], catch_exceptions=False)


def test_the_page_goes_into_a_file_that_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(record(tmp_path / "run.json"), "--title", "Mine")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("report.html (")
    assert "<title>Mine</title>" in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize(("kind", "begins"), [("md", "### "), ("json", "{"), ("csv", "run,device,")])
def test_the_other_formats_go_to_stdout_or_into_a_file(kind: str, begins: str, tmp_path: Path) -> None:
    path = record(tmp_path / "run.json")
    printed = run(path, "--format", kind)
    assert printed.exit_code == 0, printed.stderr
    assert printed.stdout.startswith(begins)
    written = run(path, "--format", kind, "--output", tmp_path / "x")
    assert written.stdout.startswith(str(tmp_path / "x"))
    assert (tmp_path / "x").read_text() == printed.stdout


def test_two_records_are_compared_and_three_are_a_fleet(tmp_path: Path) -> None:
    paths = [record(tmp_path / f"{n}.json", 1 + n) for n in range(3)]
    assert "comparison" in json.loads(run(*paths[:2], "--format", "json").stdout)
    assert "fleet" in json.loads(run(*paths, "--format", "json").stdout)


def metrics(path: Path) -> Path:
    """Of a run whose generator collapsed at step 20."""
    event = {"step": 20, "problem": "mode collapse", "state": "begins", "seen": "It is.", "advice": "Try."}
    told: list[dict[str, Any]] = [
        {"step": 10 * n, "loss_d": 1.0, "loss_g": 2.0, "diversity": 0.1 * n} for n in (1, 2, 3)
    ]
    told[1]["events"] = [event]
    path.write_text("".join(json.dumps(line) + "\n" for line in told))
    return path


def test_a_training_run_is_shown_beside_a_record_or_alone(tmp_path: Path) -> None:
    told = metrics(tmp_path / "metrics.jsonl")
    beside = run(record(tmp_path / "run.json"), "--training", told, "--format", "md")
    assert "Step 20: mode collapse, still so at the end. It is." in beside.stdout
    assert "| artifact |" in beside.stdout
    facts = json.loads(run("--training", tmp_path, "--format", "json").stdout)
    assert facts["training"]["events"][0]["problem"] == "mode collapse"
    page = run("--training", told, "--output", tmp_path / "page.html")
    assert page.exit_code == 0, page.stderr
    html = (tmp_path / "page.html").read_text()
    assert "Sample diversity" in html
    assert "still so at the end" in html


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["no.json"], 2, "There is no file"),
        (["text.json"], 6, "not a benchmark record"),
        (["run.json", "run.json"], 2, "given twice"),
        (["run.json", "--artifacts", "."], 2, "no artifacts"),
        (["run.json", "--samples", "text.json"], 1, "not a PNG"),
        (["run.json", "--samples", "x.png", "--format", "md"], 2, "amples"),
        (["run.json", "--output", "text.json/x"], 1, "Cannot write"),
        ([], 2, "record"),
        (["--training", "no.jsonl"], 2, "There is no file"),
        (["--training", "text.json"], 6, "not the metrics file"),
        (["--training", "run.json"], 6, "not the metrics file"),
        (["run.json", "--training", "text.json", "--format", "csv"], 2, "training"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(
    arguments: list[str], code: int, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    record(tmp_path / "run.json")
    (tmp_path / "text.json").write_text("{}")
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    assert said in result.stderr
    assert not (tmp_path / "report.html").exists()


def test_with_json_an_error_is_a_document(tmp_path: Path) -> None:
    result = run(tmp_path / "no.json", "--format", "json")
    assert json.loads(result.stdout)["error"]["exit_code"] == result.exit_code == 2
