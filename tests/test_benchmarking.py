"""The public `bench`: what is asked is measured and judged, or refused before anything is measured."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import pytest

import dcgan_edge as de
from dcgan_edge import benchmarking
from dcgan_edge.benchmarking import bench
from dcgan_edge.errors import UsageError
from dcgan_edge.runtime.bench.record import BenchReport

SHORT: dict[str, Any] = {
    "batches": [2],
    "duration_s": 0.1,
    "warmup_s": 0.0,
    "threads": [1],
    "max_time_s": 0.1,
}
NEVER = "p50>+100000%"


@pytest.fixture
def artifact(exported: Path) -> Path:
    return exported / "generator.fp32.onnx"


@pytest.fixture(scope="module")
def first(exported: Path) -> BenchReport:
    """A real run, of which what follows only judges the figures."""
    return bench(exported / "generator.fp32.onnx", **SHORT)


@pytest.fixture
def measured_once(first: BenchReport, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each run measures what the first one did."""
    monkeypatch.setattr(benchmarking, "measured", lambda *_: first)


@pytest.fixture
def nothing_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    def measure(*_: object, **__: object) -> BenchReport:
        raise AssertionError("measured before the request was refused")

    monkeypatch.setattr(benchmarking, "measure", measure)


@pytest.mark.usefixtures("nothing_is_measured")
@pytest.mark.parametrize(
    "asked",
    [
        {"fail_if": ["p50>+5%"]},
        {"force": True},
        {"rate": 10.0},
        {"scenario": "server"},
        {"zero_copy": False},
        {"cuda_graph": True},
        {"batches": [1, 2], "single": True},
        {"streams": [1, 2], "batches": [1], "single": True},
        {"fail_if": ["median>1"], "baseline": "x.onnx"},
        {"compare": "no such file.json"},
        {"device": "gpu"},
    ],
    ids=str,
)
def test_an_option_whose_condition_is_not_met_is_refused(asked: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        bench("x.onnx", **asked)


@pytest.mark.usefixtures("nothing_is_measured")
def test_an_artifact_is_named_once(artifact: Path) -> None:
    with pytest.raises(UsageError, match="--baseline"):
        bench([artifact, str(artifact)])


def test_artifacts_are_named_by_path_and_threads_if_there_are_several(artifact: Path) -> None:
    report = bench(artifact, **SHORT | {"threads": [1, 2]})
    assert isinstance(report, de.BenchReport)
    assert [m.name for m in report.measurements] == [f"{artifact} (1 threads)", f"{artifact} (2 threads)"]
    assert [m.session["threads"] for m in report.measurements] == [1, 2]
    assert (report.comparisons, report.failures) == ((), ())


def test_a_baseline_is_compared_round_by_round_and_judged(artifact: Path) -> None:
    report = bench([artifact], baseline=str(artifact), fail_if=[NEVER], **SHORT)
    assert [m.name for m in report.measurements] == [f"{artifact} (baseline)", str(artifact)]
    (change,) = report.comparisons
    assert change.name == str(artifact)
    assert report.failures == ()
    assert report.measurements[1].roofline.get("ratio")  # found by its name, whatever is added to it


@pytest.mark.usefixtures("measured_once")
def test_an_earlier_run_may_be_a_report_or_its_file(
    first: BenchReport, artifact: Path, tmp_path: Path
) -> None:
    path = tmp_path / "first.json"
    path.write_text(first.to_json())
    for earlier in (first, path, str(path)):
        report = bench(artifact, compare=earlier, fail_if=[NEVER], **SHORT)
        assert [each.metric for each in report.comparisons] == ["p50"]
        assert report.failures == ()


@pytest.mark.usefixtures("measured_once")
def test_what_cannot_be_compared_is_a_failure_and_nothing_measured_is_lost(
    first: BenchReport, artifact: Path
) -> None:
    run = functools.partial(bench, artifact, **SHORT)
    other = BenchReport({}, first.measurements, {"cpu": "another"}, {})
    report = run(compare=other)
    assert report.measurements
    assert report.comparisons == ()
    assert "another" in report.failures[0]
    assert run(compare=other, force=True, fail_if=[NEVER]).failures == ()


@pytest.mark.usefixtures("measured_once")
def test_a_latency_bound_is_in_seconds(artifact: Path) -> None:
    (missed,) = bench(artifact, latency_bound_s=1e-9, **SHORT).failures
    assert "99th percentile" in missed
    assert bench(artifact, latency_bound_s=600.0, **SHORT).failures == ()


def test_a_report_is_a_page(first: BenchReport) -> None:
    pytest.importorskip("jinja2")
    pytest.importorskip("matplotlib")
    page = first.to_html(title="What I measured")
    assert page.startswith("<!DOCTYPE html>")
    assert "What I measured" in page
    assert "What it takes to start" in page
