"""The report as Markdown, JSON and CSV."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcgan_edge.report import ReportContent, to_csv, to_json, to_markdown
from dcgan_edge.report.markdown import escaped
from dcgan_edge.runtime.bench.record import INTERVALS
from tests.report_pieces import ENERGY, NASTY, ROOFLINE, bench_report, measurement, parity, steady


def tables(text: str) -> list[list[list[str]]]:
    """The cells of every table, by GitHub's rules: a backslash before | makes it a letter."""
    found = []
    for block in text.split("\n\n"):
        if block.startswith("|"):
            lines = [line.replace("\\|", "\0") for line in block.strip().splitlines()]
            found.append([[cell.strip() for cell in line.strip("|").split("|")] for line in lines])
    return found


def content(**changes: Any) -> ReportContent:
    taken = [
        measurement("out/g.onnx", energy=ENERGY, roofline=ROOFLINE),
        measurement("h.onnx", calls=661, scenario="server", loop="open", reasons=("it moved",)),
    ]
    parts: dict[str, Any] = {
        "title": "A run",
        "runs": {"r": bench_report(*taken)},
        "parity": {"g.onnx": parity(0.0)},
    }
    return ReportContent(**(parts | changes))


def test_a_table_for_a_readme_has_what_it_takes_to_read_it() -> None:
    text = to_markdown(content())
    ((heading, rule, first, second),) = tables(text)
    assert heading == [
        "artifact", "workload", "median, ms", "99% interval", "p99, ms", "images/s", "mJ/image",
        "measured/roofline bound", "worst PSNR", "parity", "verdict",
    ]  # fmt: skip
    assert rule[:3] == ["---", "---", "---:"]
    assert first[:4] == ["g.onnx", "batch 1", "1.005", "1.000\N{EN DASH}1.010"]
    assert first[6:] == ["5.00", "10.0 (memory)", "200.0 dB", "passed", "stable"]
    assert second[6:] == ["", "", "", "", "UNSTABLE"]
    assert second[4].endswith(" \N{DAGGER}")
    assert not first[4].endswith("\N{DAGGER}")
    for said in (
        INTERVALS["closed"], INTERVALS["open"], "MLPerf-style, not an official result.",
        "fewer than 662 calls", "Measured on a processor, 4 processors, by onnxruntime 1.2.3.",
        "- UNSTABLE: h.onnx, server, batch 1: it moved.",
    ):  # fmt: skip
        assert said in text


def test_columns_without_a_figure_are_left_out() -> None:
    ((heading, *_),) = tables(to_markdown(ReportContent("x", runs={"r": bench_report(steady())})))
    assert heading == ["artifact", "workload", "median, ms", "99% interval", "p99, ms", "images/s", "verdict"]


def test_a_comparison_is_a_second_table() -> None:
    runs = {
        "then": bench_report(steady("a")),
        "now": bench_report(steady("a", 1.2), versions={"numpy": "10"}),
    }
    text = to_markdown(ReportContent("x", runs=runs))
    (heading, *_), (_, _, change) = tables(text)
    assert heading[0] == "run"
    assert change[:5] == ["a", "batch 1", "p50", "1.022 ms", "1.226 ms"]
    assert (change[5], change[7]) == ("+20.0%", "slower")
    assert "- Not the same: Versions, numpy: 9.9, then 10." in text


def test_a_fleet_names_the_boards_that_stand_out_and_the_rule() -> None:
    runs = {str(n): bench_report(steady(ms=ms)) for n, ms in enumerate((1.0, 1.01, 0.99, 2.0))}
    text = to_markdown(ReportContent("x", runs=runs))
    _, (_, _, *devices) = tables(text)
    assert [device[3] for device in devices] == ["like the others"] * 3 + ["STANDS OUT"]
    assert "- 3, g.onnx, batch 1: median latency 2.044 ms (1.99\N{MULTIPLICATION SIGN})" in text
    assert "median absolute deviation" in text


def test_nothing_measured_is_no_table() -> None:
    assert "|" not in to_markdown(ReportContent("only a title"))


@given(st.text(max_size=40))
def test_any_name_stays_in_its_cell_and_is_no_markup(name: str) -> None:
    cell = escaped(name)
    assert "\n" not in cell
    assert not set("<>@") & set(cell)
    bare = cell.replace("\\\\", "").replace("\\|", "").replace("\\*", "").replace("\\`", "")
    assert not set("|*`") & set(bare)


