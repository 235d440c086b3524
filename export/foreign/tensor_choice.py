"""Which of the networks in a file is the generator: told by what they are called, never by guessing twice.

Dictionaries lie within dictionaries, and names in one dictionary may begin with the network's (Lightning). An
averaged generator comes before the raw one, as samples are drawn from it; discriminators and optimisers are
left aside. Where two could be meant, the user is asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from torch import Tensor

from dcgan_edge.errors import ArtifactError, UsageError
from dcgan_edge.names import shown

DEPTH_LIMIT = 8
STEP_LIMIT = 1_000_000  # entries of all dictionaries and lists in a file
TENSOR_LIMIT = 100_000
AVERAGE = {"ema", "avg", "average", "averaged", "shadow", "running", "gs", "swa"}
GENERATOR = {"g", "gen", "generator", "netg", "gnet", "modelg", "generators"}
DISCRIMINATOR = {"d", "dis", "disc", "discriminator", "netd", "dnet", "modeld", "critic", "discriminators"}
OPTIMISER = {"opt", "adam", "sgd", "sched", "scaler", "amp", "lr", "optg", "optd"}
STATE = re.compile("optim|sched")
SURE = {"generator", "netg"}  # no layer is called so
WRAPPERS = {
    "module",
    "model",
    "net",
    "network",
    "params",
    "state",
    "dict",
}  # words that say nothing of a layer
INNER = ("_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")  # put anywhere into names


class Role(IntEnum):
    """What a part of a file is, the generator's best weights first."""

    AVERAGED_GENERATOR = 0
    AVERAGE = 1
    GENERATOR = 2
    PLAIN = 3
    DISCRIMINATOR = 4
    OPTIMISER = 5


WORDS = {
    Role.AVERAGED_GENERATOR: "an averaged generator",
    Role.AVERAGE: "averaged weights",
    Role.GENERATOR: "a generator",
    Role.PLAIN: "weights",
    Role.DISCRIMINATOR: "a discriminator",
    Role.OPTIMISER: "the state of an optimiser",
}


@dataclass(frozen=True)
class Choice:
    """The tensors that were chosen, where they lay, what is to be said of it, and what else there was."""

    tensors: dict[str, Tensor]
    key: str
    notes: tuple[str, ...]
    others: tuple[str, ...]


@dataclass(frozen=True)
class _Group:
    key: str
    role: Role
    tensors: dict[str, Tensor]
    stripped: str = ""

    def __str__(self) -> str:
        count = f" of {len(self.tensors):,} tensors" if self.tensors else ""
        return f"{shown(self.key) or 'the top level'}: {WORDS[self.role]}{count}"


def choose(content: Any, key: str | None, name: str) -> Choice:
    """Return the generator's tensors in `content`, what the file called `name` holds, or those at `key`.

    Raises UsageError when nothing lies at `key` or several networks could be the generator, ArtifactError
    when there is none.
    """
    if not isinstance(content, Mapping):
        raise ArtifactError(f"{name} holds a {type(content).__name__}, not named tensors.")
    groups = [part for group in _groups(content, name) for part in _parts(group)]
    networks = [group for group in groups if group.tensors and _has_weights(group)]
    if not networks:
        raise ArtifactError(f"{name} holds no weights: no tensor of two dimensions or more has a name in it.")
    chosen = _at(networks, key, name) if key is not None else _best(networks, name)
    others = tuple(str(group) for group in groups if group.key != chosen.key and not _inside(chosen, group))
    return Choice(chosen.tensors, chosen.key, tuple(_notes(chosen, networks)), others)


def _groups(content: Mapping[Any, Any], name: str) -> Iterator[_Group]:
    """Every dictionary of `content` that holds tensors, outer ones first, and every optimiser."""
    pending: list[tuple[tuple[str, ...], Any]] = [((), content)]
    steps = 0
    while pending:
        place, inner = pending.pop(0)
        steps += 1 + len(inner)
        if steps > STEP_LIMIT or len(place) > DEPTH_LIMIT:
            raise ArtifactError(f"{name} holds dictionaries without end, which no file of weights does.")
        items = inner.items() if isinstance(inner, Mapping) else enumerate(inner)
        role = _role(place)
        if role is Role.OPTIMISER or (
            isinstance(inner, Mapping) and {"param_groups", "state"} <= inner.keys()
        ):
            yield _Group(".".join(place), Role.OPTIMISER, {})
            continue
        tensors: dict[str, Tensor] = {}
        for label, value in items:
            if isinstance(value, Tensor) and isinstance(label, str):
                tensors[label] = value
            elif isinstance(value, Mapping) or (isinstance(value, list) and _holds_dictionaries(value)):
                pending.append(((*place, str(label)), value))
        if len(tensors) > TENSOR_LIMIT:
            raise ArtifactError(f"{name} holds {len(tensors):,} tensors, which no generator has.")
        if tensors:
            yield _Group(".".join(place), role, tensors)


def _holds_dictionaries(values: list[Any]) -> bool:
    return bool(values) and isinstance(values[0], Mapping)


