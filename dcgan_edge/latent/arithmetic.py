"""Vector arithmetic on concepts: the mean latent of a few seeds stands for what their pictures share.

Source: DCGAN, arXiv:1511.06434, section 6.3.2: single exemplars are unstable, so three latents are averaged
per concept; the answer is shown among neighbours at uniform noise of +-0.25. As there, nothing is scaled or
clipped, so an answer may be longer or shorter than the latents that the generator was trained on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dcgan_edge.artifact import Architecture
from dcgan_edge.errors import UsageError
from dcgan_edge.images import PixelArray, grid, to_uint8
from dcgan_edge.latent.formula import parse_formula
from dcgan_edge.latents import FloatArray, latents, parse_seeds
from dcgan_edge.runtime.session import Session

AROUND = 3  # pictures of a side of the neighbourhood; the answer is in its middle
LARGEST = float(np.finfo(np.float32).max)
WHITE = 1.0


@dataclass(frozen=True)
class Concept:
    """A named group of seeds with its `weight` in the formula: latents (n, dim, 1, 1), mean (dim, 1, 1)."""

    name: str
    seeds: tuple[int, ...]
    weight: float
    members: FloatArray
    mean: FloatArray


@dataclass(frozen=True)
class Answer:
    """`latent` (dim, 1, 1) is the weighted sum of the means; `neighbours` (9, dim, 1, 1) has it in the
    middle.
    """

    concepts: tuple[Concept, ...]
    latent: FloatArray
    neighbours: FloatArray


def parse_groups(texts: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Read `a=1,2,3` into names and seeds. Raises UsageError for anything else and for a name given twice."""
    groups: dict[str, tuple[int, ...]] = {}
    for text in texts:
        name, equals, seeds = text.partition("=")
        if not (equals and name.isidentifier() and name.isascii()):
            raise UsageError(f"{text!r} is not a group of seeds; write NAME=SEEDS, such as a=1,2,3.")
        if name in groups:
            raise UsageError(f"The group {name} is given twice.")
        groups[name] = tuple(parse_seeds(seeds))
    return groups


def solve(
    groups: Mapping[str, Sequence[int]],
    formula: str,
    architecture: Architecture,
    *,
    noise: float = 0.25,
    seed: int = 0,
) -> Answer:
    """Put the means of `groups` into `formula`. Noise is uniform in +-`noise`, of the latents of seeds from
    `seed` on.

    Raises UsageError unless the formula is readable and names exactly the groups.
    """
    weights = parse_formula(formula)
    if set(weights) != set(groups):
        raise UsageError(
            f"The formula names {', '.join(weights)}; the groups are {', '.join(groups) or 'none'}."
        )
    if not all(abs(number) <= LARGEST for number in (noise, *weights.values())):
        raise UsageError("The formula or the noise has a number that is too large.")
    concepts = []
    for name, weight in weights.items():
        members = latents(groups[name], architecture.latent_dim, architecture.distribution)
        concepts.append(Concept(name, tuple(groups[name]), weight, members, members.mean(axis=0)))
    latent = np.zeros_like(concepts[0].mean)
    for concept in concepts:
        latent += np.float32(concept.weight) * concept.mean
    shifts = noise * latents(range(seed, seed + AROUND**2), architecture.latent_dim, "uniform")
    shifts[AROUND**2 // 2] = 0.0
    return Answer(tuple(concepts), latent, np.asarray(latent + shifts, np.float32))


def draw_answer(session: Session, answer: Answer) -> PixelArray:
    """One picture (c, H, W): a column for each concept, its members and at the foot their mean; to the right
    the neighbourhood of the answer, and at the foot the answer.
    """
    columns = []
    for concept in answer.concepts:
        images = session.run(np.concatenate([concept.members, concept.mean[None]]))
        columns.append((images[:-1], images[-1]))
    around = session.run(answer.neighbours)
    blank = np.full_like(around[0], WHITE)
    height = max(AROUND, *(len(members) for members, _ in columns))
    stacks = [[*members, *[blank] * (height - len(members)), mean] for members, mean in columns]
    stacks.append([blank] * (height + 1))
    for column in range(AROUND):
        foot = around[AROUND**2 // 2] if column == AROUND // 2 else blank
        stacks.append([*around[column::AROUND], *[blank] * (height - AROUND), foot])
    cells = [stack[row] for row in range(height + 1) for stack in stacks]
    return grid(to_uint8(np.stack(cells)), height + 1, len(stacks))
