"""Vector arithmetic on concepts: the mean latent of a few seeds stands for what their pictures share.

Source: DCGAN, arXiv:1511.06434, section 6.3.2: single exemplars are unstable, so three latents are averaged
per concept; the answer is shown among neighbours at uniform noise of +-0.25. As there, nothing is scaled or
clipped, so an answer may be longer or shorter than the latents that the generator was trained on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dcgan_edge.artifact import Architecture
from dcgan_edge.classes import in_class
from dcgan_edge.errors import UsageError
from dcgan_edge.images import PixelArray, grid, to_uint8
from dcgan_edge.latents import FloatArray, latents
from dcgan_edge.runtime.session import Session
from dcgan_edge.seeds import MAX_SEED

AROUND = 3  # pictures of a side of the neighbourhood; the answer is in its middle
MOST_NOISE = 1e6  # far beyond any latent, and far within float32
WHITE = 1.0


@dataclass(frozen=True)
class Concept:
    """A group of seeds that is added (`weight` 1) or taken away (-1).

    `members` are its latents (n, dim, 1, 1), `mean` is their mean (dim, 1, 1).
    """

    name: str
    seeds: tuple[int, ...]
    weight: float
    members: FloatArray
    mean: FloatArray


@dataclass(frozen=True)
class Answer:
    """The sum of the concepts' means, `latent` (dim, 1, 1), and its `neighbours` (9, dim, 1, 1) around it."""

    concepts: tuple[Concept, ...]
    latent: FloatArray
    neighbours: FloatArray


def solve(
    start: Sequence[int],
    minus: Sequence[int],
    plus: Sequence[int],
    architecture: Architecture,
    *,
    noise: float = 0.25,
    seed: int = 0,
) -> Answer:
    """Return (mean of the seeds `start`) - (mean of `minus`) + (mean of `plus`); an empty group is left out.

    The neighbours differ from it by noise that is uniform in +-`noise`, of the latents of seeds from `seed`
    on; the middle one is the answer itself.

    Raises UsageError when `start` has no seed or both others have none, and for noise that is negative or
    not a number below 1e6.
    """
    if not len(start) or not (len(minus) or len(plus)):
        raise UsageError("Arithmetic takes seeds to start from, and seeds to take away or to add.")
    if not 0.0 <= noise <= MOST_NOISE:
        raise UsageError(f"Noise lies between 0 and {MOST_NOISE:.0e}, not {noise}.")
    if not 0 <= seed <= MAX_SEED - AROUND**2:
        raise UsageError(f"The noise takes {AROUND**2} seeds from {seed} on, and seeds are 0 to 2**64-1.")
    concepts = []
    for name, seeds, weight in (("from", start, 1.0), ("minus", minus, -1.0), ("plus", plus, 1.0)):
        if len(seeds):
            members = latents(seeds, architecture.latent_dim, architecture.distribution)
            concepts.append(Concept(name, tuple(seeds), weight, members, members.mean(axis=0)))
    latent = np.zeros_like(concepts[0].mean)
    for concept in concepts:
        latent += np.float32(concept.weight) * concept.mean
    shifts = noise * latents(range(seed, seed + AROUND**2), architecture.latent_dim, "uniform")
    shifts[AROUND**2 // 2] = 0.0
    return Answer(tuple(concepts), latent, np.asarray(latent + shifts, np.float32))


def draw_answer(session: Session, answer: Answer, number: int | None = None) -> PixelArray:
    """Draw one picture (c, H, W): a column for each concept, its members and at the foot their mean; to the
    right the neighbourhood of the answer, and at the foot the answer. All are of class `number`, None where
    there are no classes.
    """
    architecture = session.manifest.architecture
    columns = []
    for concept in answer.concepts:
        members = np.concatenate([concept.members, concept.mean[None]])
        images = session.run(in_class(architecture, members, number))
        columns.append((images[:-1], images[-1]))
    around = session.run(in_class(architecture, answer.neighbours, number))
    blank = np.full_like(around[0], WHITE)
    height = max(AROUND, *(len(members) for members, _ in columns))
    stacks = [[*members, *[blank] * (height - len(members)), mean] for members, mean in columns]
    stacks.append([blank] * (height + 1))
    for column in range(AROUND):
        foot = around[AROUND**2 // 2] if column == AROUND // 2 else blank
        stacks.append([*around[column::AROUND], *[blank] * (height - AROUND), foot])
    cells = [stack[row] for row in range(height + 1) for stack in stacks]
    return grid(to_uint8(np.stack(cells)), height + 1, len(stacks))