def _role(place: tuple[str, ...]) -> Role:
    """What lies at `place`, by the words in it."""
    words = {
        word.lower() for part in place for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z][a-z0-9]*", part)
    }
    if words & OPTIMISER or any(STATE.search(word) for word in words):
        return Role.OPTIMISER
    if words & DISCRIMINATOR:
        return Role.DISCRIMINATOR
    if words & AVERAGE:
        return Role.AVERAGED_GENERATOR if words & GENERATOR else Role.AVERAGE
    return Role.GENERATOR if words & GENERATOR else Role.PLAIN


def _parts(group: _Group) -> Iterator[_Group]:
    """`group`, or the networks in it where its names begin with theirs; wrappers' prefixes are stripped."""
    if not group.tensors:
        yield group
        return
    tensors, stripped = _unwrapped(group.tensors)
    roles = {
        first: _role((group.key, first))
        for first in {name.partition(".")[0] for name in tensors if "." in name}
    }
    named = {first for first in roles if _role((first,)) is not Role.PLAIN}
    sure = {first for first in named if first.lower() in SURE or _role((first,)) is Role.AVERAGE}
    if len(named) < 2 and not (sure and len(roles) > 1):
        yield _Group(group.key, group.role, tensors, stripped)
        return
    for first in dict.fromkeys(name.partition(".")[0] for name in tensors):
        if first in named:
            inner, more = _unwrapped(_below(tensors, first))
            key = f"{group.key}.{first}" if group.key else first
            yield _Group(key, roles[first], inner, stripped + more)
    rest = {name: value for name, value in tensors.items() if name.partition(".")[0] not in named}
    if rest:
        yield _Group(group.key, group.role, rest, stripped)


def _unwrapped(tensors: dict[str, Tensor]) -> tuple[dict[str, Tensor], str]:
    """`tensors` without the prefixes that wrappers put before or into names, and the prefixes in words."""
    inner = {part for name in tensors for part in name.split(".") if part in INNER}
    names = {name: ".".join(part for part in name.split(".") if part not in INNER) for name in tensors}
    stripped = "".join(f"{part}." for part in INNER if part in inner)
    while True:
        firsts = {
            name.partition(".")[0]
            for name, value in zip(names.values(), tensors.values(), strict=True)
            if value.ndim
        }
        first = firsts.pop() if len(firsts) == 1 else ""
        words = {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z][a-z0-9]*", first)}
        if not words or not words <= WRAPPERS | GENERATOR | AVERAGE:
            break
        if not all(
            "." in name for name, value in zip(names.values(), tensors.values(), strict=True) if value.ndim
        ):
            break
        names = {name: short.removeprefix(f"{first}.") for name, short in names.items()}
        stripped += f"{first}."
    if len(set(names.values())) != len(names):
        raise ArtifactError("Two tensors have the same name but for the prefixes of wrappers.")
    return {names[name]: value for name, value in tensors.items()}, stripped


def _below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin with `prefix` and a dot, by the rest of their names."""
    start = f"{prefix}."
    return {name.removeprefix(start): value for name, value in tensors.items() if name.startswith(start)}


def _has_weights(group: _Group) -> bool:
    return any(value.ndim >= 2 and value.is_floating_point() for value in group.tensors.values())


def _at(networks: list[_Group], key: str, name: str) -> _Group:
    """The network at `key`; a key that goes further than a dictionary is the beginning of names in it."""
    for group in networks:
        if group.key == key:
            return group
    for group in networks:
        inner = key.removeprefix(f"{group.key}.") if group.key else key
        if group.key and inner == key:
            continue
        if group.stripped.startswith(f"{inner}."):
            return group
        mine = _below(group.tensors, inner)
        if mine:
            tensors, stripped = _unwrapped(mine)
            return _Group(key, _role((key,)), tensors, group.stripped + stripped)
    listed = ", ".join(shown(group.key) or "'' (the top level)" for group in networks[:8])
    raise UsageError(f"{name} holds no weights at {shown(key)}. There are: {listed}.")


def _best(networks: list[_Group], name: str) -> _Group:
    """The one network that is the generator, or an average of it."""
    rank = min(group.role for group in networks)
    best = [group for group in networks if group.role is rank]
    if rank >= Role.DISCRIMINATOR:
        raise ArtifactError(f"{name} holds no generator. What there is: {'; '.join(map(str, networks[:8]))}.")
    if len(best) > 1:
        listed = ", ".join(shown(group.key) or "''" for group in best[:8])
        raise UsageError(
            f"{name} holds {len(best)} networks that could be the generator: {listed}. Choose one: --key "
            f"{shown(best[0].key)}"
        )
    return best[0]


def _notes(chosen: _Group, networks: list[_Group]) -> Iterator[str]:
    if chosen.key:
        yield f"Taken from {shown(chosen.key)}, {WORDS[chosen.role]}."
    raw = [
        shown(group.key) or "the top level"
        for group in networks
        if group.role in (Role.GENERATOR, Role.PLAIN)
    ]
    if chosen.role in (Role.AVERAGED_GENERATOR, Role.AVERAGE) and raw:
        yield f"Averaged weights are what samples are drawn from, so they come before {', '.join(raw[:3])}."
    if chosen.stripped:
        yield f"Stripped from the names: {shown(chosen.stripped)}"


def _inside(chosen: _Group, group: _Group) -> bool:
    return bool(chosen.key) and group.key.startswith(f"{chosen.key}.")
