"""Strides, paddings and upsampling, of which a file says nothing: the ways to an image of a sound size.

Each way has a cost, which is how uncommon it is among published generators; the sizes decide between them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .recognise_chain import LARGEST, SMALLEST, Link
from .recognise_gaps import Gaps

KEPT = 5  # ways to each size that are followed
SPREAD, SPREAD_TO_SIZE = 4.0, 8.0  # cost above the cheapest way at which one is given up
BEAM, BEAM_TO_SIZE = 60, 250  # ways that are followed in all; more when the size is known
LATER = 0.02  # of each place that a transposed convolution of stride 1 stands from where they use to stand
MIXED, UNEVEN = 2.5, 0.7  # cost of padded beside unpadded layers, and of two geometries of one kernel

# kernel -> (stride, padding, output padding, cost) of a transposed convolution
TRANSPOSED: dict[int, tuple[tuple[int, int, int, float], ...]] = {
    1: ((1, 0, 0, 0.0), (1, 2, 0, 0.2), (1, 1, 0, 2.0)),
    2: ((2, 0, 0, 0.0), (1, 0, 0, 3.0)),
    3: ((2, 1, 1, 0.0), (2, 1, 0, 0.3), (1, 1, 0, 0.6), (2, 0, 0, 0.6), (1, 0, 0, 0.8)),
    4: (
        (2, 1, 0, 0.0), (1, 0, 0, 0.8), (2, 0, 0, 0.8), (1, 1, 0, 2.2), (2, 3, 0, 2.2), (2, 2, 0, 2.4),
        (1, 2, 1, 2.6), (4, 0, 0, 2.6), (1, 2, 0, 2.8), (2, 1, 1, 2.8),
    ),
    5: (
        (2, 2, 1, 0.0), (1, 2, 0, 0.8), (2, 2, 0, 1.2), (2, 1, 0, 1.6), (1, 0, 0, 1.4), (2, 0, 0, 1.4),
        (3, 1, 0, 2.0), (2, 1, 1, 2.2), (1, 1, 0, 2.4), (2, 3, 0, 2.8),
    ),
    6: ((2, 2, 0, 0.0), (4, 1, 0, 1.0), (1, 0, 0, 1.4), (2, 0, 0, 1.4), (2, 1, 0, 2.2)),
    7: ((1, 3, 0, 0.3), (2, 3, 1, 0.3), (1, 0, 0, 1.4), (2, 0, 0, 1.6), (2, 3, 0, 1.6)),
    8: ((4, 2, 0, 0.0), (2, 3, 0, 0.5), (1, 0, 0, 1.4), (2, 0, 0, 1.6)),
}  # fmt: skip


@dataclass(frozen=True)
class Step:
    """How one link changes the size: `up` before it, then `stride`, and `padding` (before, after)."""

    up: int = 1
    stride: int = 1
    padding: tuple[int, int] = (0, 0)


TRIPLING = Step(1, 3, (1, 1))  # what a single 5x5 kernel at the end of 4x4 ones is there for: 32 to 96 pixels


@dataclass(frozen=True)
class Way:
    """A step for each link, the side of the feature maps behind each, and the cost."""

    steps: tuple[Step, ...]
    sides: tuple[int, ...]
    cost: float


def ways(links: Sequence[Link], gaps: Gaps, *, bare: bool, norm_last: bool, size: int | None) -> list[Way]:
    """Return the ways from the first link to images of `size` pixels, None for any from 8 to 512, the
    likeliest first.

    `bare` says that no activation stands between a dense layer and the feature maps, `norm_last` that
    BatchNorm comes behind the activation: with both, the gaps tell where there is upsampling.
    """
    strided = any(link.kind == "conv_transpose" for link in links[1:])
    shuffled = any(link.shuffle > 1 for link in links)
    kernels = [link.item.kernel for link in links]
    tripling = links[-1].kind == "conv_transpose" and kernels[-1] == 5 and set(kernels[:-1]) == {4}
    frontier: dict[int, list[Way]] = {1: [Way((), (), 0.0)]}
    for place, link in enumerate(links):
        reached: dict[int, list[Way]] = {}
        gap = gaps.after[place - 1] if place else None
        before = links[place - 1] if place else None
        for side, known in frontier.items():
            for step, made, cost in _options(link, side, place == len(links) - 1, strided or shuffled):
                if not 1 <= made <= LARGEST:
                    continue
                if link.kind == "conv_transpose" and side > 1 and step.stride == 1:
                    cost += LATER * (place if link.item.kernel == 5 else len(links) - place)
                if tripling and place == len(links) - 1:
                    cost = 0.0 if step == TRIPLING else cost + 0.3
                if gap is not None and before is not None:
                    cost += gap.cost(_needed(before, step, bare, norm_last, gap.same_row))
                for way in known:
                    longer = Way((*way.steps, step), (*way.sides, made), way.cost + cost)
                    reached.setdefault(made, []).append(longer)
        frontier = _cheapest(reached, size is not None)
    channels = links[-1].channels
    found = [
        Way(way.steps, way.sides, way.cost + _uneven(links, way) + size_cost(side, channels))
        for side, known in frontier.items()
        if (side >= SMALLEST if size is None else side == size)
        for way in known
    ]
    return sorted(found, key=lambda way: way.cost)


def size_cost(size: int, channels: int) -> float:
    """Return how uncommon images of `size` pixels are."""
    if size == 28:
        return 0.0 if channels == 1 else 0.5
    if size == 32 and channels == 1:
        return 0.4
    if size & (size - 1) == 0:
        return {8: 1.0, 16: 0.3}.get(size, 0.0)
    if size in (48, 96):
        return 0.2
    return 1.2 if size % 16 == 0 else 2.6 if size % 4 == 0 else 4.0


def _cheapest(reached: dict[int, list[Way]], wide: bool) -> dict[int, list[Way]]:
    """The cheapest ways to each side, without those that cost far more than the cheapest of all."""
    few = [each for found in reached.values() for each in sorted(found, key=lambda way: way.cost)[:KEPT]]
    few.sort(key=lambda way: way.cost)
    kept: dict[int, list[Way]] = {}
    for way in few[: BEAM_TO_SIZE if wide else BEAM]:
        if way.cost <= few[0].cost + (SPREAD_TO_SIZE if wide else SPREAD):
            kept.setdefault(way.sides[-1], []).append(way)
    return kept


def _needed(before: Link, step: Step, bare: bool, norm_last: bool, same_row: bool) -> int:
    """Modules without tensors that stand between `before` (its BatchNorm) and the next layer."""
    activated = not (norm_last and before.norm) and not (bare and before.side)
    reshaped = same_row and before.side > 0 and not before.norm_on_maps
    shuffled = before.shuffle > 1 and not before.norm_on_maps
    return activated + reshaped + shuffled + (step.up > 1)


def _options(link: Link, side: int, last: bool, has_others: bool) -> Iterator[tuple[Step, int, float]]:
    """(step, side behind it, cost) for `link` on maps of `side`; `has_others` if other layers enlarge."""
    kernel = link.item.kernel
    if link.kind == "dense":
        yield Step(), max(link.side, 1), 0.0
    elif link.kind == "conv":
        for up, cost in _ups(kernel, side, last, has_others or link.shuffle > 1):
            for padding, more in _paddings(kernel, side * up):
                made = (side * up + sum(padding) - kernel + 1) * link.shuffle
                yield Step(up, 1, padding), made, cost + more
    elif side == 1:
        for cut in range((kernel + 1) // 2):
            yield Step(1, 1, (cut, cut)), (kernel - 2 * cut) * link.shuffle, 2.5 if cut else 0.0
        if kernel > 2:
            half = (kernel - 1) // 2
            yield Step(1, 1, (half, kernel - 2 - half)), 2 * link.shuffle, 2.6
    else:
        for stride, cut, spared, cost in TRANSPOSED.get(kernel, _usual(kernel)):
            made = ((side - 1) * stride - 2 * cut + kernel + spared) * link.shuffle
            yield Step(1, stride, (cut, cut - spared)), made, cost
            if stride == 1 and 2 * cut == kernel - 1:
                yield Step(2, 1, (cut, cut)), 2 * side * link.shuffle, cost + 2.0


def _usual(kernel: int) -> tuple[tuple[int, int, int, float], ...]:
    """Geometries of a kernel that the table does not have."""
    half = (kernel - 1) // 2
    if kernel % 2:
        return (1, half, 0, 0.3), (2, half, 1, 0.3), (1, 0, 0, 1.4)
    return (2, half, 0, 0.0), (1, 0, 0, 1.4)


def _ups(kernel: int, side: int, last: bool, has_others: bool) -> Iterator[tuple[int, float]]:
    """(factor, cost) of upsampling before a convolution."""
    rare = has_others or kernel == 1
    yield 1, 0.0 if rare or last else 0.8
    yield 2, 2.0 if rare else 1.5 if side == 1 else 0.7 if last else 0.0
    if side <= 8:
        yield 4, 1.0 if side == 1 else 2.6
    if side == 1:
        yield 7, 2.0
        yield 8, 2.2


def _paddings(kernel: int, side: int) -> Iterator[tuple[tuple[int, int], float]]:
    """((before, after), cost) of a convolution's zeros."""
    half = (kernel - 1) // 2
    yield (half, kernel - 1 - half), 0.0 if kernel % 2 else 0.6
    if side == 1 and kernel > 1:
        yield (kernel - 1, kernel - 1), 0.5
    if kernel > 1 and side >= kernel:
        yield (0, 0), 2.0
    if kernel > 3:
        yield (1, 1), 2.4


def _uneven(links: Sequence[Link], way: Way) -> float:
    """The cost of a way whose layers do not look like the work of one hand."""
    shapes: dict[int, set[Step]] = {}
    padded = unpadded = False
    side = 1
    for link, step, made in zip(links, way.steps, way.sides, strict=True):
        if link.kind == "conv_transpose" and side > 1 and link.item.kernel > 2:
            shapes.setdefault(link.item.kernel, set()).add(step)
            padded |= step.padding != (0, 0)
            unpadded |= step.padding == (0, 0)
        side = made
    several = sum(len(each) - 1 for each in shapes.values()) if padded else 0
    return UNEVEN * several + (MIXED if padded and unpadded else 0.0)
