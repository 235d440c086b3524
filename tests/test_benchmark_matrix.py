"""A plan of benchmarks: which cells it has, that none is measured twice, and what is refused beforehand."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from dcgan_edge import benchmark_matrix
from dcgan_edge.benchmark_matrix import BenchCell, bench_plan, read_plan, run_plan
from dcgan_edge.benchmarking import Contestant
from dcgan_edge.cli import main
from dcgan_edge.errors import UnavailableError, UsageError
from dcgan_edge.runtime.bench.plan import BenchPlan
from dcgan_edge.runtime.bench.record import BenchReport, read_report
from dcgan_edge.runtime.device import machine_facts
from tests.report_pieces import bench_report, steady
from tests.runtime.bench.test_power_modes import Nvpmodel

PLAN = """
artifacts = ["a.onnx", "b.engine"]
batches = [1, 8]
streams = [1, 2]
backends = ["auto", "onnxruntime"]
duration = 1
"""
NAMES = ["a.onnx (auto)", "a.onnx (onnxruntime)", "b.engine"]


class Measured:
    """Stands in for the measuring: notes the cells, and fails at the `stop`th."""

    def __init__(self, stop: int = 10**9, look: Callable[[], Any] = lambda: None) -> None:
        self.stop, self.look = stop, look
        self.cells: list[tuple[int, int]] = []
        self.names: list[str] = []
        self.seen: list[Any] = []

    def __call__(self, contestants: Mapping[str, Contestant], plan: BenchPlan, *_: object) -> BenchReport:
        if len(self.cells) == self.stop:
            raise KeyboardInterrupt
        ((batch, streams),) = plan.workloads()
        self.cells.append((batch, streams))
        self.names = list(contestants)
        self.seen.append(self.look())
        taken = [steady(name, batch=batch, streams=streams) for name in contestants]
        return bench_report(*taken, machine=machine_facts())


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    for name in ("a.onnx", "b.engine"):
        (tmp_path / name).write_text(name)
    path = tmp_path / "plan.toml"
    path.write_text(PLAN)
    return path


def use(monkeypatch: pytest.MonkeyPatch, measured: Measured) -> Measured:
    monkeypatch.setattr(benchmark_matrix, "measured", measured)
    return measured


def test_every_combination_is_a_cell_of_all_artifacts_and_backends(
    plan: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = use(monkeypatch, Measured())
    output = plan.with_name("run.json")
    report = bench_plan(plan, output=output)
    assert measured.cells == [(1, 1), (1, 2), (8, 1), (8, 2)]
    assert [Path(name).name for name in measured.names] == NAMES
    assert len(report.measurements) == 12
    assert read_report(output).to_json() == report.to_json()
    assert {(ratio.batch, ratio.streams) for ratio in report.ratios} == set(measured.cells)
    assert len(report.ratios) == 8  # two of each cell, to the first


def test_the_times_of_cells_follow_each_other_whatever_their_clocks_said(
    plan: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, Measured())  # whose cells all begin at 0 of a clock
    taken = bench_plan(plan, output=plan.with_name("run.json")).measurements
    spans = [
        (int(cell.rounds[0].due_ns.min()), int((cell.rounds[-1].due_ns + cell.rounds[-1].latency_ns).max()))
        for cell in taken[:: len(NAMES)]
    ]
    assert all(end < begin for (_, end), (begin, _) in itertools.pairwise(spans))
    assert all(each.statistics == taken[0].statistics for each in taken)


def test_a_plan_that_was_interrupted_goes_on_with_the_next_cell(
    plan: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = plan.with_name("run.json")
    use(monkeypatch, Measured(stop=3))
    with pytest.raises(KeyboardInterrupt):
        bench_plan(plan, output=output)
    rest = use(monkeypatch, Measured())
    assert len(bench_plan(plan, output=output).measurements) == 12
    assert rest.cells == [(8, 2)]
    again = use(monkeypatch, Measured())
    assert len(bench_plan(plan, output=output).measurements) == 12
    assert again.cells == []


@pytest.mark.parametrize("change", ["plan", "artifact", "machine", "damaged", "other"])
def test_results_of_something_else_are_not_gone_on_with(
    plan: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    output = plan.with_name("run.json")
    use(monkeypatch, Measured())
    bench_plan(plan, output=output)
    before = output.read_text()
    if change == "plan":
        plan.write_text(PLAN + "processes = 5\n")
    elif change == "artifact":
        plan.with_name("a.onnx").write_text("another")
    elif change == "machine":
        before = before.replace('"cpu": ', '"cpu": "another than ", "was": ')
        output.write_text(before)
    elif change == "damaged":
        before = before.replace('"done": [', '"was": [')
        output.write_text(before)
    else:
        before = bench_report(steady()).to_json()
        output.write_text(before)
    with pytest.raises(UsageError, match="--output"):
        bench_plan(plan, output=output)
    assert output.read_text() == before


@pytest.mark.parametrize(
    "text",
    [
        "",
        "artifacts = []",
        'artifacts = "a.onnx"',
        'artifacts = ["a.onnx", "a.onnx"]',
        'artifacts = ["a.onnx"]\nbatches = [1, 1]',
        'artifacts = ["a.onnx"]\nbatch = 1',
        'artifacts = ["a.onnx"]\nbackends = ["fast"]',
        'artifacts = ["a.onnx"]\nduration = "3s"',
        'artifacts = ["a.onnx"]\nduration = nan',
        'artifacts = ["a.onnx"]\nbatches = [0]',
        'artifacts = ["a.onnx"]\nprocesses = 3',
        'artifacts = ["a.onnx"]\nprecision-goal = 3',
        'artifacts = ["a.onnx"]\ndevice = "gpu"',
        'artifacts = ["a.onnx"]\npower-modes = [0]',
        'artifacts = ["a.onnx"]\npower-modes = [-1]\nchange-power-mode = true',
        'artifacts = ["none.onnx"]',
        "artifacts = [",
        "\0",
        "a = " + "[" * 5000,
    ],
)
def test_a_plan_that_makes_no_sense_is_refused_before_anything_is_measured(
    plan: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    measured = use(monkeypatch, Measured())
    plan.write_text(text)
    result = CliRunner().invoke(
        main, ["bench", "--plan", str(plan), "--output", str(plan.with_name("o.json"))]
    )
    assert result.exit_code == 2, result.output
    assert measured.cells == []
    assert not plan.with_name("o.json").exists()


def test_power_modes_are_set_in_their_order_and_put_back(plan: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan.write_text(
        'artifacts = ["a.onnx"]\nbatches = [1, 8]\npower-modes = [2, 0]\nchange-power-mode = true\n'
    )
    board = Nvpmodel(mode=1)
    measured = use(monkeypatch, Measured(look=lambda: board.mode))
    report = run_plan(read_plan(plan), plan.parent, plan.with_name("run.json"), run=board)
    assert measured.seen == [2, 2, 0, 0]
    assert board.mode == 1
    assert [each.setting for each in report.measurements] == ["power mode 2"] * 2 + ["power mode 0"] * 2


def test_a_board_that_refuses_a_mode_keeps_what_was_measured(
    plan: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan.write_text('artifacts = ["a.onnx"]\npower-modes = [1, 7]\nchange-power-mode = true\n')
    use(monkeypatch, Measured())
    board, output = Nvpmodel(mode=2), plan.with_name("run.json")
    with pytest.raises(UnavailableError):
        run_plan(read_plan(plan), plan.parent, output, run=board)
    assert board.mode == 2
    assert json.loads(output.read_text())["plan"]["done"] == [str(BenchCell(1, 1, 1))]


@pytest.mark.parametrize(
    "words", [("x.onnx",), ("--duration", "3s"), ("--batch", "1"), ("--require-stable",), ("--baseline", "x")]
)
def test_options_that_the_plan_says_are_refused(plan: Path, words: tuple[str, ...]) -> None:
    asked = ["bench", "--plan", str(plan), "--output", str(plan.with_name("run.json")), *words]
    result = CliRunner().invoke(main, asked)
    assert result.exit_code == 2
    assert "--plan" in result.stderr


@pytest.mark.parametrize("words", [("--plan", "plan.toml"), ()])
def test_a_benchmark_needs_artifacts_and_a_plan_a_record(words: tuple[str, ...]) -> None:
    assert CliRunner().invoke(main, ["bench", *words]).exit_code == 2


def test_what_a_plan_measured_is_shown(plan: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, Measured())
    result = CliRunner().invoke(
        main, ["bench", "--plan", str(plan), "--output", str(plan.with_name("run.json"))]
    )
    assert result.exit_code == 0, result.output
    assert "batch 8 on 2 streams" in result.stdout
