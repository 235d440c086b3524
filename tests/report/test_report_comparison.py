from __future__ import annotations

import pytest

from dcgan_edge.report.comparison import Compared, compared, overlays
from dcgan_edge.report.drawing import COLOURS
from dcgan_edge.report.environment import MISSING, differing, environment
from dcgan_edge.report.rows import rows
from dcgan_edge.runtime.bench.comparison import DEFAULT_GATE
from dcgan_edge.runtime.bench.record import BenchReport
from tests.report_pieces import MACHINE, SESSION, bench_report, measurement, plotted, steady


def compare(then: BenchReport, now: BenchReport) -> Compared:
    runs = {"then": then, "now": now}
    return compared(runs, rows(runs))


@pytest.mark.parametrize(
    ("now_ms", "word", "good"),
    [
        (1.2, "slower", False),
        (0.8, "faster", True),
        (1.0, "same", None),
        (1.04, "slower, within the gate", None),
    ],
)
def test_the_effect_has_an_interval_and_an_outcome(now_ms: float, word: str, good: bool | None) -> None:
    found = compare(bench_report(steady(ms=1.0)), bench_report(steady(ms=now_ms)))
    (change,) = found.changes
    assert (change.word, change.good) == (word, good)
    assert change.figures.low <= change.figures.change <= change.figures.high
    assert change.figures.change == pytest.approx(now_ms - 1.0, abs=1e-5)  # samples are whole nanoseconds
    assert (found.gate, found.differences, found.alone) == (DEFAULT_GATE, (), ())


def test_each_change_has_its_own_rows_in_whatever_order_they_were_measured() -> None:
    then = bench_report(steady("x/a"), steady("x/b", 2.0), steady("x/b", 4.0, batch=8))
    found = compare(then, bench_report(steady("y/b", 4.0, batch=8), steady("y/a"), steady("y/c")))
    assert [(change.then.measurement.name, change.now.measurement.name) for change in found.changes] == [
        ("x/b", "y/b"), ("x/a", "y/a"),
    ]  # fmt: skip
    assert [change.figures.batch for change in found.changes] == [8, 1]
    assert found.alone == ("b, batch 1 (then)", "c, batch 1 (now)")


def test_runs_that_were_not_measured_alike_are_compared_with_a_warning() -> None:
    now = bench_report(
        steady(session=SESSION | {"threads": 4}), machine=MACHINE | {"cpu": "another", "system": "new"}
    )
    found = compare(bench_report(steady()), now)
    assert found.differences == ("cpu: a processor, then another", "threads of g.onnx: 2, then 4")
    assert len(found.changes) == 1


def test_nothing_in_common_is_said_and_no_error() -> None:
    found = compare(bench_report(steady("a")), bench_report(steady("b")))
    assert found.changes == ()
    assert len(found.alone) == 2
    assert overlays(found) == []


def test_both_distributions_are_drawn_over_each_other() -> None:
    (chart,) = overlays(compare(bench_report(steady(ms=1.0)), bench_report(steady(ms=2.0))))
    assert [label for _, label in chart.legend] == ["then", "now"]
    assert all(f"stroke: {colour}" in plotted(chart.svg) for colour in COLOURS[:2])


def test_versions_settings_and_sessions_that_differ_are_listed_and_the_passing_load_is_not() -> None:
    workload = {"facts": {"other programs": {"load_average": "1"}, "power mode": {"mode": "15W"}}}
    other = {"facts": {"other programs": {"load_average": "2"}, "power mode": {"mode": "MAXN"}}}
    runs = {
        "a": bench_report(
            measurement("g", calls=5), versions={"numpy": "1", "onnx": "3"}, telemetry=workload
        ),
        "b": bench_report(
            measurement("g", calls=5), versions={"numpy": "2"}, plan={"rounds": 9}, telemetry=other
        ),
    }
    tables = environment(runs, rows(runs))
    assert [heading for heading, _ in tables] == [
        "Machine",
        "Found on it",
        "Versions",
        "Settings",
        "Sessions",
    ]
    assert [(heading, fact.name, fact.values) for heading, fact in differing(tables)] == [
        ("Found on it", "power mode: mode", ("15W", "MAXN")),
        ("Versions", "numpy", ("1", "2")),
        ("Versions", "onnx", ("3", MISSING)),
        ("Settings", "rounds", ("5", "9")),
    ]


def test_one_run_has_an_environment_without_differences() -> None:
    runs = {"a": bench_report(measurement("g", calls=5))}
    tables = environment(runs, rows(runs))
    assert [heading for heading, _ in tables] == ["Machine", "Versions", "Settings"]
    assert differing(tables) == []
    assert environment({}, []) == []
