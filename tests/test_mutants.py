from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from tests.mutants import Mutation, complaint, find_test, load, read_mutations

MUTATIONS = read_mutations()


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Broken sessions log a lot."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def test_names_are_unique() -> None:
    assert len({mutation.name for mutation in MUTATIONS}) == len(MUTATIONS) >= 12


def test_the_source_as_it_is_passes_the_tests_that_should_notice() -> None:
    for test in {mutation.test for mutation in MUTATIONS}:
        assert complaint(load(None), find_test(test)) == "", test


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # broken sessions break late
def test_the_mutation_is_noticed(mutation: Mutation) -> None:
    assert complaint(load(mutation), find_test(mutation.test)), f"nobody noticed: {mutation.name}"
