from __future__ import annotations

import dataclasses
import math

from dcgan_edge.cli.bench_tables import bench_notes, bench_table, comparison_table
from dcgan_edge.runtime.bench.record import Comparison
from tests.report_pieces import bench_report, measurement


def cells(table: object, column: str) -> list[str]:
    """The cells of a column by its heading."""
    return [str(cell) for each in table.columns if each.header == column for cell in each.cells]  # type: ignore[attr-defined]


def test_measurements_can_be_told_apart() -> None:
    one, two = measurement("old/x.onnx", 2), measurement("new/x.onnx", 2)
    four = dataclasses.replace(two, streams=4, reasons=("it was hot",))
    table = bench_table(bench_report(one, two, four))
    assert cells(table, "artifact") == ["old/x.onnx", "new/x.onnx", "new/x.onnx"]
    assert cells(table, "streams") == ["1", "1", "4"]
    assert cells(table, "verdict") == ["STABLE", "STABLE", "UNSTABLE"]
    assert "new/x.onnx at batch 2 on 4 streams" in bench_notes(bench_report(one, two, four))


def test_streams_have_no_column_where_there_is_one() -> None:
    assert not cells(bench_table(bench_report(measurement("x.onnx"))), "streams")


def test_changes_can_be_told_apart() -> None:
    change = Comparison("x.onnx", 1, 1, "p50", 1.0, 1.2, 0.2, 0.1, math.inf, "regression")
    table = comparison_table([change, dataclasses.replace(change, streams=2, outcome="noise")])
    assert cells(table, "streams") == ["1", "2"]
    assert cells(table, "change") == ["+20.0%", "+20.0%"]
    assert cells(table, "outcome") == ["REGRESSION", "noise"]
