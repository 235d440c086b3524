from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcgan_edge.architecture import Architecture
from dcgan_edge.classes import (
    DIGIT_NAMES,
    every_pair,
    file_stem,
    in_class,
    listed,
    one_class,
    parse_classes,
    seeds_over,
)
from dcgan_edge.errors import UsageError
from dcgan_edge.latents import latents

DIGITS = Architecture("dcgan", 28, 1, 4, 5, classes=DIGIT_NAMES)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("3", [3]),
        ("seven", [7]),
        (" Seven , 3", [7, 3]),
        ("8-9,0", [8, 9, 0]),
        ("ALL", list(range(10))),
        ("one,one", [1, 1]),
    ],
)
def test_classes_by_name_and_number(text: str, numbers: list[int]) -> None:
    assert parse_classes(text, DIGIT_NAMES) == numbers


@pytest.mark.parametrize("text", ["", "10", "-1", "9-8", "5-10", "sevens", "3,", "½", "³", "1" * 5000])
def test_what_is_no_class_is_refused_and_the_classes_are_listed(text: str) -> None:
    with pytest.raises(UsageError, match="0 zero, 1 one, 2 two"):
        parse_classes(text, DIGIT_NAMES)


def test_a_name_comes_before_what_it_could_mean_else() -> None:
    assert parse_classes("7", ("9", "7", "1")) == [1]  # digits in another order
    assert parse_classes("2", ("9", "7", "1")) == [2]
    assert parse_classes("salt, pepper", ("x", "salt, pepper")) == [1]
    assert parse_classes("all", ("none", "All")) == [1]
    assert parse_classes("1-2", ("a", "b", "1-2")) == [2]
    assert parse_classes("b", ("B", "b")) == [1]


def test_without_classes_none_can_be_chosen() -> None:
    plain = Architecture("dcgan", 28, 1, 4)
    for chosen in (lambda: parse_classes("3", ()), lambda: every_pair(plain, [1], [0])):
        with pytest.raises(UsageError, match="no classes"):
            chosen()
    assert one_class(plain, None) is None


@given(st.text(max_size=8), st.lists(st.text(min_size=1, max_size=3), min_size=1, max_size=5, unique=True))
def test_any_text_is_numbers_of_classes_or_a_usage_error(text: str, names: list[str]) -> None:
    try:
        assert set(parse_classes(text, names)) <= set(range(len(names)))
    except UsageError:
        return
    for number, name in enumerate(names):
        if name == name.strip():
            assert parse_classes(name, names) == [number]


def test_pairs_files_and_lists() -> None:
    assert every_pair(DIGITS, [4, 13], None) == [(4, 4), (13, 3)]
    assert every_pair(DIGITS, [4, 13], [1, 0]) == [(4, 1), (4, 0), (13, 1), (13, 0)]
    assert file_stem(DIGITS, (7, 3)) == "class3-seed0007"
    many = Architecture("dcgan", 28, 1, 4, 5, classes=tuple(f"c{number}" for number in range(101)))
    assert file_stem(many, (12345, 7)) == "class007-seed12345"
    assert listed(many.classes).endswith("19 c19 and 81 more")
    assert listed(("0", "1", "x")) == "0, 1, 2 x"
    with pytest.raises(UsageError, match="too many images"):
        every_pair(many, range(10_000_000), [0, 1])


def test_all_pictures_in_one_class() -> None:
    assert one_class(DIGITS, "three") == 3
    for text in (None, "1,2", "ten"):
        with pytest.raises(UsageError, match="0 zero"):
            one_class(DIGITS, text)
    drawn = latents([13, 2], 5)
    assert in_class(DIGITS, drawn, 3).tolist() == DIGITS.inputs([13, 2], [3, 3]).tolist()
    plain = Architecture("dcgan", 28, 1, 4, 5)
    assert in_class(plain, drawn, None).tolist() == drawn.tolist()


def test_seeds_that_draw_every_class() -> None:
    assert seeds_over(DIGITS, 64) == range(64)
    assert seeds_over(DIGITS, 8) == range(10)
    assert seeds_over(DIGITS, 4, most=6) == range(6)
