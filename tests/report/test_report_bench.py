from __future__ import annotations

import pytest

from dcgan_edge.report.bench import (
    course_notes,
    distributions,
    fact,
    percents,
    sessions,
    throughputs,
)
from dcgan_edge.report.charts import Chart
from dcgan_edge.report.drawing import COLOURS
from dcgan_edge.report.rows import Row, rows
from dcgan_edge.runtime.bench.record import Course
from tests.report_pieces import bench_report, measurement, plotted


@pytest.fixture(scope="module")
def measured() -> list[Row]:
    """`a` under two batches, `b` under one."""
    return rows({"": bench_report(measurement("a", 1), measurement("b", 1, ms=3.0), measurement("a", 16))})


@pytest.fixture(scope="module")
def drawn(measured: list[Row]) -> list[Chart]:
    return [*distributions(measured), *throughputs(measured)]


def test_there_is_a_distribution_for_each_load_and_a_throughput_for_more_than_one_batch(
    measured: list[Row], drawn: list[Chart]
) -> None:
    assert [chart.title for chart in drawn] == [
        "Latency, batch 1",
        "Latency, batch 16",
        "Throughput by batch",
    ]
    assert throughputs(measured[:2]) == []


def test_every_legend_has_every_artifact_and_every_line_the_colour_of_its_artifact(
    drawn: list[Chart],
) -> None:
    assert all([label for _, label in chart.legend] == ["a", "b"] for chart in drawn)
    assert f"stroke: {COLOURS[1]}" in plotted(drawn[0].svg)
    assert f"stroke: {COLOURS[1]}" not in plotted(drawn[1].svg)  # b was not measured there


def test_the_lines_of_several_runs_are_named_with_their_run() -> None:
    report = bench_report(measurement("a", calls=9), measurement("a", 4, calls=9))
    (chart,) = throughputs(rows({"x": report, "y": report}))
    assert [label for _, label in chart.legend] == ["a, x", "a, y"]


def test_percentiles_of_all_records_have_a_column() -> None:
    asked = [measurement("a", percentiles=(50.0, 99.0)), measurement("b", percentiles=(90.0, 50.0))]
    assert percents(rows({"": bench_report(*asked)})) == [50, 90, 99]


def test_what_was_waited_for_is_said_once_for_a_workload_and_what_was_not_met_for_each() -> None:
    course = Course(1, 2.5, 0, ("other programs were busy",), 0.03)
    both = [measurement(name, calls=9, course=course) for name in ("a", "b")]
    first, second, waited = course_notes(rows({"": bench_report(*both)}))
    assert (first[:11], second[:11]) == ("a, batch 1:", "b, batch 1:")
    assert "not met" in first
    assert waited == "batch 1: waited 2.5 s for a quiet machine, before 1 round."
    assert course_notes(rows({"": bench_report(measurement("a", calls=9))})) == []


def test_what_ran_an_artifact_is_said_once_and_in_words() -> None:
    facts = {
        "backend": "trt",
        "version": "10.3",
        "zero_copy": True,
        "graph": {"captured": [1, 16], "why": None},
    }
    report = bench_report(
        measurement("out/a", 1), measurement("out/b", 1, session=facts), measurement("out/a", 16)
    )
    assert sessions(rows({"": report})) == [
        ("a", "fp16, onnxruntime 1.2.3, CPUExecutionProvider, threads: 2"),
        ("b", "fp16, trt 10.3, zero copy: yes, graph: (captured 1 16, why none)"),
    ]
    other = bench_report(measurement("out/a", session={"backend": "trt", "version": "10.3"}))
    named = [label for label, _ in sessions(rows({"x": report, "y": other}))]
    assert named == ["a (x)", "a (y)", "b"]


@pytest.mark.parametrize(("value", "said"), [({}, "none"), ((), "none"), (False, "no"), (2.5, "2.5")])
def test_facts(value: object, said: str) -> None:
    assert fact(value) == said
