from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks import side_by_side
from benchmarks.side_by_side import BARE, NO_OPENVINO, OURS, contestants, main, overheads
from dcgan_edge.errors import VerificationError
from dcgan_edge.runtime.bench.record import BenchReport, Measurement, WarmUp, read_report
from dcgan_edge.runtime.bench.worker import Opener
from dcgan_edge.runtime.bench.workload import Samples


def measured(name: str, batch: int, medians_ms: Sequence[float]) -> Measurement:
    """Rounds of three calls: the median, and two that are far away from it."""
    rounds = tuple(
        Samples(np.arange(3), (np.array([0.1, 1.0, 50.0]) * ms * 1e6).astype(np.int64)) for ms in medians_ms
    )
    session = {"backend": name, "version": "1"}
    return Measurement(name, "", "fp32", "latency", batch, 1, session, WarmUp(9, 0.1, True), rounds)


def record(*measurements: Measurement) -> BenchReport:
    return BenchReport({}, measurements, {"cpu": "x", "cpus": "2"}, {})


def test_the_overhead_is_paired_by_round() -> None:
    """The machine was three times slower in the second round: the medians over all calls would hide 10 %."""
    report = record(
        measured(BARE, 1, [1.0, 3.0, 1.0]),
        measured("another", 1, [9.0, 9.0, 9.0]),
        measured(OURS, 1, [1.1, 3.3, 1.2]),
        measured(BARE, 16, [10.0, 10.0, 10.0]),
        measured(OURS, 16, [10.0, 9.5, 9.9]),
    )
    one, sixteen = overheads(report)
    assert (one.batch, sixteen.batch) == (1, 16)
    assert one.rounds_percent == pytest.approx((10.0, 10.0, 20.0))
    assert (one.percent, one.microseconds) == pytest.approx((10.0, 200.0))  # of 100, 300 and 200 us
    assert (sixteen.percent, sixteen.microseconds) == pytest.approx((-1.0, -100.0))
    assert str(one) == (
        "dcgan-edge fp32 over bare onnxruntime fp32, batch 1: +200.0 us a call, "
        "+10.00 % (rounds +10.00 to +20.00 %)"
    )
    assert "-100.0 us a call, -1.00 % (rounds -5.00 to +0.00 %)" in str(sixteen)


def test_there_is_no_overhead_without_both() -> None:
    assert overheads(record(measured(OURS, 1, [1.0, 1.0]), measured(BARE, 16, [1.0, 1.0]))) == []


@pytest.fixture(scope="module")
def fp32(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return side_by_side.make_artifact(tmp_path_factory.mktemp("side_by_side"), "fp32")


def test_openvino_takes_part_where_it_is_installed(
    fp32: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for installed in (True, False):
        monkeypatch.setattr(side_by_side, "can_import", {"openvino": installed}.__getitem__)
        names = [name for name, _ in contestants(fp32, fp32)]
        assert ("openvino fp32" in names) == installed
        assert names.index(OURS) == names.index(BARE) + 1  # neighbours share the luck of a round
        assert capsys.readouterr().err == ("" if installed else f"{NO_OPENVINO}\n")


def only(names: Sequence[str], fp32: Path, fp16: Path) -> list[tuple[str, Opener]]:
    """The contestants of these names."""
    return [(name, opener) for name, opener in contestants(fp32, fp16) if name in names]


def test_the_whole_run_prints_and_writes(fp32: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(side_by_side, "make_artifact", lambda folder, precision: fp32)
    monkeypatch.setattr(side_by_side, "RESULTS", tmp_path)
    monkeypatch.setattr(side_by_side, "BATCHES", (2,))
    monkeypatch.setattr(side_by_side, "cpu_name", lambda: "A (fast) CPU")
    monkeypatch.setattr(side_by_side, "contestants", functools.partial(only, (BARE, OURS)))
    result = CliRunner().invoke(main, ["--duration", "0.2"], catch_exceptions=False)
    assert result.exit_code == 0, result.stderr
    found = overheads(read_report(tmp_path / "a-fast-cpu.json"))
    assert [each.batch for each in found] == [2]
    assert all(str(each) in result.stdout for each in found)
    kept = json.loads((tmp_path / "overhead" / "a-fast-cpu.json").read_text())
    assert (kept["of"], kept["over"]) == (OURS, BARE)
    assert [(each["batch"], each["percent"]) for each in kept["batches"]] == [
        (each.batch, each.percent) for each in found
    ]


def test_wrong_images_end_the_run_with_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(fp32: Path, fp16: Path) -> list[tuple[str, Opener]]:
        raise VerificationError("quick does not make the images of our session. Nothing was timed.")

    monkeypatch.setattr(side_by_side, "RESULTS", tmp_path)
    monkeypatch.setattr(side_by_side, "make_artifact", lambda folder, precision: folder)
    monkeypatch.setattr(side_by_side, "contestants", wrong)
    result = CliRunner().invoke(main, [])
    assert result.exit_code == VerificationError.exit_code
    assert "Error: quick does not make" in result.stderr
    assert not list(tmp_path.iterdir())
