from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcgan_edge.data.duplicates import DuplicateIndex, Look, Match, difference_hash, pixel_digest

HASHES = st.integers(0, 2**256 - 1)


@given(st.lists(HASHES, min_size=1, max_size=30), st.integers(0, 16), st.data())
@settings(max_examples=50, deadline=None)
def test_the_index_finds_exactly_what_comparing_with_all_finds(
    hashes: list[int], threshold: int, data: st.DataObject
) -> None:
    index = DuplicateIndex(threshold)
    for number, value in enumerate(hashes):
        index.add(number, Look(str(number), value))
    flips = data.draw(st.sets(st.integers(0, 255), max_size=20))
    wanted = data.draw(st.sampled_from(hashes)) ^ sum(1 << bit for bit in flips)
    distances = [((wanted ^ value).bit_count(), number) for number, value in enumerate(hashes)]
    distance, number = min(distances)
    expected = Match(number, distance) if distance <= threshold else None
    assert index.find(Look("new", wanted)) == expected


@pytest.mark.parametrize("threshold", [0, 1, 6, 16])
def test_the_threshold_is_included(threshold: int) -> None:
    index = DuplicateIndex(threshold)
    index.add(0, Look("a", 0))
    bits = [1 << 15 * place for place in range(threshold + 1)]
    assert index.find(Look("b", sum(bits[1:]))) == Match(0, threshold)
    assert index.find(Look("c", sum(bits))) is None


def test_equal_pixels_come_before_a_like_look() -> None:
    index = DuplicateIndex(2)
    index.add(0, Look("a", 0b111))
    index.add(1, Look("b", 0b110))
    assert index.find(Look("b", 0b111)) == Match(1, None)
    assert index.find(Look("c", 0b100)) == Match(1, 1)


def test_the_difference_hash_is_the_slope_of_each_row() -> None:
    ramp = np.tile(np.linspace(0, 255, 34, dtype=np.uint8), (32, 1))
    assert difference_hash(ramp[None]) == 0
    assert difference_hash(ramp[None, :, ::-1]) == 2**256 - 1
    half = np.concatenate([ramp[:16, ::-1], ramp[16:]])
    other = np.concatenate([ramp[:16], ramp[16:, ::-1]])
    assert difference_hash(half[None]).bit_count() == 128
    assert difference_hash(half[None]) ^ difference_hash(other[None]) == 2**256 - 1
    assert difference_hash(np.broadcast_to(half, (3, 32, 34))) == difference_hash(half[None])


def test_the_digest_is_of_the_pixels() -> None:
    image = np.arange(48, dtype=np.uint8).reshape(3, 4, 4)
    assert pixel_digest(image) == pixel_digest(image.copy()) != pixel_digest(image + np.uint8(1))
