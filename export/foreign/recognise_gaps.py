"""What the numbers in names say of modules without tensors: activations, upsampling, reshaping, dropout.

In `main.0.weight`, `main.1.weight`, `main.4.weight` two modules without tensors stand before the last layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .recognise_chain import Link
from .recognise_modules import natural

SHORT, SPARE = 3.0, 1.0  # cost of a module that has no place in the gap, and of one that nothing explains
INNER = 2  # modules that may stand unseen at the end of a block


@dataclass(frozen=True)
class Gap:
    """At least `least` modules without tensors, exactly so many if `exact`, in one row of modules or not."""

    least: int
    exact: bool
    same_row: bool

    def cost(self, needed: int) -> float:
        """Return how badly `needed` modules explain the gap."""
        if needed < self.least:
            return SPARE * (self.least - needed)
        most = self.least if self.exact else self.least + INNER
        return SHORT * max(0, needed - most)


@dataclass(frozen=True)
class Gaps:
    """For each link the gap `inside`, before its BatchNorm, and the one `after` it, before the next layer."""

    inside: tuple[Gap | None, ...]
    after: tuple[Gap | None, ...]


def gaps(links: Sequence[Link]) -> Gaps:
    """Return what the names of `links` say; nothing where modules are only numbered, as in a list."""
    leaders = _leaders(links)
    inside = [_between(link.item.name, link.norm.name, leaders) if link.norm else None for link in links]
    after: list[Gap | None] = []
    for link, following in zip(links, (*links[1:], None), strict=True):
        end = link.norm.name if link.norm else link.item.name
        after.append(_between(end, following.item.name, leaders) if following else None)
    mute = {
        _row(link.item.name)
        for link, within, behind in zip(links, inside, after, strict=True)
        if not link.side and _is_empty(behind) and (link.norm is None or _is_empty(within))
    }
    return Gaps(
        tuple(None if _row(link.item.name) in mute else gap for link, gap in zip(links, inside, strict=True)),
        tuple(None if _row(link.item.name) in mute else gap for link, gap in zip(links, after, strict=True)),
    )


def _is_empty(gap: Gap | None) -> bool:
    return gap is not None and gap.exact and gap.least == 0


def _row(name: str) -> str:
    return name.rpartition(".")[0]


def _leaders(links: Sequence[Link]) -> set[str]:
    """The first module of each numbered row."""
    names = [link.item.name for link in links] + [link.norm.name for link in links if link.norm]
    least: dict[str, str] = {}
    for name in sorted(names, key=natural):
        least.setdefault(_row(name), name)
    return set(least.values())


def _between(first: str, second: str, leaders: set[str]) -> Gap | None:
    """The gap between two named modules, None where the names say nothing."""
    ours, theirs = first.split("."), second.split(".")
    shared = 0
    while shared < min(len(ours), len(theirs)) and ours[shared] == theirs[shared]:
        shared += 1
    if shared == min(len(ours), len(theirs)):
        return None
    one, other = ours[shared], theirs[shared]
    rest = theirs[shared + 1 :]
    leading = int(rest[0]) if rest and rest[0].isdigit() and len(rest[0]) < 4 else 0
    if not (one.isdigit() and other.isdigit()):
        numbered = rest and rest[0].isdigit() and second in leaders
        return Gap(leading, exact=False, same_row=False) if numbered else None
    if max(len(one), len(other)) > 4 or int(other) <= int(one):
        return None
    ends = len(ours) == shared + 1
    return Gap(int(other) - int(one) - 1 + leading, exact=ends, same_row=ends and not rest)
