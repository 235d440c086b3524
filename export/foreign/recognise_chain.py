"""Dense layers and convolutions in a row: whose outputs are whose inputs, and which are transposed.

The order of the names, or of the file, is taken where the channels agree with it; else the channels decide.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from dcgan_edge.errors import ArtifactError

from .recognise_modules import MODULE_WAY, Norm, Weighted, described, in_order

Kind = Literal["dense", "conv", "conv_transpose"]
SMALLEST, LARGEST = 8, 512  # pixels of an image's side
IMAGE_CHANNELS = range(1, 5)
MOST_CHAINS = 8
MOST_STEPS = 5_000  # of the search for an order
SHUFFLES = (2, 4, 3)
TRANSPOSED_NAME = re.compile(r"tr(ans)?|de_?conv|(^|[._])(t_?conv|ct|up)", re.I)


@dataclass(frozen=True)
class Link:
    """One dense layer or convolution in its place.

    `shuffle` is the factor of the pixel shuffle behind it, 1 for none. `side` is that of the feature maps
    that a dense layer's outputs become, 0 where they stay a vector. `norm` is the BatchNorm behind it.
    """

    item: Weighted
    kind: Kind
    inputs: int
    outputs: int
    shuffle: int = 1
    side: int = 0
    norm: Norm | None = None

    @property
    def channels(self) -> int:
        """Return the channels (features of a vector) that the next layer takes."""
        return self.outputs // (self.side**2 if self.side else self.shuffle**2)

    @property
    def norm_on_maps(self) -> bool:
        """Return whether the BatchNorm stands behind the reshaping or the pixel shuffle."""
        return self.norm is not None and self.norm.features != self.outputs


@dataclass(frozen=True)
class Chain:
    """A possible generator. `cost` is how uncommon it is; `notes` say what was found out beside names."""

    links: tuple[Link, ...]
    cost: float = 0.0
    notes: tuple[str, ...] = ()


def chains(weighted: Sequence[Weighted]) -> list[Chain]:
    """Return the possible chains of all `weighted`, the likeliest first, at least one.

    Raises ArtifactError naming the first tensor that does not fit when there is none.
    """
    named = in_order(weighted)
    orders = [list(weighted)] if list(weighted) == named else [list(weighted), named]
    encoders = [order for order in orders if _is_encoder(order)]
    found = [
        Chain(links, cost) for order in orders if order not in encoders for links, cost in _follow(order)
    ]
    if found:
        return _distinct(found)
    if encoders:
        raise ArtifactError(_encoder(encoders[0][0]))
    note = "order found by channels"
    found = [Chain(links, cost, (note,)) for order in _search(named) for links, cost in _follow(order)]
    if not found:
        raise ArtifactError(_first_misfit(named))
    return _distinct(found)[:MOST_CHAINS]


def ambiguity(found: Sequence[Chain]) -> str | None:
    """Return what is ambiguous when the order was found by channels in more than one way, else None."""
    orders = {tuple(link.item.name for link in chain.links): chain for chain in found}
    if len(orders) < 2 or not all(chain.notes for chain in found):
        return None
    first, second = list(orders)[:2]
    place = next(i for i, (one, other) in enumerate(zip(first, second, strict=True)) if one != other)
    return f"{first[place]} or {second[place]} may be layer {place + 1} of {len(first)}"


def _distinct(found: Sequence[Chain]) -> list[Chain]:
    """The chains by cost, without repetitions."""
    seen: dict[tuple[tuple[str, Kind, int, int], ...], Chain] = {}
    for chain in sorted(found, key=lambda chain: chain.cost):
        key = tuple((link.item.name, link.kind, link.shuffle, link.side) for link in chain.links)
        seen.setdefault(key, chain)
    return list(seen.values())


def _readings(item: Weighted, squares: Kind | None = None) -> Iterator[tuple[Kind, int, int]]:
    """(kind, inputs, outputs) that the shape of `item` allows; `squares` decides where both numbers are the
    same, None the name and the kernel.
    """
    a, b = item.ends
    if item.is_dense:
        yield "dense", b, a
    elif a == b:
        yield squares or _likely(item), a, b
    else:
        if item.bias is None or len(item.bias) == b:
            yield "conv_transpose", a, b
        if item.bias is None or len(item.bias) == a:
            yield "conv", b, a


def _joins(before: Link | None, kind: Kind, inputs: int) -> Link | None:
    """`before` as it must end so that a layer of `kind` with `inputs` follows; None where it cannot."""
    if before is None:
        return None
    if before.kind == "dense":
        if kind == "dense":
            return before if before.outputs == inputs else None
        side = math.isqrt(before.outputs // inputs)
        fits = side >= 1 and before.outputs == inputs * side**2
        return Link(before.item, "dense", before.inputs, before.outputs, side=side) if fits else None
    if kind == "dense":
        return None
    for factor in (1, *SHUFFLES):
        if before.outputs == inputs * factor**2:
            return Link(before.item, before.kind, before.inputs, before.outputs, shuffle=factor)
    return None


def _ends(last: Link) -> Iterator[tuple[Link, float]]:
    """`last` as the end of a generator, with the cost of seeing it so."""
    if last.kind == "dense":
        for channels, cost in ((1, 0.0), (3, 0.0), (4, 2.0), (2, 3.0)):
            side = math.isqrt(last.outputs // channels)
            if channels * side**2 == last.outputs and SMALLEST <= side <= LARGEST:
                yield Link(last.item, "dense", last.inputs, last.outputs, side=side), cost
        return
    if last.outputs in IMAGE_CHANNELS:
        yield last, 0.0
    for factor in SHUFFLES:
        channels, rest = divmod(last.outputs, factor**2)
        if not rest and channels in IMAGE_CHANNELS:
            cost = {1: 0.5, 3: 0.5}.get(channels, 1.5) + (1.5 if last.outputs in IMAGE_CHANNELS else 0.0)
            yield Link(last.item, last.kind, last.inputs, last.outputs, shuffle=factor), cost


def _follow(order: Sequence[Weighted]) -> list[tuple[tuple[Link, ...], float]]:
    """The chains in exactly this order, with their costs: none if the channels do not agree with it."""
    found = []
    for squares, cost in _square_kinds(order):
        partial: list[tuple[Link, ...]] = [()]
        for item in order:
            longer = []
            for links in partial[:MOST_CHAINS]:
                for kind, inputs, outputs in _readings(item, squares):
                    joined = _joins(links[-1], kind, inputs) if links else None
                    if not links or joined:
                        head = (*links[:-1], joined) if joined else ()
                        longer.append((*head, Link(item, kind, inputs, outputs)))
            partial = longer
        for links in partial:
            found += [((*links[:-1], end), cost + more + _unlike(links)) for end, more in _ends(links[-1])]
    return found


def _likely(item: Weighted) -> Kind:
    """What a convolution of as many inputs as outputs is, by its name and its kernel."""
    return "conv_transpose" if item.kernel % 2 == 0 or TRANSPOSED_NAME.search(item.name) else "conv"


def _square_kinds(order: Sequence[Weighted]) -> tuple[tuple[Kind | None, float], ...]:
    """(kind, cost) of convolutions with as many inputs as outputs; None for what is likely of each."""
    if any(not item.is_dense and item.ends[0] == item.ends[1] for item in order):
        return (None, 0.0), ("conv", 1.0), ("conv_transpose", 1.0)
    return ((None, 0.0),)


def _unlike(links: Sequence[Link]) -> float:
    """The cost of square convolutions of another kind than the others with their kernel."""
    others = {(link.item.kernel, link.kind) for link in links if link.inputs != link.outputs}
    kernels = {kernel for kernel, _ in others}
    return sum(
        1.5
        for link in links
        if link.inputs == link.outputs
        and link.item.kernel in kernels
        and (link.item.kernel, link.kind) not in others
    )


def _search(named: Sequence[Weighted]) -> list[list[Weighted]]:
    """Orders in which the channels agree; of modules of one shape, the names decide."""
    found: list[list[Weighted]] = []
    steps = 0

    def extend(order: list[Weighted], links: list[Link], left: list[Weighted]) -> None:
        nonlocal steps
        steps += 1
        if steps > MOST_STEPS or len(found) == MOST_CHAINS:
            return
        if not left:
            if any(_ends(links[-1])):
                found.append(order)
            return
        tried: set[tuple[int, ...]] = set()
        for item in left:
            shape = tuple(item.weight.shape)
            if shape in tried:
                continue
            tried.add(shape)
            for kind, inputs, outputs in _readings(item):
                if not links or _joins(links[-1], kind, inputs):
                    rest = [other for other in left if other is not item]
                    extend([*order, item], [*links, Link(item, kind, inputs, outputs)], rest)

    extend([], [], list(named))
    return found


def _encoder(first: Weighted) -> str:
    return (
        "This is a discriminator or an encoder: it begins with "
        f"{described(first.name + '.weight', first.weight)}, which takes images of {first.ends[1]} channels. "
        "Choose the generator with --key, or give its file."
    )


def _is_encoder(order: Sequence[Weighted]) -> bool:
    """Whether the modules in this order take images to a few numbers, as discriminators do."""
    if order[0].is_dense or order[0].ends[1] not in IMAGE_CHANNELS or len(order) < 2:
        return False
    width = order[0].ends[1]
    for item in order:
        outputs, inputs = item.ends
        if (item.is_dense and inputs % width == 0) or (not item.is_dense and inputs == width):
            width = outputs
        else:
            return False
    return True


def _first_misfit(named: Sequence[Weighted]) -> str:
    """What to say when nothing fits: how far the order of the names goes, and where it ends."""
    length = max((n for n in range(1, len(named) + 1) if _partial(named[:n])), default=0)
    if length == len(named):
        last = named[-1]
        return (
            f"{described(last.name + '.weight', last.weight)} does not fit as the last layer: an image of "
            f"1 to 4 channels and {SMALLEST} to {LARGEST} pixels was expected. {MODULE_WAY}"
        )
    item, before = named[length], named[max(length - 1, 0)]
    return (
        f"{described(item.name + '.weight', item.weight)} does not fit: a layer that takes what "
        f"{described(before.name + '.weight', before.weight)} makes was expected. {MODULE_WAY}"
    )


def _partial(order: Sequence[Weighted]) -> bool:
    """Whether the modules follow each other, whatever comes behind them."""
    heads: list[Link | None] = [None]
    for item in order:
        heads = [
            Link(item, kind, inputs, outputs)
            for before in heads
            for kind, inputs, outputs in _readings(item)
            if before is None or _joins(before, kind, inputs)
        ]
    return bool(heads)
