from __future__ import annotations

import functools
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks import side_by_side
from benchmarks.contestants import Class, Contestant, contestants
from benchmarks.generators import SUBJECTS
from benchmarks.peers import BareOnnxRuntime
from benchmarks.results import Entry, Results
from benchmarks.side_by_side import BATCHES, cell_name, main
from benchmarks.tables import markdown
from benchmarks.verdicts import verdicts
from dcgan_edge.errors import UnavailableError
from dcgan_edge.latents import latents
from dcgan_edge.runtime.bench.plan import BenchPlan
from dcgan_edge.runtime.bench.record import BenchReport, Measurement, WarmUp
from dcgan_edge.runtime.bench.worker import Opener
from dcgan_edge.runtime.bench.workload import Samples
from dcgan_edge.runtime.session import Session, open_session

SUBJECT = SUBJECTS[1]
CELLS = {batch: cell_name(SUBJECT, batch) for batch in BATCHES}
EAGER, LAST, BARE, OTHER, OURS, SMALL = (
    "torch eager", "torch channels_last", "bare onnxruntime", "openvino INT8", "ours fp32", "ours int8",
)  # fmt: skip
KINDS: dict[str, Class] = {
    EAGER: "float", LAST: "float", BARE: "float", OTHER: "int8", OURS: "float", SMALL: "int8",
}  # fmt: skip


def measured(name: str, batch: int, ms: float) -> Measurement:
    """30 rounds of three calls that take `ms`, of a machine that changes its speed from round to round."""
    rounds = tuple(
        Samples(np.arange(3), np.full(3, ms * 1e6 * (1 + number % 2)).astype(np.int64))
        for number in range(30)
    )
    session = {"backend": name, "version": "1"}
    return Measurement(name, "", "fp32", "latency", batch, 1, session, WarmUp(9, 0.1, True), rounds)


def results_with(folder: Path, times: dict[int, dict[str, float]]) -> Results:
    """Results of cells by their batch, with the milliseconds of each contestant."""
    results = Results(folder)
    for name, kind in KINDS.items():
        results.add_entry(Entry(SUBJECT.name, name, kind, name.startswith("ours"), 45.0, 0.01))
    for batch, cell in times.items():
        taken = tuple(measured(name, batch, ms) for name, ms in cell.items())
        results.add_report(CELLS[batch], BenchReport({}, taken, {"cpu": "x", "cpus": "2"}, {}))
    return results


GOOD = {
    1: {EAGER: 10.0, LAST: 9.0, BARE: 5.0, OTHER: 1.0, OURS: 5.0, SMALL: 0.98},
    8: {EAGER: 10.0, LAST: 9.0, BARE: 8.0, OTHER: 3.0, OURS: 8.0, SMALL: 2.5},
    64: {EAGER: 10.0, LAST: 9.0, BARE: 8.0, OTHER: 3.0, OURS: 6.0, SMALL: 2.0},
}


def test_what_holds_is_said_to_hold(tmp_path: Path) -> None:
    found = list(verdicts(SUBJECT, CELLS, results_with(tmp_path, GOOD)))
    assert [line[:6] for line in found] == ["holds "] * 5
    assert "10.2x [10.2, 10.2] by ours int8" in found[1]
    assert "1.33x" in found[4]


@pytest.mark.parametrize(
    ("batch", "name", "ms", "missed"),
    [
        (1, OTHER, 0.9, "openvino INT8 1.09x"),  # is more than 3 % ahead of our int8
        (8, BARE, 7.0, "bare onnxruntime 1.14x [1.14, 1.14] over ours fp32"),  # which int8 would beat
        (1, EAGER, 9.0, "at least 10 times as fast as torch eager"),
        (64, LAST, 7.9, "at least 4 times as fast as torch channels_last"),
        (64, OURS, 7.0, "at least 1.15 times the best peer"),
    ],
)
def test_a_goal_that_is_missed_is_named(
    tmp_path: Path, batch: int, name: str, ms: float, missed: str
) -> None:
    times = {**GOOD, batch: {**GOOD[batch], name: ms}}
    (line,) = [
        line for line in verdicts(SUBJECT, CELLS, results_with(tmp_path, times)) if line.startswith("MISSED")
    ]
    assert missed in line


def test_a_peer_two_percent_ahead_is_not_counted(tmp_path: Path) -> None:
    times = {**GOOD, 1: {**GOOD[1], OTHER: 0.96}}
    assert all(line.startswith("holds") for line in verdicts(SUBJECT, CELLS, results_with(tmp_path, times)))


