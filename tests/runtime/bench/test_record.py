from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcgan_edge.errors import ArtifactError, BenchmarkError
from dcgan_edge.runtime.bench.record import (
    BenchReport,
    Comparison,
    Measurement,
    WarmUp,
    matching,
    read_report,
)
from dcgan_edge.runtime.bench.workload import Samples


def samples(*latencies_ms: float) -> Samples:
    """Queries one after the other without a gap."""
    latency = np.array(latencies_ms) * 1e6
    due = np.concatenate([[0.0], np.cumsum(latency)[:-1]])
    return Samples(due.astype(np.int64), latency.astype(np.int64))


def measurement(*rounds: Samples, settled: bool = True, reasons: tuple[str, ...] = ()) -> Measurement:
    warm = WarmUp(1, 0.1, settled)
    return Measurement("a/x.onnx", "00", "fp32", "latency", 2, 1, {}, warm, rounds, reasons=reasons)


def test_throughput_and_verdict_come_from_the_raw_samples() -> None:
    steady = measurement(samples(10.0, 10.2), samples(10.0, 9.8))
    assert steady.images_per_second == pytest.approx(200.0)  # 2 images in 10 ms
    assert steady.verdict == "STABLE"
    drifting = measurement(samples(10, 10), samples(12, 12), settled=False, reasons=("it was hot",))
    assert drifting.verdict == "UNSTABLE"
    assert [reason.split()[0] for reason in drifting.unstable_because] == ["it", "the", "it"]


def report(*measurements: Measurement) -> BenchReport:
    return BenchReport({"rounds": 2}, measurements, {"cpu": "x"}, {"numpy": "2"})


TIMES = st.lists(st.integers(1, 2**40), min_size=1, max_size=50)


@given(TIMES, TIMES)
def test_every_sample_survives_the_file(first: list[int], second: list[int]) -> None:
    rounds = [Samples(np.cumsum(times), np.array(times)) for times in (first, second)]
    taken = measurement(*rounds)
    again = Measurement.from_dict(json.loads(json.dumps(taken.to_dict(), allow_nan=False)))
    assert again.statistics == taken.statistics
    for ours, theirs in zip(taken.rounds, again.rounds, strict=True):
        np.testing.assert_array_equal(ours.due_ns, theirs.due_ns)
        np.testing.assert_array_equal(ours.latency_ns, theirs.latency_ns)


def test_a_report_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "bench.json"
    change = Comparison("a/x.onnx", 2, 1, "p50", 1.0, 2.0, 1.0, 0.5, math.inf, "slower", True)
    ours = report(measurement(samples(1, 2), samples(3, 4)))
    ours = dataclasses.replace(ours, comparisons=(change,), failures=("It is slower.",))
    path.write_text(ours.to_json())
    assert read_report(path).to_json() == ours.to_json()
    assert read_report(str(path)).comparisons == (change,)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"kind": "other", "schema_version": 2}', '{"kind": 1}', "[" * 10**5]
)
def test_other_files_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bench.json"
    path.write_text(text)
    with pytest.raises(ArtifactError, match=r"bench\.json"):
        read_report(path)


def test_a_record_of_another_schema_is_refused_with_its_number(tmp_path: Path) -> None:
    path = tmp_path / "bench.json"
    path.write_text(json.dumps(report(measurement(samples(1, 2))).to_dict() | {"schema_version": 1}))
    with pytest.raises(ArtifactError, match=r"schema 1\b.*schemas 2 and 3\b"):
        read_report(path)


def test_a_record_of_schema_2_is_read(tmp_path: Path) -> None:
    facts = report(measurement(samples(1, 2))).to_dict() | {"schema_version": 2}
    new = ("set_aside", "processes", "course", "setting", "load_s", "first_call_ms", "peak_memory_bytes")
    for name in new:
        del facts["measurements"][0][name]
    path = tmp_path / "bench.json"
    path.write_text(json.dumps(facts))
    (read,) = read_report(path).measurements
    assert (read.set_aside, read.course.waits, read.load_s) == ((), 0, None)


def test_failures_are_raised_together() -> None:
    report(measurement(samples(1))).raise_if_failed()
    with pytest.raises(BenchmarkError, match=r"^One\. Two\.$"):
        dataclasses.replace(report(measurement(samples(1))), failures=("One.", "Two.")).raise_if_failed()


def test_samples_that_were_cut_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "bench.json"
    facts = report(measurement(samples(1, 2), samples(3, 4))).to_dict()
    facts["measurements"][0]["rounds"][1]["queries"] = 3
    path.write_text(json.dumps(facts))
    with pytest.raises(ArtifactError, match="3 samples"):
        read_report(path)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("rounds", []),
        ("loop", "x"),
        ("batch", 0),
        ("streams", "2"),
        ("processes", [0, 1]),
        ("course", {"a": 1}),
    ],
)
def test_a_measurement_that_makes_no_sense_is_refused(tmp_path: Path, field: str, value: object) -> None:
    path = tmp_path / "bench.json"
    facts = report(measurement(samples(1, 2))).to_dict()
    facts["measurements"][0][field] = value
    path.write_text(json.dumps(facts))
    with pytest.raises(ArtifactError, match="not a benchmark record"):
        read_report(path)


def test_matching_goes_by_file_name_and_load() -> None:
    ours = measurement(samples(1))
    assert matching([ours], ours) is ours
    assert matching([], ours) is None


def test_of_several_with_one_file_name_the_same_path_matches_or_none() -> None:
    one, other = (dataclasses.replace(measurement(samples(1)), name=f"{folder}/x.onnx") for folder in "ab")
    assert matching([one, other], other) is other
    assert matching([one, other], dataclasses.replace(one, name="c/x.onnx")) is None
    assert matching([one], dataclasses.replace(one, name="c/x.onnx")) is one


def test_a_query_that_took_no_time_is_refused() -> None:
    facts = measurement(samples(1.0, 0.0)).to_dict()
    with pytest.raises(ValueError, match="no time"):
        Measurement.from_dict(facts)


def test_many_short_rounds_are_judged_by_longer_stretches() -> None:
    restless = [samples(10.0), samples(13.0)] * 15  # the same throughout, though no two rounds agree
    assert measurement(*restless).verdict == "STABLE"
    slower = [samples(10.0)] * 15 + [samples(13.0)] * 15
    assert measurement(*slower).verdict == "UNSTABLE"
