from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcgan_edge.artifact import BatchProfile
from dcgan_edge.classes import Pair
from dcgan_edge.errors import UsageError
from dcgan_edge.images import to_uint8
from dcgan_edge.runtime.sampling import block_size, images_of, pixel_blocks
from dcgan_edge.seeds import MAX_SEED
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


def test_blocks_take_pairs_as_they_need_them() -> None:
    taken: list[int] = []

    def pairs() -> Iterator[Pair]:
        for seed in range(10**6):
            taken.append(seed)
            yield seed, 0

    made, images = next(pixel_blocks(ArithmeticSession(), pairs()))
    assert made == [(seed, 0) for seed in range(8)]
    assert images.shape == (8, 4, 4, 1)
    assert len(taken) == 9
