from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcgan_edge.artifact import BatchProfile
from dcgan_edge.runtime.tensorrt.profiles import Piece, padded_size, profile_for, split, usual_sizes

profiles = st.lists(
    st.lists(st.integers(1, 70), min_size=3, max_size=3).map(lambda sizes: BatchProfile(*sorted(sizes))),
    min_size=1,
    max_size=4,
)


@settings(deadline=None)
@given(st.integers(0, 500), profiles)
def test_pieces_cover_everything_once_and_each_is_taken_by_a_profile(
    total: int, several: list[BatchProfile]
) -> None:
    pieces = split(total, several)
    assert [seed for piece in pieces for seed in range(piece.start, piece.start + piece.count)] == list(
        range(total)
    )
    for piece in pieces:
        chosen = several[profile_for(piece.batch, several)]
        assert chosen.min <= piece.batch <= chosen.max


@settings(deadline=None)
@given(st.integers(1, 500), profiles)
def test_only_a_rest_below_every_minimum_is_padded(total: int, several: list[BatchProfile]) -> None:
    smallest = min(profile.min for profile in several)
    for piece in split(total, several):
        assert piece.batch == piece.count or (piece.count < piece.batch == smallest)


@settings(deadline=None)
@given(st.integers(1, 70), profiles)
def test_no_profile_that_takes_the_batch_is_tuned_for_a_nearer_one(
    batch: int, several: list[BatchProfile]
) -> None:
    fitting = [profile for profile in several if profile.min <= batch <= profile.max]
    if not fitting:
        with pytest.raises(ValueError, match="empty"):
            profile_for(batch, several)
        return
    chosen = several[profile_for(batch, several)]
    assert chosen in fitting
    assert abs(chosen.opt - batch) == min(abs(profile.opt - batch) for profile in fitting)


def test_the_largest_pieces_come_first() -> None:
    several = [BatchProfile(1, 1, 4), BatchProfile(16, 32, 64)]
    assert split(100, several) == [Piece(0, 64, 64), Piece(64, 36, 36)]
    assert split(5, several) == [Piece(0, 4, 4), Piece(4, 1, 1)]
    assert split(3, [BatchProfile(8, 8, 8)]) == [Piece(0, 3, 8)]
    assert split(0, several) == []


@settings(deadline=None)
@given(st.integers(1, 500), profiles)
def test_every_piece_is_padded_to_a_size_that_a_profile_takes(
    total: int, several: list[BatchProfile]
) -> None:
    sizes = usual_sizes(several)
    assert sizes == sorted(set(sizes))
    for piece in split(total, several):
        size = padded_size(piece.batch, sizes)
        assert size >= piece.batch
        assert any(profile.min <= size <= profile.max for profile in several)


def test_the_usual_sizes_are_few_and_waste_little() -> None:
    assert usual_sizes([BatchProfile(1, 16, 64)]) == [1, 2, 4, 8, 16, 24, 32, 48, 64]
    assert usual_sizes([BatchProfile(3, 5, 7)]) == [3, 4, 5, 7]
    assert usual_sizes([BatchProfile(6, 6, 6)]) == [6]
    assert len(usual_sizes([BatchProfile(1, 16, 1024)])) == 17
    assert all(
        padded_size(batch, usual_sizes([BatchProfile(1, 16, 1024)])) <= 1.5 * batch
        for batch in range(16, 1025)
    )
