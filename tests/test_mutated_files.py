"""A quick sample of `mutated_files`, and the one case that no random change would reach."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.mutated_files import attempt, make_cases, mutate, place, try_one

pytestmark = pytest.mark.torch
EACH = 8


def test_changed_files_are_refused_with_a_sentence_and_a_code(
    checkpoint: Path, exported: Path, tmp_path: Path
) -> None:
    for case in make_cases(tmp_path, checkpoint, exported):
        for seed in range(EACH):
            outcome = try_one(case, random.Random(seed))
            assert not outcome.wrong, (case.name, seed, outcome)


def test_the_sound_files_are_read(checkpoint: Path, exported: Path, tmp_path: Path) -> None:
    for number, case in enumerate(make_cases(tmp_path, checkpoint, exported)):
        folder = tmp_path / str(number)
        folder.mkdir()
        path = place(case, case.file.read_bytes(), folder)
        if case.name != "engine":  # alone, without its manifest
            assert attempt(case, path).what == "read", case.name


@pytest.mark.parametrize("seed", range(20))
def test_a_change_changes_something(checkpoint: Path, exported: Path, tmp_path: Path, seed: int) -> None:
    for case in make_cases(tmp_path, checkpoint, exported):
        assert mutate(case, random.Random(seed)) != case.file.read_bytes()
