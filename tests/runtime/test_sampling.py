from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dcgan_edge.artifact import BatchProfile
from dcgan_edge.classes import Pair
from dcgan_edge.errors import UsageError
from dcgan_edge.images import to_uint8
from dcgan_edge.latents import MAX_SEED
from dcgan_edge.runtime.sampling import block_size, images_of, sample_to_folder
from tests.doubles import ArithmeticSession

PROFILES = st.sampled_from(
    [BatchProfile(), BatchProfile(1, 3, 3), BatchProfile(12, 12, 20), BatchProfile(1, 1, 1)]
)


SOME_SEEDS = st.integers(0, 100) | st.integers(MAX_SEED - 20, MAX_SEED)
NAMES = ("cat", "dog", "owl")


@given(
    profile=PROFILES,
    pairs=st.lists(st.tuples(SOME_SEEDS, st.integers(0, 2)), max_size=30),
    classes=st.sampled_from([NAMES, ()]),
)
def test_an_image_does_not_depend_on_what_else_was_asked(
    profile: BatchProfile, pairs: list[Pair], classes: tuple[str, ...]
) -> None:
    # The double's images depend on the row and the batch size, so any other way of batching would show.
    if not classes:
        pairs = [(seed, 0) for seed, _ in pairs]
    together = dict(images_of(ArithmeticSession(profile, classes), pairs))
    assert sorted(together) == sorted(set(pairs))
    for pair in list(together)[:5]:
        ((_, alone),) = images_of(ArithmeticSession(profile, classes), [pair])
        np.testing.assert_array_equal(alone, together[pair])


def test_seeds_of_one_class_each_come_in_rising_order() -> None:
    pairs = [(seed, seed % 3) for seed in (20, 3, 9, 70)]
    assert [pair for pair, _ in images_of(ArithmeticSession(classes=NAMES), pairs)] == sorted(pairs)


def test_every_call_has_the_same_batch() -> None:
    session = ArithmeticSession(BatchProfile(1, 4, 64), NAMES)
    list(images_of(session, [(0, 0), (5, 1), (9, 2), (70, 0)]))
    assert session.batches == [block_size(session.manifest.batch)] * 3 == [8] * 3  # a call for each block
    list(images_of(session, [(0, 0), (5, 1), (5, 2)]))
    assert session.batches[3:] == [8] * 2  # and again for the second class of a seed


def test_generate_takes_classes_for_all_for_each_and_by_default() -> None:
    session = ArithmeticSession(classes=NAMES)
    ((_, image),) = images_of(session, [(7, 2)])
    owl = to_uint8(image).transpose(1, 2, 0)
    for generated in (
        session.generate([7], "owl")[0],
        session.generate([1, 7], [0, 2])[1],
        session.generate([1, 7], "cat,2")[1],
        session.generate([5, 7], "owl")[1],
    ):
        np.testing.assert_array_equal(generated, owl)
    np.testing.assert_array_equal(session.generate([7, 8]), session.generate([7, 8], [1, 2]))
    for wrong in ("bat", "cat,dog,owl", [3, 0], [0]):
        with pytest.raises(UsageError):
            session.generate([7, 8], wrong)
    with pytest.raises(UsageError, match="no classes"):
        ArithmeticSession().generate([7], [0])


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


def test_a_grid_too_small_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="do not fit"):
        sample_to_folder(ArithmeticSession(), range(5), tmp_path / "out", layout=(2, 2))
    assert not (tmp_path / "out").exists()
