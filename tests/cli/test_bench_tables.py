from __future__ import annotations

import dataclasses
import math

from dcgan_edge.cli.bench_tables import bench_notes, bench_table, comparison_table, ratio_table, start_table
from dcgan_edge.runtime.bench.record import Comparison, Course
from tests.report_pieces import bench_report, measurement, steady


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


def test_ratios_have_a_table_of_their_own_and_what_it_takes_to_start_too() -> None:
    one, two = (dataclasses.replace(steady(name), rounds=steady(name).rounds * 2) for name in ("a", "b"))
    two = dataclasses.replace(two, load_s=0.25, first_call_ms=3.0, peak_memory_bytes=2**26)
    report = bench_report(one, two)
    assert cells(ratio_table(report.ratios), "artifact") == ["b"]
    assert cells(ratio_table(report.ratios), "verdict") == ["STABLE"]
    assert cells(start_table(report), "load s") == ["", "0.250"]
    assert cells(start_table(report), "peak MiB") == ["", "64"]


def test_what_was_waited_for_set_aside_and_not_met_is_said() -> None:
    course = Course(2, 3.25, 0, ("other programs were busy",), 0.03)
    taken = dataclasses.replace(steady(), course=course, set_aside=steady().rounds[:3])
    notes = bench_notes(bench_report(taken))
    for words in ("waited 3.2 s", "3 rounds were taken again", "other programs were busy", "goal of 3.0%"):
        assert words in notes


def test_streams_have_no_column_where_there_is_one() -> None:
    assert not cells(bench_table(bench_report(measurement("x.onnx"))), "streams")


def test_changes_can_be_told_apart() -> None:
    change = Comparison("x.onnx", 1, 1, "p50", 1.0, 1.2, 0.2, 0.1, math.inf, "slower", True)
    table = comparison_table(
        [
            change,
            dataclasses.replace(
                change, streams=2, outcome="ambiguous", because="it was hot", regression=False
            ),
        ]
    )
    assert cells(table, "streams") == ["1", "2"]
    assert cells(table, "change") == ["+20.0%", "+20.0%"]
    assert cells(table, "outcome") == ["REGRESSION", "ambiguous, because it was hot"]
