"""Concepts, their means and the answer: each place of the picture shows what it should."""

from __future__ import annotations

import numpy as np
import pytest

from dcgan_edge.errors import UsageError
from dcgan_edge.images import to_uint8
from dcgan_edge.latent.arithmetic import draw_answer, solve
from dcgan_edge.latents import latents
from tests.mirror import SIDE, MirrorSession

GROUPS = (1, 2, 3), (4, 5, 6), (7, 8, 9)
PLACE = SIDE + 2  # pixels from one picture to the next in a grid


def test_the_answer_is_the_formula_of_the_means() -> None:
    architecture = MirrorSession().manifest.architecture
    answer = solve(*GROUPS, architecture)
    a, b, c = (latents(seeds, SIDE**2).mean(axis=0) for seeds in GROUPS)
    assert answer.latent == pytest.approx(a - b + c, abs=1e-6)  # float32 sums in another order
    assert np.array_equal(answer.neighbours[4], answer.latent)
    shifts = np.delete(answer.neighbours - answer.latent, 4, axis=0)
    assert np.abs(shifts).max() <= 0.25 + 1e-6
    assert np.abs(shifts).mean() == pytest.approx(0.125, rel=0.2)  # mean of 128 uniform values
    assert np.unique(shifts).size > 100


def test_noise_depends_on_its_seed_alone() -> None:
    architecture = MirrorSession().manifest.architecture
    one, same, other = (solve(*GROUPS, architecture, seed=seed) for seed in (5, 5, 6))
    assert np.array_equal(one.neighbours, same.neighbours)
    assert not np.array_equal(one.neighbours, other.neighbours)
    silent = solve(*GROUPS, architecture, noise=0.0)
    assert np.array_equal(silent.neighbours, np.broadcast_to(silent.latent, silent.neighbours.shape))


def test_groups_may_be_left_out_but_not_all_of_them() -> None:
    architecture = MirrorSession().manifest.architecture
    a, b, _ = (latents(seeds, SIDE**2).mean(axis=0) for seeds in GROUPS)
    assert solve((1, 2, 3), (4, 5, 6), (), architecture).latent == pytest.approx(a - b, abs=1e-6)
    assert solve((1, 2, 3), (), (4, 5, 6), architecture).latent == pytest.approx(a + b, abs=1e-6)
    with pytest.raises(UsageError):
        solve((), (1,), (2,), architecture)
    with pytest.raises(UsageError):
        solve((1,), (), (), architecture)


def test_every_picture_is_in_its_place() -> None:
    session = MirrorSession()
    answer = solve((1,), (4, 5, 6, 10), (), session.manifest.architecture)
    picture = draw_answer(session, answer)
    assert picture.shape == (1, 5 * PLACE - 2, 6 * PLACE - 2)  # four members and a mean; two, a gap and three

    def at(row: int, column: int) -> list[list[int]]:
        top, left = row * PLACE, column * PLACE
        cell: list[list[int]] = picture[0, top : top + SIDE, left : left + SIDE].tolist()
        return cell

    def shown(latent: np.ndarray) -> list[list[int]]:
        cell: list[list[int]] = to_uint8(session.run(latent[None]))[0, 0].tolist()
        return cell

    white = [[255] * SIDE] * SIDE
    a, b = answer.concepts
    assert at(0, 0) == shown(a.members[0])
    assert at(1, 0) == at(3, 0) == white
    assert at(4, 0) == shown(a.mean)
    assert [at(row, 1) for row in range(4)] == [shown(member) for member in b.members]
    assert at(4, 1) == shown(b.mean)
    assert at(0, 2) == at(4, 2) == white
    assert [at(row, column) for row in range(3) for column in (3, 4, 5)] == [
        shown(neighbour) for neighbour in answer.neighbours
    ]
    assert at(4, 4) == shown(answer.latent)
    assert at(4, 3) == at(3, 4) == white


@pytest.mark.parametrize("noise", [-1.0, 1e18, 1e300, float("inf"), float("nan")])
def test_noise_beyond_all_measure_is_refused(noise: float) -> None:
    with pytest.raises(UsageError, match="Noise"):
        solve([1], [2], [], MirrorSession().manifest.architecture, noise=noise)


@pytest.mark.parametrize("seed", [-1, 2**64 - 5])
def test_seeds_of_the_noise_are_seeds(seed: int) -> None:
    with pytest.raises(UsageError, match="seeds"):
        solve([1], [2], [], MirrorSession().manifest.architecture, seed=seed)
