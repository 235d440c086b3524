from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from dcgan_edge.report.rows import grouped, intervals, is_mlperf_style, labels, rows
from dcgan_edge.runtime.bench.record import INTERVALS
from tests.report_pieces import bench_report, measurement


def test_rows_are_grouped_by_load_and_compared_with_its_first() -> None:
    report = bench_report(
        measurement("out/a.onnx", 1, ms=2.0),
        measurement("out/b.onnx", 1, ms=1.0),
        measurement("out/b.onnx", 16, ms=3.0),
        measurement("out/a.onnx", 16, ms=6.0),
    )
    workloads = grouped(rows({"": report}), "workload")
    groups = [
        (workload, [(row.label, round(row.ratio.speed.value if row.ratio else 1.0, 6)) for row in members])
        for workload, members in workloads.items()
    ]
    assert groups == [
        ("batch 1", [("a.onnx", 1.0), ("b.onnx", 2.0)]),
        ("batch 16", [("b.onnx", 1.0), ("a.onnx", 0.5)]),
    ]


def test_loads_that_are_not_alike_are_kept_apart() -> None:
    report = bench_report(
        measurement("a", 1, scenario="server"),
        measurement("a", 1, scenario="server", streams=2),
        measurement("a", 8, scenario="server", streams=2),
    )
    assert [row.workload for row in rows({"": report})] == [
        "server, batch 1", "server, 2 streams, batch 1", "server, 2 streams, batch 8",
    ]  # fmt: skip
    assert list(grouped(rows({"": report}), "setup")) == ["server", "server, 2 streams"]


def test_a_line_is_the_same_for_an_artifact_under_every_load_and_another_in_another_run() -> None:
    report = bench_report(*(measurement(f"out/{name}", batch) for batch in (1, 4) for name in ("a", "b")))
    found = {(row.run, row.label): row.index for row in rows({"x": report, "y": report})}
    assert found == {("x", "a"): 0, ("x", "b"): 1, ("y", "a"): 2, ("y", "b"): 3}


def test_a_percentile_that_was_not_asked_for_is_missing() -> None:
    (row,) = rows({"": bench_report(measurement("a", percentiles=(50.0, 99.0)))})
    median = row.percentile(50)
    assert median is not None
    assert median.value == row.statistics.median
    assert row.percentile(90) is None


def test_what_is_inside_the_interval_is_said_once() -> None:
    runs = {"": bench_report(measurement("a"), measurement("b"))}
    assert intervals(rows(runs)) == [INTERVALS["closed"]]


def test_mlperf_s_scenarios_are_told_from_ours() -> None:
    assert not is_mlperf_style(rows({"": bench_report(measurement("a"))}))
    assert is_mlperf_style(rows({"": bench_report(measurement("a", scenario="server"))}))


def test_files_of_the_same_name_are_told_apart_by_as_little_as_it_takes() -> None:
    assert labels(["x/one/g.onnx", "x/two/g.onnx", "x/one/h.onnx", "PyTorch"]) == {
        "x/one/g.onnx": "one/g.onnx",
        "x/two/g.onnx": "two/g.onnx",
        "x/one/h.onnx": "h.onnx",
        "PyTorch": "PyTorch",
    }


@settings(max_examples=40)
@given(st.lists(st.text(min_size=1), unique=True, max_size=8))
def test_labels_are_made_for_every_path(paths: list[str]) -> None:
    assert list(labels(paths)) == paths
