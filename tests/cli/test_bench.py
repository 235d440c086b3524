"""`dcgan-edge bench` as it is typed: what cannot be is refused at once, what was measured is shown first."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from dcgan_edge import benchmarking
from dcgan_edge.cli import main
from dcgan_edge.runtime.bench.record import BenchReport
from tests.report_pieces import bench_report, measurement


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["bench", *map(str, arguments)], catch_exceptions=False)


@pytest.fixture
def nothing_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    def measure(*_: object, **__: object) -> BenchReport:
        raise AssertionError("measured before the request was refused")

    monkeypatch.setattr(benchmarking, "measure", measure)


@pytest.mark.usefixtures("nothing_is_measured")
@pytest.mark.parametrize(
    "options",
    [
        ("--fail-if", "p50>+5%"),
        ("--force",),
        ("--rate", 10),
        ("--scenario", "server"),
        ("--scenario", "server", "--rate", 1e18),
        ("--no-cuda-graph",),
        ("--zero-copy",),
        ("--export-times", "times.json"),
        ("--duration", "0"),
        ("--duration", "3 parsecs"),
        ("--duration", "1e18"),
        ("--latency-bound", "nan"),
        ("--batch", 10**18),
        ("--streams", 0),
        ("--threads", 10**9),
        ("--iterations", 10**30),
        ("--peaks", "none.json"),
        ("--compare", "none.json"),
        ("--fail-if", "p50>+5", "--baseline", "y.onnx"),
    ],
    ids=str,
)
def test_an_option_that_cannot_be_met_is_a_usage_error(options: tuple[object, ...]) -> None:
    assert run("x.onnx", *options).exit_code == 2


@pytest.mark.usefixtures("nothing_is_measured")
@pytest.mark.parametrize("option", ["--output", "--export-times"])
def test_a_file_that_cannot_be_written_is_found_before_the_work(tmp_path: Path, option: str) -> None:
    result = run("x.onnx", "--batch", 1, option, tmp_path)
    assert result.exit_code == 1
    assert str(tmp_path) in result.stderr


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the benchmark was asked, while it returns a report with a failure."""
    asked: dict[str, Any] = {}

    def bench(artifacts: object, **options: Any) -> BenchReport:
        asked.update(options, artifacts=artifacts)
        taken = bench_report(measurement("x.onnx"))
        return BenchReport(
            taken.plan, taken.measurements, taken.machine, taken.versions, failures=("It is slow.",)
        )

    monkeypatch.setattr(benchmarking, "bench", bench)
    return asked


def test_durations_have_units(report: dict[str, Any]) -> None:
    run("x.onnx", "--duration", "200ms", "--warmup", "1", "--latency-bound", "20ms")
    assert (report["duration_s"], report["warmup_s"], report["latency_bound_s"]) == (0.2, 1.0, 0.02)
    run("x.onnx")
    assert (report["duration_s"], report["warmup_s"], report["latency_bound_s"]) == (3.0, 0.4, None)


@pytest.mark.usefixtures("report")
def test_a_failure_is_exit_code_4_after_the_figures(tmp_path: Path) -> None:
    record = tmp_path / "run.json"
    result = run("x.onnx", "--output", record)
    assert result.exit_code == 4
    assert "It is slow." in result.stderr
    assert "STABLE" in result.stdout
    assert json.loads(record.read_text())["failures"] == ["It is slow."]


@pytest.mark.usefixtures("report")
def test_json_is_one_document_with_the_error_in_it() -> None:
    result = run("x.onnx", "--json")
    document = json.loads(result.stdout)
    assert (result.exit_code, document["error"]["exit_code"]) == (4, 4)
    assert document["schema_version"] == 3
    assert document["measurements"]


@pytest.mark.usefixtures("report")
def test_figures_are_shown_even_if_the_record_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dcgan_edge import files
    from dcgan_edge.errors import EdgeError

    def full(*_: object) -> None:
        raise EdgeError("No space left.")

    monkeypatch.setattr(files, "write_atomic", full)
    result = run("x.onnx", "--output", tmp_path / "run.json")
    assert result.exit_code == 1
    assert "STABLE" in result.stdout
