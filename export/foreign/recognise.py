"""A generator recognised by its tensors: from names and shapes to layers, in every way that they can be read.

    tensors -> modules -> chains (order, kinds) -> BatchNorms placed -> inputs -> geometry -> structures

A structure is one way to read the file but for what no shape tells: activations, eps, how pixels are
repeated. Those are `Values`, of which `readings` has the usual ones.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from dcgan_edge.errors import ArtifactError, UsageError

from . import recognise_inputs
from .recognise_chain import LARGEST, SMALLEST, Chain, Link, ambiguity, chains
from .recognise_gaps import Gap, Gaps, gaps
from .recognise_geometry import Step, Way, ways
from .recognise_inputs import Branches, Inputs
from .recognise_modules import MERGED, Modules, sort_modules
from .recognise_norms import place_norms

MOST_STRUCTURES = 64
MOST_PAIRS = 32  # of first layers that are merged for a try
MOST_MERGED = 8  # chains of two first layers merged that are followed


@dataclass(frozen=True)
class Wanted:
    """What the user says of the generator; None where the file decides. `classes` is their number."""

    size: int | None = None
    latent_dim: int | None = None
    classes: int = 0
    class_first: bool | None = None


@dataclass(frozen=True)
class Structure:
    """One way to read a file: every layer with weights in its place, sizes, and where activations stand.

    `sides` are those of the maps behind each link. `bare` says that a dense layer before feature maps has no
    activation, `norm_last` that BatchNorm comes behind the activation. `cost` is how uncommon all this is.
    """

    links: tuple[Link, ...]
    steps: tuple[Step, ...]
    sides: tuple[int, ...]
    inputs: Inputs
    bare: bool
    norm_last: bool
    cost: float
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Return the side of the images."""
        return self.sides[-1]

    @property
    def channels(self) -> int:
        """Return the channels of the images."""
        return self.links[-1].channels

    @property
    def has_norm(self) -> bool:
        """Return whether there is a BatchNorm."""
        return any(link.norm for link in self.links)

    @property
    def has_upsampling(self) -> bool:
        """Return whether pixels are repeated or interpolated anywhere."""
        return any(step.up > 1 for step in self.steps)

    @property
    def is_dense(self) -> bool:
        """Return whether there are dense layers only."""
        return all(link.kind == "dense" for link in self.links)


def recognise(tensors: Mapping[str, Tensor], wanted: Wanted) -> list[Structure]:
    """Return the ways to read `tensors` as a generator, the likeliest first, at least one.

    Raises ArtifactError naming the first tensor that does not fit; UsageError when `wanted` is not what the
    file has.
    """
    modules = sort_modules(tensors)
    candidates = _candidates(modules)
    found: list[Structure] = []
    for chain, branches, placed_in in candidates:
        for placed in place_norms(chain, placed_in):
            links = placed.links
            inputs = recognise_inputs.readings(
                links[0],
                placed_in,
                latent_dim=wanted.latent_dim,
                classes=wanted.classes,
                class_first=wanted.class_first,
                branches=branches,
            )
            notes = (*placed.notes, *((branches.note,) if branches else ()))
            cost = placed.cost + (branches.cost if branches else 0.0)
            found += [
                _structure(links, way, each, bare, norm_last, cost + more + each.cost, notes)
                for way, bare, norm_last, more in _shaped(links, wanted.size)
                for each in inputs
            ]
    return _sized(found, wanted, [chain for chain, _, _ in candidates])


def _candidates(modules: Modules) -> list[tuple[Chain, Branches | None, Modules]]:
    """Every chain of the modules; if there is none, every chain of two first layers merged into one."""
    try:
        return [(chain, None, modules) for chain in chains(modules.weighted)]
    except ArtifactError as error:
        found: list[tuple[Chain, Branches | None, Modules]] = []
        for branches in itertools.islice(recognise_inputs.merged_branches(modules), MOST_PAIRS):
            try:
                found += [(chain, branches, branches.modules) for chain in chains(branches.modules.weighted)]
            except ArtifactError:
                continue
        found = [each for each in found if MERGED in each[0].links[0].item.name]
        if not found:
            raise error
        return sorted(found, key=lambda each: each[0].cost + (each[1].cost if each[1] else 0.0))[:MOST_MERGED]


def _structure(
    links: tuple[Link, ...],
    way: Way,
    inputs: Inputs,
    bare: bool,
    norm_last: bool,
    cost: float,
    notes: tuple[str, ...],
) -> Structure:
    return Structure(links, way.steps, way.sides, inputs, bare, norm_last, cost, notes)


def _shaped(links: Sequence[Link], size: int | None) -> list[tuple[Way, bool, bool, float]]:
    """(way, bare, norm_last, cost of the two) for every way to an image that the links allow."""
    said = gaps(links)
    reshaped = [link for link in links[:-1] if link.side]
    has_norm = any(link.norm for link in links)
    found = []
    kept: list[Way] | None = None  # what the names say nothing of is the same for all four
    for bare in (False, True) if reshaped else (False,):
        for norm_last in (False, True) if has_norm else (False,):
            cost = 0.5 * norm_last + _inside_cost(links, said, norm_last)
            if reshaped:
                cost += 0.5 * (bare == (reshaped[0].norm is not None))
            if kept is None or any(said.after):
                kept = ways(links, said, bare=bare, norm_last=norm_last, size=size)
            found += [(way, bare, norm_last, cost + way.cost) for way in kept]
    return found


def _inside_cost(links: Sequence[Link], said: Gaps, norm_last: bool) -> float:
    """How badly `norm_last` explains the gaps between the layers and their BatchNorms."""

    def one(link: Link, gap: Gap | None) -> float:
        return gap.cost(int(norm_last) + (link.norm_on_maps and gap.same_row)) if gap else 0.0

    return sum(one(link, gap) for link, gap in zip(links, said.inside, strict=True))


def _sized(found: Sequence[Structure], wanted: Wanted, found_chains: Sequence[Chain]) -> list[Structure]:
    """The structures by cost. Raises as `recognise` does when there is none."""
    if found:
        return sorted(found, key=lambda structure: structure.cost)[:MOST_STRUCTURES]
    links = found_chains[0].links
    if wanted.size is None:
        raise ArtifactError(
            f"No strides and paddings make an image of {SMALLEST} to {LARGEST} pixels of these layers: "
            f"{_words(links)}."
        )
    likely = sorted({(way.cost, way.sides[-1]) for way, *_ in _shaped(links, None)})[:8]
    sizes = ", ".join(map(str, sorted({size for _, size in likely})))
    raise UsageError(f"These layers do not make images of {wanted.size} pixels; likely are {sizes}.")


def unclear_order(structures: Sequence[Structure]) -> str | None:
    """Return which layers could change places, None when the file has one order only."""
    return ambiguity([Chain(each.links, notes=each.notes) for each in structures])


def resembles_pytorch_gan(structure: Structure) -> bool:
    """Return whether names and layers are those of PyTorch-GAN, whose BatchNorms have the eps 0.8."""
    names = [link.item.name for link in structure.links]
    if structure.is_dense:
        norms = [link.norm is not None for link in structure.links]
        return norms == [False, *[True] * (len(norms) - 2), False] and all(
            re.fullmatch(r"model\.\d+", name) for name in names
        )
    return names[0].startswith("l1.") and all("conv_blocks." in name for name in names[1:])


def _words(links: Sequence[Link]) -> str:
    return ", ".join(
        f"{link.item.name} ({link.kind} {link.inputs} to {link.outputs}"
        + (f", {link.item.kernel}x{link.item.kernel})" if link.item.kernel else ")")
        for link in links
    )
