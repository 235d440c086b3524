"""Classes by name and by number: what `--class` says, and what the classes of a data set are called."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from dcgan_edge.architecture import Architecture
from dcgan_edge.errors import UsageError
from dcgan_edge.latents import FloatArray
from dcgan_edge.seeds import MAX_SEEDS

Pair = tuple[int, int]  # a seed and the number of a class, 0 where there are none
EVERY = "all"
UNCONDITIONAL = "This generator knows no classes: a seed alone says what it makes. Leave --class out."
SHOWN = 20  # names that a message lists
DIGIT_NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def parse_classes(text: str, names: Sequence[str]) -> list[int]:
    """Read `3`, `seven,cat`, `0-4` or `all` into numbers of `names`, in the order written.

    A part is a name, in any case, before it is a number; numbers count from 0. Raises UsageError listing the
    classes for anything else, and when there are none, as a generator that is not conditional has it.
    """
    if not names:
        raise UsageError(UNCONDITIONAL)
    by_name = {name.casefold(): number for number, name in enumerate(names)}
    by_name |= {name: number for number, name in enumerate(names)}  # exact names first
    if text.strip().casefold() == EVERY and EVERY not in by_name:
        return list(range(len(names)))
    whole = _number(text, by_name, len(names))
    if whole is not None:  # before commas are taken for what divides
        return [whole]
    chosen: list[int] = []
    for part in text.split(","):
        number = _number(part, by_name, len(names))
        span = re.fullmatch(r"\s*([0-9]{1,6})-([0-9]{1,6})\s*", part)
        if number is not None:
            chosen.append(number)
        elif span and int(span[1]) <= int(span[2]) < len(names):
            chosen.extend(range(int(span[1]), int(span[2]) + 1))
        else:
            raise UsageError(f"There is no class {part.strip()!r}; there are {listed(names)}.")
    return chosen


def listed(names: Sequence[str]) -> str:
    """Return the names with their numbers for a message: "0 zero, 1 one, ... and 5 more"."""
    shown = ", ".join(
        name if name == str(number) else f"{number} {name}" for number, name in enumerate(names[:SHOWN])
    )
    return f"{shown} and {len(names) - SHOWN} more" if len(names) > SHOWN else shown


def digits_of(names: Sequence[str]) -> list[int] | None:
    """Return which digit each of `names` is, written as a word or a numeral; None if one of them is none."""
    known = {name: number for number, name in enumerate(DIGIT_NAMES)} | {str(n): n for n in range(10)}
    digits = [known[name.casefold()] for name in names if name.casefold() in known]
    return digits if names and len(digits) == len(names) else None


def every_pair(architecture: Architecture, seeds: Sequence[int], classes: Sequence[int] | None) -> list[Pair]:
    """Return each of `seeds` in each of `classes`, seed by seed; None is the class s modulo their number.

    Raises UsageError for classes where there are none, and more pairs than anybody means.
    """
    if classes is None:
        return [(seed, seed % max(1, len(architecture.classes))) for seed in seeds]
    check_conditional(architecture)
    if len(seeds) * len(classes) > MAX_SEEDS:
        raise UsageError(f"{len(seeds):,} seeds in {len(classes):,} classes are too many images at a time.")
    return [(seed, number) for seed in seeds for number in classes]


def pair_for_each(
    architecture: Architecture, seeds: Sequence[int], classes: str | Sequence[int] | None
) -> list[Pair]:
    """Return one pair for each of `seeds`: all of one class, each of its own, or as `every_pair` for None.

    `classes` may be text, see `parse_classes`. Raises UsageError for another number of classes.
    """
    if isinstance(classes, str):
        classes = parse_classes(classes, architecture.classes)
        classes = classes * len(seeds) if len(classes) == 1 else classes
    if classes is None:
        return every_pair(architecture, seeds, None)
    check_conditional(architecture)
    if len(classes) != len(seeds):
        raise UsageError(
            f"Give one class for all, or one for each of {len(seeds)} seeds: not {len(classes)}."
        )
    return list(zip(seeds, classes, strict=True))


def one_class(architecture: Architecture, text: str | None) -> int | None:
    """Return the number of the one class that `text` names, None for a generator without classes.

    Raises UsageError for no class or several, and as `parse_classes` does.
    """
    if text is None and not architecture.classes:
        return None
    named = [] if text is None else parse_classes(text, architecture.classes)
    if len(named) != 1:
        raise UsageError(f"Name one class for all pictures with --class: {listed(architecture.classes)}.")
    return named[0]


def in_class(architecture: Architecture, drawn: FloatArray, number: int | None) -> FloatArray:
    """Return the inputs (n, input_dim, 1, 1) of latents (n, latent_dim, 1, 1), all of class `number`."""
    weights = np.zeros((len(drawn), len(architecture.classes), 1, 1), np.float32)
    if number is not None:
        weights[:, number] = 1.0
    return np.concatenate([drawn, weights], axis=1)


def seeds_over(architecture: Architecture, least: int, *, most: int = 1024) -> range:
    """Return the seeds 0 to `least` - 1, or up to `most` where there are more classes: each is drawn."""
    return range(max(least, min(len(architecture.classes), most)))


def file_stem(architecture: Architecture, pair: Pair) -> str:
    """Return the name of a picture: seed0007, or class3-seed0007 of a generator that has classes."""
    (seed, number), count = pair, len(architecture.classes)
    return f"class{number:0{len(str(count - 1))}d}-seed{seed:04d}" if count else f"seed{seed:04d}"


def check_conditional(architecture: Architecture) -> None:
    """Raise UsageError unless the generator has classes."""
    if not architecture.classes:
        raise UsageError(UNCONDITIONAL)


def _number(part: str, by_name: dict[str, int], count: int) -> int | None:
    part = part.strip()
    found = by_name.get(part, by_name.get(part.casefold()))
    if found is None and re.fullmatch(r"[0-9]{1,6}", part) and int(part) < count:
        return int(part)
    return found
