"""Where each BatchNorm of a file stands in the chain: by its neighbours there, else by size and name."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence

from dcgan_edge.errors import ArtifactError

from .recognise_chain import Chain, Link
from .recognise_modules import MODULE_WAY, Modules, Norm, described, natural

MOST_PLACINGS = 4
MOST_STEPS = 20_000


def place_norms(chain: Chain, modules: Modules) -> list[Chain]:
    """Return `chain` with every BatchNorm behind a layer, the likeliest placing first.

    Raises ArtifactError naming the first BatchNorm that has no layer of its size.
    """
    for norm in modules.norms:
        if not any(_fits(norm, link) for link in chain.links):
            raise ArtifactError(
                f"{described(norm.name + '.running_mean', norm.mean)} does not fit: no layer of this network "
                f"has {norm.features} outputs to normalise. {MODULE_WAY}"
            )
    for order in (modules.order, tuple(sorted(modules.order, key=natural))):
        placed = _behind_neighbours(chain.links, modules.norms, order)
        if placed is not None:
            return [dataclasses.replace(chain, links=_with(chain.links, placed))]
    placings = _by_size(chain.links, sorted(modules.norms, key=lambda norm: natural(norm.name)))
    if not placings:
        raise ArtifactError(
            f"The {len(modules.norms)} BatchNorms do not fit behind the {len(chain.links)} layers, one "
            f"behind each at most. {MODULE_WAY}"
        )
    least = placings[0][0]
    return [
        dataclasses.replace(chain, links=_with(chain.links, placed), cost=chain.cost + cost - least)
        for cost, placed in placings[:MOST_PLACINGS]
    ]


def _fits(norm: Norm, link: Link) -> bool:
    return norm.features in (link.outputs, link.channels)


def _with(links: Sequence[Link], placed: dict[int, Norm]) -> tuple[Link, ...]:
    return tuple(dataclasses.replace(link, norm=placed.get(place)) for place, link in enumerate(links))


def _behind_neighbours(
    links: Sequence[Link], norms: Sequence[Norm], order: Sequence[str]
) -> dict[int, Norm] | None:
    """Each BatchNorm behind the layer that stands before it in `order`; None where one does not fit so."""
    places = {link.item.name: place for place, link in enumerate(links)}
    known = {norm.name: norm for norm in norms}
    placed: dict[int, Norm] = {}
    place = -1
    for name in order:
        if name in places:
            place = places[name]
        elif name in known:
            if place < 0 or place in placed or not _fits(known[name], links[place]):
                return None
            placed[place] = known[name]
    return placed


def _by_size(links: Sequence[Link], norms: Sequence[Norm]) -> list[tuple[float, dict[int, Norm]]]:
    """Placings by size, with costs: rising names in rising places, and numbers as those of the layers."""
    found: list[tuple[float, dict[int, Norm]]] = []
    steps = 0

    def extend(index: int, placed: dict[int, Norm], cost: float) -> None:
        nonlocal steps
        steps += 1
        if steps > MOST_STEPS:
            return
        if index == len(norms):
            found.append((cost, placed))
            return
        norm = norms[index]
        for place, link in enumerate(links):
            if place not in placed and _fits(norm, link):
                later = sum(1 for other in placed if other > place)
                more = 2.0 * later + _unlike(norm.name, link.item.name, place)
                extend(index + 1, {**placed, place: norm}, cost + more)

    extend(0, {}, 0.0)
    return sorted(found, key=lambda each: each[0])


def _unlike(norm: str, item: str, place: int) -> float:
    """How little the name of a BatchNorm points at a layer: by its beginning and its last number."""
    ours, theirs = re.findall(r"\d+", norm), re.findall(r"\d+", item)
    if norm.startswith(item) or item.startswith(norm):
        return 0.0
    if ours and theirs:
        return 0.0 if ours[-1] == theirs[-1] else 0.5
    return 0.1 * abs(int(ours[-1]) - place - 1) if ours and int(ours[-1]) < 100 else 0.3
