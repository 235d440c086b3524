from __future__ import annotations

from doubles import ArithmeticSession
from hypothesis import given
from hypothesis import strategies as st
from report_pieces import bench_report, measurement

from dcgan_edge.runtime.bench import BenchPlan, bench
from dcgan_edge.runtime.record import INTERVALS
from dcgan_edge.runtime.report import ReportContent, render
from dcgan_edge.runtime.report_bench import bench_charts, bench_rows, intervals, labels, sessions


def test_rows_are_grouped_by_load_and_compared_with_its_first() -> None:
    report = bench_report(
        measurement("out/a.onnx", 1, ms=2.0),
        measurement("out/b.onnx", 1, ms=1.0),
        measurement("out/b.onnx", 16, ms=3.0),
        measurement("out/a.onnx", 16, ms=6.0),
    )
    groups = [(load, [(row.label, round(row.ratio, 6)) for row in rows]) for load, rows in bench_rows(report)]
    assert groups == [
        ("batch 1", [("a.onnx", 1.0), ("b.onnx", 2.0)]),
        ("batch 16", [("b.onnx", 1.0), ("a.onnx", 0.5)]),
    ]


def test_an_artefact_has_the_same_key_in_every_row_and_legend() -> None:
    report = bench_report(*(measurement(name, batch) for batch in (1, 4) for name in ("a", "b")))
    keys = {(row.label, row.key) for _, rows in bench_rows(report) for row in rows}
    assert len(keys) == 2
    assert all({(label, key) for key, label in chart.legend} == keys for chart in bench_charts(report))


def test_there_is_a_distribution_for_each_load_and_a_throughput_for_more_than_one_batch() -> None:
    one = [measurement("a", 1), measurement("b", 1)]
    assert [chart.title for chart in bench_charts(bench_report(*one))] == ["Latency, batch 1"]
    assert [chart.title for chart in bench_charts(bench_report(*one, measurement("a", 16)))] == [
        "Latency, batch 1", "Latency, batch 16", "Throughput by batch",
    ]  # fmt: skip


def test_loads_that_are_not_alike_are_kept_apart() -> None:
    report = bench_report(
        measurement("a", 1, scenario="server"),
        measurement("a", 1, scenario="server", streams=2),
        measurement("a", 8, scenario="server", streams=2),
    )
    assert [load for load, _ in bench_rows(report)] == [
        "server, batch 1", "server, 2 streams, batch 1", "server, 2 streams, batch 8",
    ]  # fmt: skip
    assert bench_charts(report)[-1].title == "Throughput by batch, server, 2 streams"


def test_what_ran_an_artefact_is_said_once_and_in_words() -> None:
    facts = {
        "backend": "trt",
        "version": "10.3",
        "zero_copy": True,
        "graph": {"captured": [1, 16], "why": None},
    }
    report = bench_report(
        measurement("out/a", 1), measurement("out/b", 1, session=facts), measurement("out/a", 16)
    )
    assert sessions(report) == [
        ("a", "fp16, onnxruntime 1.2.3, CPUExecutionProvider, threads: 2"),
        ("b", "fp16, trt 10.3, zero copy: yes, graph: (captured 1 16, why none)"),
    ]


def test_what_is_inside_the_interval_is_said_once() -> None:
    assert intervals(bench_report(measurement("a"), measurement("b"))) == [INTERVALS["closed"]]


def test_files_of_the_same_name_are_told_apart_by_as_little_as_it_takes() -> None:
    assert labels(["x/one/g.onnx", "x/two/g.onnx", "x/one/h.onnx", "PyTorch"]) == {
        "x/one/g.onnx": "one/g.onnx",
        "x/two/g.onnx": "two/g.onnx",
        "x/one/h.onnx": "h.onnx",
        "PyTorch": "PyTorch",
    }


@given(st.lists(st.text(min_size=1), unique=True, max_size=8))
def test_labels_are_made_for_every_path(paths: list[str]) -> None:
    assert list(labels(paths)) == paths


def test_a_real_benchmark_is_shown() -> None:
    html = render(
        ReportContent("x", bench=bench([("double", ArithmeticSession)], BenchPlan((3,), duration_s=0.1)))
    )
    assert "images in host memory" in html
    assert "batch 3" in html
