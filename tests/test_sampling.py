from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dcgan_edge import sampling
from dcgan_edge.artifact import BatchProfile
from dcgan_edge.classes import every_pair
from dcgan_edge.errors import UsageError
from dcgan_edge.sampling import beside, rising_pairs, sample_to_folder
from tests.doubles import ArithmeticSession, double_manifest

NAMES = ("cat", "dog", "owl")


@given(
    seeds=st.lists(st.integers(0, 30), max_size=10),
    classes=st.none() | st.lists(st.integers(0, 2), min_size=1, max_size=4),
)
def test_rising_pairs_are_those_of_every_pair(seeds: list[int], classes: list[int] | None) -> None:
    for names in (NAMES, ()):
        architecture = double_manifest(BatchProfile(), names).architecture
        chosen = classes if names else None
        expected = sorted(set(every_pair(architecture, seeds, chosen)))
        assert list(rising_pairs(architecture, seeds, chosen)) == expected


def test_pairs_of_a_million_seeds_are_not_listed() -> None:
    architecture = double_manifest(BatchProfile(), NAMES).architecture
    pairs = rising_pairs(architecture, range(10**6), [2, 0])
    assert (len(pairs), pairs[0], pairs[-1]) == (2 * 10**6, (0, 0), (10**6 - 1, 2))
    with pytest.raises(UsageError):
        rising_pairs(architecture, range(10**7), [2, 0])
    with pytest.raises(UsageError, match="no classes"):
        rising_pairs(double_manifest(BatchProfile()).architecture, range(3), [0])


def test_what_runs_beside_comes_in_order_and_does_not_run_ahead() -> None:
    taken: list[int] = []
    first = threading.Event()

    def items() -> Iterator[int]:
        for item in range(1000):
            taken.append(item)
            yield item

    def work(item: int) -> int:
        if item == 0:
            first.wait(10.0)  # the others are done before it
        return item * item

    results = beside(work, items())
    threading.Timer(0.05, first.set).start()
    assert [next(results) for _ in range(5)] == [0, 1, 4, 9, 16]
    assert len(taken) < 30  # four threads at most, and two items for each that wait
    results.close()  # type: ignore[attr-defined]  # a generator


def test_an_error_beside_is_raised_here() -> None:
    def work(item: int) -> int:
        if item == 3:
            raise UsageError("three")
        return item

    with pytest.raises(UsageError, match="three"):
        list(beside(work, range(100)))


def test_files_and_grid(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    paths = sample_to_folder(
        ArithmeticSession(),
        [9, 2, 9],
        tmp_path,
        layout=(2, 2),
        scale=2,
        progress=lambda *said: told.append(said),
    )
    assert [path.name for path in paths] == ["seed0002.png", "seed0009.png", "grid.png"]
    assert told == [(1, 2), (2, 2)]
    nine, two = (np.asarray(Image.open(tmp_path / f"seed000{seed}.png")) for seed in (9, 2))
    laid = np.asarray(Image.open(tmp_path / "grid.png"))
    assert nine.shape == (8, 8)
    assert laid.shape == (20, 20)
    np.testing.assert_array_equal(laid[:8, :8], nine)
    np.testing.assert_array_equal(laid[:8, 12:], two)
    np.testing.assert_array_equal(laid[12:, :8], nine)


def test_a_grid_has_a_row_for_each_seed_and_a_column_for_each_class(tmp_path: Path) -> None:
    session = ArithmeticSession(classes=NAMES)
    paths = sample_to_folder(session, [4, 2], tmp_path, classes=[0, 2], layout=(2, 2))
    names = ["class0-seed0002.png", "class2-seed0002.png", "class0-seed0004.png", "class2-seed0004.png"]
    assert [path.name for path in paths] == [*names, "grid.png"]
    laid = np.asarray(Image.open(tmp_path / "grid.png"))
    for name, row, column in zip(names, (6, 6, 0, 0), (0, 6, 0, 6), strict=True):
        own = np.asarray(Image.open(tmp_path / name))
        np.testing.assert_array_equal(laid[row : row + 4, column : column + 4], own)
    with pytest.raises(UsageError, match="a column for each"):
        sample_to_folder(session, [4, 2], tmp_path / "out", classes=[0, 2], layout=(2, 3))


def test_a_pair_is_the_same_file_with_and_without_its_class(tmp_path: Path) -> None:
    session = ArithmeticSession(classes=NAMES)
    (own,) = sample_to_folder(session, [7], tmp_path / "own")
    both = sample_to_folder(session, [6, 7], tmp_path / "both", classes=[0, 1])
    assert own.name == "class1-seed0007.png"
    assert own.read_bytes() == both[3].read_bytes()


def test_a_grid_too_small_is_refused_before_anything_is_listed_or_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampling, "every_pair", None)
    with pytest.raises(UsageError, match="do not fit"):
        sample_to_folder(ArithmeticSession(), range(5), tmp_path / "out", layout=(2, 2))
    assert not (tmp_path / "out").exists()
