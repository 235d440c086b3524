from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcgan_edge.errors import UsageError
from dcgan_edge.seeds import MAX_SEED, MAX_SEEDS, Computed, Seeds, parse_seeds, rising


def test_parse_seeds() -> None:
    assert list(parse_seeds("0-3")) == [0, 1, 2, 3]
    assert list(parse_seeds("1, 4,7-9,4")) == [1, 4, 7, 8, 9, 4]
    assert list(parse_seeds(str(MAX_SEED))) == [MAX_SEED]


@pytest.mark.parametrize(
    "text",
    ["", "a", "3-1", "-1", "1-", "1,,2", "0-9999999999", f"0,0-{MAX_SEEDS - 1}", "1.5", "٣", str(2**64)],
)
def test_other_text_is_no_list_of_seeds(text: str) -> None:
    with pytest.raises(UsageError):
        parse_seeds(text)


@given(st.text(max_size=30))
def test_parse_seeds_never_fails_otherwise(text: str) -> None:
    try:
        seeds = parse_seeds(text)
    except UsageError:
        return
    assert seeds
    assert all(0 <= seed <= MAX_SEED for seed in seeds)


def test_the_most_seeds_are_a_few_numbers() -> None:
    seeds = parse_seeds(f"5,0-{MAX_SEEDS - 2}")
    assert (len(seeds), seeds[0], seeds[1], seeds[-1]) == (MAX_SEEDS, 5, 0, MAX_SEEDS - 2)
    assert rising(seeds).ranges == (range(MAX_SEEDS - 1),)
    assert str(seeds) == f"5,0-{MAX_SEEDS - 2}"


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 5)), max_size=6), st.integers(-40, 40))
def test_seeds_are_the_sequence_that_they_stand_for(spans: list[tuple[int, int]], place: int) -> None:
    seeds = Seeds(tuple(range(start, start + length) for start, length in spans))
    plain = [seed for each in seeds.ranges for seed in each]
    assert (list(seeds), len(seeds)) == (plain, len(plain))
    assert list(rising(seeds)) == list(rising(plain)) == sorted(set(plain))
    assert list(seeds[place:]) == plain[place:]
    assert list(seeds[place::2]) == plain[place::2]
    if -len(plain) <= place < len(plain):
        assert seeds[place] == plain[place]
    else:
        with pytest.raises(IndexError):
            seeds[place]


def test_a_range_stays_one() -> None:
    assert rising(range(3, 9)).ranges == (range(3, 9),)
    assert rising(range(0)).ranges == ()
    assert list(rising(range(6, 0, -2))) == [2, 4, 6]


def test_a_computed_sequence_stores_nothing() -> None:
    squares = Computed(10**12, lambda place: place**2)
    assert (squares[-1], list(squares[2:8:3])) == ((10**12 - 1) ** 2, [4, 25])