def test_who_misses_its_gate_is_timed_and_not_counted(tmp_path: Path) -> None:
    times = {**GOOD, 1: {**GOOD[1], OTHER: 0.1}}
    results = results_with(tmp_path, times)
    assert any(line.startswith("MISSED") for line in verdicts(SUBJECT, CELLS, results))
    results.add_entry(Entry(SUBJECT.name, OTHER, "int8", False, 20.9, 1.6))
    assert all(line.startswith("holds") for line in verdicts(SUBJECT, CELLS, results))
    table = markdown(SUBJECT, CELLS, results)
    assert f"| {OTHER} | 21 | 100.0 [100.0, 100.0] |" in table
    assert f"- {OTHER}: misses the gate of 35 dB" in table


def test_the_table_has_a_ratio_for_each_cell_and_a_row_for_who_was_refused(tmp_path: Path) -> None:
    results = results_with(tmp_path, GOOD)
    results.add_entry(Entry(SUBJECT.name, "nncf", "int8", False, refused="nncf is not installed"))
    table = markdown(SUBJECT, CELLS, results)
    assert "| **ours int8** | 45 | 10.2 [10.2, 10.2] | 4.00 [4.00, 4.00] | 5.00 [5.00, 5.00] |" in table
    assert "| torch eager | 45 | 1 | 1 | 1 |" in table
    assert "| nncf | - | - | - | - |" in table
    assert "- nncf: nncf is not installed" in table


def test_an_entry_is_kept_and_the_last_one_counts(tmp_path: Path) -> None:
    results = Results(tmp_path / "there")
    assert results.entries("64px") == {}
    first = Entry("64px", "a", "int8", False, refused="not installed")
    second = Entry("64px", "a", "int8", False, 41.5, 0.25)
    for each in (first, Entry("28px", "a", "float", True, 120.0, 1e-6), second):
        results.add_entry(each)
    assert results.entries("64px") == {"a": second}


def test_the_contestants_are_those_that_the_page_promises() -> None:
    field = contestants(SUBJECT)
    assert [each.is_ours for each in field] == [False] * 7 + [True] * 3
    assert {each.kind for each in field if each.is_ours} == {"float", "int8"}
    assert field[0].name == EAGER


def missing() -> Session:
    raise UnavailableError("something is not installed")


def test_a_process_of_ours_loads_no_torch() -> None:
    """Each starts by importing the program that measures, and what it holds then would count as ours."""
    code = "import sys, benchmarks.side_by_side; sys.exit('torch' in sys.modules or 'onnx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_run_goes_on_where_it_was_stopped(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fp32 = exported / "generator.fp32.onnx"
    field = [
        Contestant(EAGER, "float", fp32, functools.partial(BareOnnxRuntime, fp32)),
        Contestant("absent", "int8", fp32, missing),
        Contestant(OURS, "float", fp32, functools.partial(open_session, fp32, device="cpu"), is_ours=True),
    ]
    with open_session(fp32, device="cpu") as session:
        z = latents(range(2), 16)
        images = session.run(z)
    asked: list[tuple[list[str], tuple[int, ...]]] = []

    def measure(openers: Sequence[tuple[str, Opener]], plan: BenchPlan, **_: object) -> BenchReport:
        asked.append(([name for name, _ in openers], plan.batches))
        taken = tuple(measured(name, plan.batches[0], 2.0) for name, _ in openers)
        return BenchReport({}, taken, {"cpu": "x", "cpus": "2"}, {})

    monkeypatch.setattr(side_by_side, "RESULTS", tmp_path)
    monkeypatch.setattr(side_by_side, "SUBJECTS", (SUBJECT,))
    monkeypatch.setattr(side_by_side, "cpu_name", lambda: "A (fast) CPU")
    monkeypatch.setattr(side_by_side, "make_ready", lambda subject, say: None)
    monkeypatch.setattr(side_by_side, "contestants", lambda subject: field)
    monkeypatch.setattr(side_by_side, "torch_images", lambda path, checkpoint: (z, images))
    monkeypatch.setattr(side_by_side, "measure", measure)

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(main, arguments, catch_exceptions=False)
        assert result.exit_code == 0, result.stderr
        return result.stdout

    said = run("--only", "batch 8")
    assert "- absent: something is not installed" in said
    folder = tmp_path / "a-fast-cpu"
    assert sorted(path.name for path in folder.iterdir()) == ["64px-batch-8.json", "entries.jsonl"]
    assert all(m.roofline["compute_ms"] > 0 for m in Results(folder).measurements("64px batch 8").values())
    assert run("--table") == said
    run("--only", "batch 8", "--only", "batch 1")
    assert asked == [([EAGER, OURS], (8,)), ([EAGER, OURS], (1,))]
