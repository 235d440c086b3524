from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from dcgan_edge.artifact import read_artifact, write_artifact
from dcgan_edge.errors import UsageError
from dcgan_edge.runtime.bench.roofline import bound
from dcgan_edge.runtime.bench.roofline.bound import add_bounds
from dcgan_edge.runtime.bench.roofline.peaks import Peaks
from tests.report_pieces import bench_report, measurement


@pytest.fixture
def peaks_file(tmp_path: Path) -> Path:
    path = tmp_path / "peaks.json"
    path.write_text(json.dumps({"name": "a board", "tflops": {"fp32": 1, "fp16": 2}, "bandwidth_gb_s": 100}))
    return path


def test_a_bound_for_each_file_and_a_reason_for_the_others(exported: Path, peaks_file: Path) -> None:
    report = bench_report(measurement("known", 4, ms=1.0), measurement("PyTorch", 4))
    known, unknown = add_bounds(
        report, {"known": exported / "generator.fp16.onnx"}, peaks_file=peaks_file
    ).measurements
    assert known.roofline["ratio"] == pytest.approx(known.statistics.median / known.roofline["bound_ms"])
    assert known.roofline["peaks"]["name"] == "a board"
    assert unknown.roofline.keys() == {"not_readable"}


def test_an_engine_has_the_bound_of_its_parent(exported: Path, peaks_file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    manifest, data = read_artifact(exported / "generator.fp16.onnx")
    write_artifact(folder / "generator.fp16.onnx", data, manifest)
    engine = dataclasses.replace(manifest, kind="engine", parent_sha256=manifest.sha256)
    write_artifact(folder / "generator.fp16.sm87.engine", b"plan", engine)
    report = bench_report(measurement("engine"), measurement("onnx"))
    files = {"engine": folder / "generator.fp16.sm87.engine", "onnx": folder / "generator.fp16.onnx"}
    first, second = add_bounds(report, files, peaks_file=peaks_file).measurements
    assert first.roofline == second.roofline
    before = dataclasses.replace(engine, cost=None)
    write_artifact(files["engine"], b"plan", before)
    (first, _) = add_bounds(report, files, peaks_file=peaks_file).measurements
    assert "export it again" in first.roofline["not_readable"]


def test_the_cpu_is_measured_once_for_equal_conditions(
    exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, int]] = []

    def measured(threads: int, working_set: int) -> Peaks:
        asked.append((threads, working_set))
        return Peaks("this CPU", {"fp32": 1e11, "fp16": 1e11}, 1e10, "measured", ())

    monkeypatch.setattr(bound, "measure_cpu_peaks", measured)
    report = bench_report(*(measurement(name, batch) for name in "ab" for batch in (1, 8)))
    path = exported / "generator.fp16.onnx"
    add_bounds(report, {"a": path, "b": path})
    assert len(asked) == 2
    assert {threads for threads, _ in asked} == {2}  # what the pieces' session says


def test_a_bad_peaks_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        add_bounds(bench_report(measurement("a")), {}, peaks_file=tmp_path / "none.json")
