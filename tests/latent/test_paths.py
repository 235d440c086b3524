"""Lengths, angles and ends of the ways between latents, and what happens where the way is not unique."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcgan_edge.errors import UsageError
from dcgan_edge.latent.paths import between, lerp, plane, slerp, walk
from dcgan_edge.latents import Distribution, FloatArray, latents

ROUNDING = 2e-6  # a few units in the last place of float32, relative


def angle(one: FloatArray, other: FloatArray) -> float:
    a, b = one.ravel().astype(np.float64), other.ravel().astype(np.float64)
    return math.acos(np.clip(a @ b / np.linalg.norm(a) / np.linalg.norm(b), -1.0, 1.0))


def length(latent: FloatArray) -> float:
    return float(np.linalg.norm(latent.astype(np.float64)))


@given(st.integers(0, 10_000), st.integers(2, 100), st.floats(0, 1))
def test_slerp_turns_evenly_and_its_length_goes_straight(seed: int, dim: int, t: float) -> None:
    one, other = latents([seed, seed + 1], dim)
    found = slerp(one, other, t)
    assert found.dtype == np.float32
    assert found.shape == one.shape
    assert length(found) == pytest.approx((1 - t) * length(one) + t * length(other), rel=ROUNDING)
    # acos loses half the digits near 0, hence the absolute part
    assert angle(one, found) == pytest.approx(t * angle(one, other), rel=1e-3, abs=1e-3)


@given(st.integers(0, 10_000), st.sampled_from(["normal", "uniform"]))
def test_the_ends_are_the_latents_themselves(seed: int, distribution: Distribution) -> None:
    one, other = latents([seed, seed + 1], 100, distribution)
    assert np.array_equal(between(one, other, 0.0, distribution), one)
    assert np.array_equal(between(one, other, 1.0, distribution), other)


def test_slerp_of_two_axes_is_the_quarter_circle() -> None:
    x, y = np.eye(2, dtype=np.float32)
    assert slerp(x, y, 0.5) == pytest.approx([math.sqrt(0.5)] * 2)
    assert slerp(x, y, 1 / 3) == pytest.approx([math.cos(math.pi / 6), math.sin(math.pi / 6)])


@pytest.mark.parametrize("t", [0.0, 0.25, 0.5, 1.0])
def test_the_same_direction_is_a_straight_line(t: float) -> None:
    one = latents([3], 10)[0]
    assert slerp(one, 2 * one, t) == pytest.approx((1 + t) * one, rel=ROUNDING)
    assert np.array_equal(slerp(np.zeros_like(one), one, t), lerp(np.zeros_like(one), one, t))


def test_opposite_latents_go_half_round_at_full_length() -> None:
    one = latents([3], 10)[0]
    way = [slerp(one, -one, t) for t in (0.0, 0.25, 0.5, 0.75, 1.0)]
    assert [length(point) for point in way] == pytest.approx([length(one)] * 5, rel=ROUNDING)
    turns = [angle(one, point) for point in way]
    assert turns == pytest.approx([0, math.pi / 4, math.pi / 2, 3 * math.pi / 4, math.pi], abs=1e-3)
    assert (
        slerp(np.full(1, 2, np.float32), np.full(1, -2, np.float32), 0.5) == 0.0
    )  # in one dimension there is no way round


@given(st.integers(0, 10_000), st.floats(0, 1))
def test_uniform_latents_never_leave_their_cube(seed: int, t: float) -> None:
    one, other = latents([seed, seed + 1], 20, "uniform")
    assert np.abs(between(one, other, t, "uniform")).max() <= 1.0


def test_a_walk_passes_every_latent() -> None:
    stops = latents([1, 2, 3], 8)
    way = walk(stops, 5, "normal")
    assert way.shape == (2, 5, 8, 1, 1)
    assert np.array_equal(way[0, 0], stops[0])
    assert np.array_equal(way[0, -1], way[1, 0])
    assert np.array_equal(way[1, -1], stops[2])
    round_trip = walk(stops, 5, "normal", loop=True)
    assert np.array_equal(round_trip[:2], way)
    assert np.array_equal(round_trip[2, -1], stops[0])
    for few, steps in ((stops[:1], 5), (stops, 1)):
        with pytest.raises(UsageError, match="two seeds"):
            walk(few, steps, "normal")


def test_a_plane_of_uniform_latents_is_flat() -> None:
    a, b, c = corners = latents([1, 2, 3], 8, "uniform")
    points = plane(corners, 3, 5, "uniform").reshape(3, 5, 8, 1, 1)
    assert points[0, 0] == pytest.approx(a)
    assert points[0, 4] == pytest.approx(b)
    assert points[2, 0] == pytest.approx(c)
    assert points[2, 4] == pytest.approx(b + c - a, abs=1e-6)  # sums of float32
    assert points[1, 2] == pytest.approx((b + c) / 2, abs=1e-6)


def test_a_plane_of_normal_latents_keeps_to_their_sphere() -> None:
    corners = latents([1, 2, 3], 100)
    points = plane(corners, 5, 5, "normal").reshape(5, 5, -1)
    lengths = np.linalg.norm(points, axis=2)
    ends = np.linalg.norm(corners.reshape(3, -1), axis=1)
    assert points[[0, 0, 4], [0, 4, 0]] == pytest.approx(corners.reshape(3, -1), abs=1e-5)
    inside = lengths[np.add.outer(range(5), range(5)) <= 4]  # the triangle between the three latents
    assert inside.min() >= ends.min() * (1 - ROUNDING)
    assert inside.max() <= ends.max() * (1 + ROUNDING)
    with pytest.raises(UsageError, match="three seeds"):
        plane(corners[:2], 5, 5, "normal")
    with pytest.raises(UsageError, match="2 x 2"):
        plane(corners, 1, 5, "normal")