def test_a_nasty_name_breaks_no_table_and_no_csv() -> None:
    run = bench_report(measurement(NASTY, reasons=(NASTY,)), machine={"cpu": NASTY})
    nasty = ReportContent(NASTY, runs={NASTY: run, "b": run, "=1+1": run}, notes=[NASTY])
    assert all(len({len(line) for line in table}) == 1 for table in tables(to_markdown(nasty)))
    assert "<script" not in to_markdown(nasty)
    lines = list(csv.DictReader(io.StringIO(to_csv(nasty))))
    assert [line["run"] for line in lines] == [NASTY, "b", "'=1+1"]  # not a formula in a spreadsheet
    assert {line["artifact"] for line in lines} == {NASTY.rpartition("/")[2]}  # the file's name


def test_csv_has_a_line_for_each_measurement() -> None:
    first, second = csv.DictReader(io.StringIO(to_csv(content())))
    assert (first["artifact"], first["batch"], first["verdict"], first["parity"]) == (
        "g.onnx",
        "1",
        "STABLE",
        "passed",
    )
    assert float(first["p50_ms"]) == pytest.approx(1.005)
    assert float(first["p50_low_ms"]) <= float(first["p50_ms"]) <= float(first["p50_high_ms"])
    assert first["p99.9_high_ms"] == ""  # no sample bounds it
    assert (first["joules_per_image"], first["bound"]) == ("0.005", "memory")
    assert (second["joules_per_image"], second["unstable_because"]) == ("", "it moved")


def test_csv_has_ratios_and_what_it_takes_to_start() -> None:
    first, second = (
        dataclasses.replace(taken, rounds=taken.rounds * 2) for taken in (steady("a", 2.0), steady("b", 1.0))
    )
    second = dataclasses.replace(second, load_s=0.5, first_call_ms=3.0, peak_memory_bytes=1024)
    text = to_csv(ReportContent("x", runs={"": bench_report(first, second)}))
    lines = list(csv.DictReader(io.StringIO(text)))
    assert [line["speed"] for line in lines] == ["", "2.0"]
    assert float(lines[1]["speed_low"]) <= 2.0 <= float(lines[1]["speed_high"])
    assert [line["load_s"] for line in lines] == ["", "0.5"]
    assert [line["peak_memory_bytes"] for line in lines] == ["", "1024"]


def test_csv_of_records_with_other_percentiles_has_all_columns() -> None:
    runs = {"a": bench_report(steady(percentiles=(50.0,))), "b": bench_report(steady(percentiles=(75.0,)))}
    first, second = csv.DictReader(io.StringIO(to_csv(ReportContent("x", runs=runs))))
    assert (first["p75_ms"], second["p50_ms"]) == ("", "")
    assert first["p50_ms"]
    assert second["p75_ms"]


def test_json_has_summaries_and_no_raw_samples() -> None:
    document = json.loads(to_json(content()))
    assert (document["schema_version"], document["kind"]) == (1, "dcgan-edge report")
    (run,) = document["runs"]
    assert run["name"] == "r"
    assert [taken["verdict"] for taken in run["measurements"]] == ["STABLE", "UNSTABLE"]
    assert all(not {"rounds", "encoding"} & taken.keys() for taken in run["measurements"])
    assert document["parity"]["g.onnx"]["verdict"] == "passed"
    assert not {"comparison", "fleet", "differences"} & document.keys()


def test_json_of_two_and_of_three_runs() -> None:
    runs = {"a": bench_report(steady(ms=1.0)), "b": bench_report(steady(ms=1.2), versions={"numpy": "10"})}
    document = json.loads(to_json(ReportContent("x", runs=runs)))
    assert document["comparison"]["changes"][0]["regression"]
    assert document["differences"] == [{"what": "Versions: numpy", "values": {"a": "9.9", "b": "10"}}]
    same = bench_report(steady(ms=1.0))
    fleet = json.loads(
        to_json(ReportContent("x", runs={"a": same, "b": same, "c": same} | {"d": runs["b"]}))
    )["fleet"]
    assert [device["stands_out"] for device in fleet["devices"]] == [False, False, False, True]
    assert fleet["outliers"][0]["score"] is None  # three boards agree to the last digit: infinitely far away
