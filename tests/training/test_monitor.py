"""the monitor on made-up lines: each problem begins and ends once, and nothing else is one."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcgan_edge.training.monitor import CLASS_WINDOW, SETTLING, WINDOW, Monitor, TrainEvent
from dcgan_edge.training.problems import PATIENCE, PROBLEMS

SETTLED = SETTLING + WINDOW  # healthy lines until a run has settled and is known to be well
HEALTHY: dict[str, Any] = {
    "loss_d": 0.6, "loss_g": 1.6, "real_score": 0.8, "fake_score": 0.2, "real_accuracy": 0.98,
    "fake_accuracy": 0.97, "grad_norm_d": 60.0, "grad_norm_g": 6.0, "diversity": 0.95, "class_entropy": 2.9,
    "real_class_entropy": 3.2,
}  # fmt: skip
ILL: dict[str, tuple[dict[str, Any], str]] = {  # what is then different, and the number that is quoted
    "mode collapse": ({"diversity": 0.31}, "0.31"),
    "mode collapse (classes)": ({"class_entropy": 0.8}, "25%"),
    "discriminator wins": ({"real_accuracy": 1.0, "fake_accuracy": 0.995, "loss_g": 9.5}, "99.8%"),
    "discriminator lost": (
        {
            "real_accuracy": 0.0,
            "fake_accuracy": 1.0,
            "real_score": 0.5,
            "fake_score": 0.5,
            "grad_norm_d": 0.0,
        },
        "50%",
    ),
    "gradients explode": ({"grad_norm_d": 2.5e4}, "25,000"),
    "gradients vanish": ({"grad_norm_g": 2e-4}, "0.0002"),
}


def lines(*parts: tuple[int, dict[str, Any]]) -> list[dict[str, Any]]:
    """So many healthy lines with these changes each, one after the other, ten steps apart."""
    told = [HEALTHY | changes for count, changes in parts for _ in range(count)]
    return [{"step": 10 * number, **line} for number, line in enumerate(told, start=1)]


def events(told: Iterable[dict[str, Any]]) -> list[TrainEvent]:
    return Monitor(told).events


def test_nothing_is_wrong_with_a_healthy_run() -> None:
    assert events(lines((400, {}))) == []


def test_every_problem_has_a_case_here() -> None:
    assert [problem.name for problem in PROBLEMS] == list(ILL)


@pytest.mark.parametrize("problem", ILL)
def test_a_problem_begins_once_and_ends_once(problem: str) -> None:
    changes, number = ILL[problem]
    begin, end = events(lines((SETTLED, {}), (100, changes), (100, {})))
    assert [(event.problem, event.state) for event in (begin, end)] == [
        (problem, "begins"),
        (problem, "ends"),
    ]
    assert 10 * SETTLED < begin.step < 10 * (SETTLED + WINDOW)  # while it happens
    assert 10 * (SETTLED + 100) < end.step < 10 * (SETTLED + 100 + WINDOW)
    assert number in begin.seen
    assert begin.advice.endswith(".")
    assert end.advice == ""
    assert str(begin).startswith(f"Step {begin.step:,}: {problem}. ")
    assert f"{problem} is over" in str(end)


@pytest.mark.parametrize("problem", ILL)
def test_a_few_odd_lines_are_no_problem(problem: str) -> None:
    changes, _ = ILL[problem]
    odd = WINDOW // 2 - 1 if "classes" not in problem else CLASS_WINDOW // 2
    assert events(lines((SETTLED, {}), (odd, changes), (WINDOW, {}), (odd, changes), (20, {}))) == []


@pytest.mark.parametrize("problem", [name for name in ILL if name != "gradients explode"])
def test_before_a_run_has_settled_it_is_not_judged(problem: str) -> None:
    assert events(lines((SETTLING, ILL[problem][0]), (100, {}))) == []


def test_a_discriminator_that_wins_by_a_hinge_has_nothing_to_learn() -> None:
    """Its losses are those of a sound run then; of cross-entropy, a gradient is always left."""
    won = {"real_accuracy": 1.0, "fake_accuracy": 1.0, "loss_d": 0.0, "grad_norm_d": 0.0}
    told = events(lines((SETTLED, {}), (100, won), (100, {})))
    assert [(event.problem, event.state) for event in told] == [
        ("discriminator wins", "begins"),
        ("discriminator wins", "ends"),
    ]


@pytest.mark.parametrize("figure", ["grad_norm_d", "grad_norm_g"])
def test_a_gradient_that_is_not_finite_is_said_at_once(figure: str) -> None:
    begin, end = events(lines((1, {}), (1, {figure: None}), (100, {})))
    assert (begin.step, begin.problem, end.state) == (20, "gradients explode", "ends")
    assert ("discriminator" if figure == "grad_norm_d" else "generator") in begin.seen


@pytest.mark.parametrize(
    "between",
    [
        {"diversity": 0.58},
        {"class_entropy": 1.85},
        {"real_accuracy": 1.0, "fake_accuracy": 1.0, "loss_g": 6.5},
        {"grad_norm_d": 5e3},
        {"grad_norm_g": 5e-3},
    ],
)
def test_between_the_thresholds_everything_stays_as_it_is(between: dict[str, Any]) -> None:
    assert events(lines((SETTLED, {}), (100, between))) == []
    (ill,) = [changes for changes, _ in ILL.values() if changes.keys() == between.keys()]
    after = events(lines((SETTLED, {}), (100, ill), (100, between)))
    assert [event.state for event in after] == ["begins"]


@pytest.mark.parametrize("late", [{"diversity": 0.4}, {"class_entropy": 1.0}])
def test_a_generator_that_never_varied_is_given_time(late: dict[str, Any]) -> None:
    assert events(lines((PATIENCE - WINDOW, late), (100, {}))) == []
    (begin,) = events(lines((PATIENCE + 10, late)))
    assert begin.step == 10 * PATIENCE


def test_images_that_are_nearly_one_image_are_not_waited_for() -> None:
    (begin,) = events(lines((SETTLING + 50, {"diversity": 0.02})))
    assert (begin.step, begin.problem) == (10 * (SETTLING + WINDOW), "mode collapse")


def test_classes_are_not_judged_where_real_images_have_hardly_any() -> None:
    assert events(lines((SETTLED, {}), (PATIENCE, {"class_entropy": 0.0, "real_class_entropy": 0.9}))) == []


VALUES = st.one_of(
    st.floats(0, 1), st.floats(0, 20), st.sampled_from([0.0, 1e5, None, "text", True, 10**400, float("inf")])
)
LINES = st.lists(
    st.tuples(st.integers(1, 120), st.dictionaries(st.sampled_from(sorted(HEALTHY)), VALUES)), max_size=6
)


@given(LINES, st.integers(0, 10_000))
def test_begin_and_end_alternate_and_a_resumed_monitor_goes_on(
    parts: list[tuple[int, dict[str, Any]]], cut: int
) -> None:
    told = lines(*parts)
    whole = Monitor(told)
    for problem in PROBLEMS:
        states = [event.state for event in whole.events if event.problem == problem.name]
        assert states == ["begins", "ends"] * (len(states) // 2) + ["begins"] * (len(states) % 2)
        assert (problem.name in whole.active) == (len(states) % 2 == 1)
    resumed = Monitor(told[: cut % (len(told) + 1)])
    late = [event for line in told[cut % (len(told) + 1) :] for event in resumed.observe(line)]
    assert resumed.events == whole.events
    assert whole.events[len(whole.events) - len(late) :] == late
    json.dumps([dataclasses.asdict(event) for event in whole.events], allow_nan=False)


def test_lines_of_a_run_that_was_not_monitored_say_nothing() -> None:
    assert events({"step": n, "loss_d": 0.5, "loss_g": 30.0} for n in range(1, 500)) == []


def test_gradients_that_are_not_finite_now_and_then_are_one_problem() -> None:
    flickering = [{"grad_norm_d": None}, {}] * 30
    told = lines((SETTLED, {}), *[(1, changes) for changes in flickering], (100, {}))
    assert [event.state for event in events(told)] == ["begins", "ends"]
