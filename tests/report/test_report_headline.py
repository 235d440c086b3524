from __future__ import annotations

import dataclasses

from dcgan_edge.report.comparison import compared
from dcgan_edge.report.fleet import fleet
from dcgan_edge.report.headline import headline
from dcgan_edge.report.rows import rows
from dcgan_edge.runtime.bench.record import BenchReport
from dcgan_edge.runtime.parity import Parity
from tests.report_pieces import bench_report, manifest, measurement, parity, steady


def speeds(bench: BenchReport, parity: dict[str, Parity] | None = None) -> list[tuple[str, str]]:
    """(value, detail) of the latency and the throughput in the headline."""
    figures = [
        figure
        for figure in headline([], parity or {}, rows({"": bench}))
        if figure.unit in ("ms", "images/s")
    ]
    return [(figure.value, figure.detail) for figure in figures]


def test_the_headline_quotes_the_fastest_at_the_smallest_batch_and_the_highest_throughput() -> None:
    bench = bench_report(
        measurement("slow", 1, ms=2.0), measurement("fast", 1, ms=1.0), measurement("slow", 16, ms=4.0)
    )
    assert speeds(bench)[0] == ("1.005", "fast, batch 1")
    assert speeds(bench)[1][1] == "slow, batch 16"


def test_the_headline_of_several_artifacts_is_the_largest_proven_ratio_to_the_first() -> None:
    first, second, third = (
        dataclasses.replace(taken, rounds=taken.rounds * 6)
        for taken in (steady("out/a", 3.0), steady("out/b", 1.0), steady("out/c", 2.0))
    )
    (figure, *_) = headline([], {}, rows({"": bench_report(first, third, second)}))
    assert (figure.value, figure.unit) == ("3.00", "\N{MULTIPLICATION SIGN}")
    assert figure.detail == "[3.00, 3.00] faster than a: b, batch 1"
    shaky = dataclasses.replace(second, warm_up=dataclasses.replace(second.warm_up, settled=False))
    (figure, *_) = headline([], {}, rows({"": bench_report(first, third, shaky)}))
    assert figure.value == "1.50"  # the stable one of the two


def test_an_unstable_figure_is_quoted_only_where_there_is_no_other_and_then_named_so() -> None:
    shaky = measurement("shaky", 1, ms=1.0, reasons=("the clock moved",))
    assert speeds(bench_report(shaky, measurement("steady", 1, ms=2.0)))[0] == ("2.010", "steady, batch 1")
    assert speeds(bench_report(shaky))[0] == ("1.005", "shaky, batch 1, unstable")


def test_an_artifact_that_failed_parity_is_not_quoted_for_its_speed() -> None:
    bench = bench_report(measurement("out/wrong.onnx", ms=1.0), measurement("out/right.onnx", ms=2.0))
    verdicts = {"wrong.onnx": parity(0.5), "right.onnx": parity(0.0)}
    assert speeds(bench, verdicts)[0] == ("2.010", "right.onnx, batch 1")
    assert speeds(bench_report(bench.measurements[0]), verdicts) == []


def test_the_headline_counts_verdicts_and_compares_sizes() -> None:
    files = [("c", manifest("checkpoint", "fp32")), ("a.onnx", manifest("onnx", "fp32", parent="a long one"))]
    files.append(("b.onnx", manifest("onnx", "fp16")))
    verdict, smallest = headline(files, {"a": parity(0.0), "b": parity(0.5)}, [])
    assert (verdict.value, verdict.state) == ("1 of 2", "bad")
    share = files[2][1].size / files[1][1].size
    assert smallest.detail == f"b.onnx, {share:.0%} of a.onnx"
    assert headline(files, {"a": parity(0.0)}, [])[0].state == "good"
    assert headline([], {}, []) == []


def test_the_headline_of_two_runs_is_the_largest_change_that_matters() -> None:
    then = bench_report(steady("a", 1.0), steady("b", 1.0))
    runs = {"then": then, "now": bench_report(steady("a", 1.1), steady("b", 0.5))}
    (figure,) = headline([], {}, rows(runs), compared(runs, rows(runs)))
    assert (figure.value, figure.unit, figure.state) == ("+10.0", "%", "bad")  # a, though b changed by more
    assert figure.detail.startswith("slower: 99% interval +9.")
    assert figure.detail.endswith("a, batch 1")


def test_the_headline_of_a_fleet_names_the_boards_that_stand_out() -> None:
    runs = {str(n): bench_report(steady(ms=ms)) for n, ms in enumerate([1.0, 1.01, 0.99, 2.0])}
    boards, odd = headline([], {}, rows(runs), fleet(runs, rows(runs)))
    assert (boards.value, odd.value, odd.detail, odd.state) == ("4", "1", "3", "bad")
    del runs["3"]
    _, odd = headline([], {}, rows(runs), fleet(runs, rows(runs)))
    assert (odd.value, odd.detail, odd.state) == ("0", "none", "good")
