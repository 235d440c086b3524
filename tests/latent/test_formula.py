"""Formulas mean what arithmetic says they mean, and nothing that is not linear gets through."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcgan_edge.errors import UsageError
from dcgan_edge.latent.formula import MAX_LENGTH, parse_formula


@dataclass(frozen=True)
class Meant:
    """A formula as text, and the weights that it stands for."""

    text: str
    weights: dict[str, float]


def concept(name: str) -> Meant:
    return Meant(name, {name: 1.0})


def added(left: Meant, right: Meant, sign: float) -> Meant:
    names = dict.fromkeys([*left.weights, *right.weights])
    weights = {name: left.weights.get(name, 0.0) + sign * right.weights.get(name, 0.0) for name in names}
    return Meant(f"{left.text} {'+' if sign > 0 else '-'} ({right.text})", weights)


def times(value: Meant, factor: int, form: str) -> Meant:
    scale = 1 / factor if "/" in form else factor
    weights = {name: weight * scale for name, weight in value.weights.items()}
    return Meant(form.format(f"({value.text})", factor), weights)


NAMES = st.sampled_from(["a", "b", "c", "smiling_woman", "x1"]).map(concept)
FORMS = st.sampled_from(["{1}*{0}", "{0} * {1}", "{0}/{1}", "{1}*({0})"])
FORMULAS = st.recursive(
    NAMES,
    lambda inner: st.one_of(
        st.builds(added, inner, inner, st.sampled_from([1.0, -1.0])),
        st.builds(times, inner, st.integers(1, 8), FORMS),
        inner.map(lambda m: Meant(f"-({m.text})", {name: -weight for name, weight in m.weights.items()})),
    ),
    max_leaves=6,
).filter(lambda meant: len(meant.text) <= MAX_LENGTH)


@given(FORMULAS)
def test_a_formula_means_what_it_says(meant: Meant) -> None:
    assert parse_formula(meant.text) == pytest.approx(meant.weights)


@given(st.text(max_size=30))
def test_any_text_is_a_formula_or_refused(text: str) -> None:
    try:
        weights = parse_formula(text)
    except UsageError:
        return
    assert weights
    assert all(name.isidentifier() for name in weights)


def test_signs_bind_as_in_arithmetic() -> None:
    assert parse_formula("a - b + c") == {"a": 1.0, "b": -1.0, "c": 1.0}
    assert parse_formula("a - (b - c)") == {"a": 1.0, "b": -1.0, "c": 1.0}
    assert parse_formula("2*a - b/4 + .5*a") == {"a": 2.5, "b": -0.25}
    assert parse_formula("--a") == {"a": 1.0}


@pytest.mark.parametrize(
    "text",
    ["", " ", "a b", "a +", "* a", "(a", "a)", "2a", "a ** 2", "a.real", "a[0]", "f(a)", "1e400*a"],
)
def test_what_is_no_formula_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a formula"):
        parse_formula(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a*b", "multiplies or divides by a concept"),
        ("1/a", "multiplies or divides by a concept"),
        ("a/0", "divides by zero"),
        ("a + 1", "adds a number"),
        ("1 + 1", "adds a number"),
        ("2 - 2", "names no concept"),
        ("9" * 190 + "*" + "9" * 9 + "*a", "at most 200|beyond all numbers"),
    ],
)
def test_what_is_not_linear_is_refused(text: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        parse_formula(text)


def test_deep_parentheses_neither_crash_nor_lie() -> None:
    assert parse_formula("(" * 99 + "a" + ")" * 99) == {"a": 1.0}
    with pytest.raises(UsageError, match="at most 200"):
        parse_formula("(" * 5000)
