"""What is best, what is on the front, and that nothing is chosen without proof."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from dcgan_edge.errors import UnavailableError, UsageError
from dcgan_edge.runtime.telemetry import Unreadable
from dcgan_edge.tuning import objective
from dcgan_edge.tuning.candidates import Candidate
from dcgan_edge.tuning.objective import Ranking, Wishes, front, require_energy
from dcgan_edge.tuning.trials import Figure, Workload
from tests.tuning.made_up import trial

ONE = Workload(1, 1)
BASE = Candidate("a.fp32.onnx", "a", "onnxruntime", "cpu")
OTHER = Candidate("b.int8.onnx", "b", "openvino", "cpu")
SIZES = {"a": 400, "b": 100}


def test_the_fastest_is_chosen_if_that_is_proven() -> None:
    base, fast, faster = trial(BASE, ONE, 1.0), trial(BASE.on(1), ONE, 1.2), trial(OTHER, ONE, 2.0)
    assert Ranking("latency", SIZES).choice([base, fast, faster], base)[0] == faster
    unproven = dataclasses.replace(faster, outcome="ambiguous")
    assert Ranking("latency", SIZES).choice([base, fast, unproven], base)[0] == fast
    assert Ranking("latency", SIZES).choice([base, unproven], base)[0] == base


def test_a_base_that_misses_a_gate_is_not_chosen() -> None:
    slow = trial(OTHER, ONE, 0.5)
    assert Ranking("latency", SIZES).choice([slow], None)[0] == slow


def test_throughput_is_compared_over_workloads_by_what_the_base_makes() -> None:
    small, large = trial(BASE, ONE, 1.0), trial(BASE, Workload(8, 2), 1.0)
    quiet = dataclasses.replace(trial(OTHER, ONE, 0.9), base_images_per_second=9000.0)  # a lucky moment
    ranking = Ranking("throughput", SIZES, {ONE: 1000.0, Workload(8, 2): 3000.0})
    assert ranking.best_first([quiet, small, large]) == [large, small, quiet]


def test_the_smallest_file_runs_by_default_unless_another_way_is_faster() -> None:
    base, usual = trial(BASE, ONE, 1.0), trial(OTHER, ONE, 0.5)
    little, much = trial(OTHER.on(1), ONE, 0.505), trial(OTHER.on(2), ONE, 0.9)
    ranking = Ranking("size", SIZES)
    assert ranking.best_first([base, usual])[0] == usual
    assert ranking.choice([base, usual, little], base)[0] == usual
    assert ranking.choice([base, usual, little, much], base)[0] == much


def test_energy_needs_joules_that_are_noticeably_fewer() -> None:
    base = dataclasses.replace(trial(BASE, ONE, 1.0), joules_per_image=1.0)
    ranking = Ranking("energy", SIZES)
    for joules, better in ((0.5, True), (0.98, False), (2.0, False)):
        other = dataclasses.replace(trial(OTHER, ONE, 1.0), joules_per_image=joules)
        assert ranking.choice([base, other], base)[0] == (other if better else base)


def test_energy_that_nothing_measures_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objective, "PROBE_S", 0.0)
    monkeypatch.setattr(objective, "total_rule", lambda names: Unreadable("total power", "nothing here"))
    with pytest.raises(UnavailableError, match="Energy"):
        require_energy()


def test_the_front_is_what_nothing_beats_in_every_respect() -> None:
    rows = [
        (1.0, 400, 139.0, None),
        (3.0, 100, 39.0, None),
        (2.0, 100, 39.0, None),  # slower than the one before, and nothing better
        (0.9, 400, 141.0, None),  # slower; nobody sees the decibels above 60
    ]
    assert front(rows) == [True, True, False, False]
    assert front([(1.0, 1, 39.0, 2.0), (0.5, 1, 39.0, 1.0)]) == [True, True]


def test_a_figure_without_an_interval_has_no_bounds() -> None:
    bare = dataclasses.replace(trial(OTHER, ONE, 9.0), speed=Figure(9.0))
    base = trial(OTHER.on(1), ONE, 1.0)
    assert objective.usual_unless_faster([base, bare], bare) == base


@pytest.mark.parametrize("facts", [{"batches": (1, 8)}, {"streams": (1, 2)}])
def test_latency_is_that_of_one_kind_of_query(facts: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="one kind of query"):
        Wishes("latency", **facts)
    assert Wishes("throughput", **facts)
