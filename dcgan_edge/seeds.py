"""Seeds as they are written, held as ranges: a million of them take no more memory than one."""

from __future__ import annotations

import bisect
import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, TypeVar, overload

from dcgan_edge.errors import UsageError

MAX_SEED = 2**64 - 1
MAX_SEEDS = 10_000_000  # on the command line; more is a typing error
MOST_IN_SETS = 1_000_000_000  # of samples in few files: 100,000 of 10,000 images each
Value = TypeVar("Value", covariant=True)


class Computed(Sequence[Value], Generic[Value]):
    """A sequence of which nothing is stored: `entry` computes what stands at a place."""

    def __init__(self, length: int, entry: Callable[[int], Value]) -> None:
        """Have `length` values, `entry(0)` to `entry(length - 1)`."""
        self._places, self._entry = range(length), entry

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, place: int) -> Value: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Value]: ...
    def __getitem__(self, place: int | slice) -> Value | Sequence[Value]:
        if isinstance(place, slice):
            chosen = self._places[place]
            return Computed(len(chosen), lambda number: self._entry(chosen[number]))
        return self._entry(self._places[place])


@dataclass(frozen=True)
class Seeds(Sequence[int]):
    """The seeds of `ranges`, one range after the other, each rising by 1 and not empty."""

    ranges: tuple[range, ...]

    @cached_property
    def _ends(self) -> list[int]:
        return list(itertools.accumulate(len(each) for each in self.ranges))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __iter__(self) -> Iterator[int]:
        return itertools.chain.from_iterable(self.ranges)

    @overload
    def __getitem__(self, place: int) -> int: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[int]: ...
    def __getitem__(self, place: int | slice) -> int | Sequence[int]:
        if isinstance(place, slice):
            return Computed(len(self), self._at)[place]
        return self._at(range(len(self))[place])

    def __str__(self) -> str:
        return ",".join(str(each[0]) if len(each) == 1 else f"{each[0]}-{each[-1]}" for each in self.ranges)

    def _at(self, place: int) -> int:
        number = bisect.bisect_right(self._ends, place)
        return self.ranges[number][place - self._ends[number]]


def parse_seeds(text: str, most: int = MAX_SEEDS) -> Seeds:
    """Read `0-35` or `1,4,7-9` as seeds, in the order written.

    Raises UsageError for anything else: empty, reversed or negative ranges, seeds above 2**64-1, and more
    than `most` of them.
    """
    ranges: list[range] = []
    count = 0
    for part in text.split(","):
        match = re.fullmatch(r"([0-9]{1,20})(?:-([0-9]{1,20}))?", part.strip())
        if match is None:
            raise UsageError(f"{text!r} is not a list of seeds; write 7, 0-63 or 1,4,7-9.")
        start = int(match[1])
        stop = int(match[2] or match[1])
        if stop < start or stop > MAX_SEED:
            raise UsageError(f"{part.strip()!r} is not a range of seeds: they rise, and end at 2**64-1.")
        count += stop - start + 1
        if count > most:
            raise UsageError(f"{text!r} are more than {most:,} seeds; ask for fewer at a time.")
        ranges.append(range(start, stop + 1))
    return Seeds(tuple(ranges))


def rising(seeds: Sequence[int]) -> Seeds:
    """Return the distinct ones of `seeds` in rising order; ranges stay ranges."""
    if isinstance(seeds, Seeds):
        found = sorted(seeds.ranges, key=lambda each: each.start)
    elif isinstance(seeds, range) and seeds.step == 1:
        found = [seeds] if seeds else []
    else:
        found = [range(seed, seed + 1) for seed in sorted(set(seeds))]
    merged: list[range] = []
    for each in found:
        if merged and each.start <= merged[-1].stop:
            merged[-1] = range(merged[-1].start, max(merged[-1].stop, each.stop))
        else:
            merged.append(each)
    return Seeds(tuple(merged))
