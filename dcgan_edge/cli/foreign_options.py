"""What the commands for other people's generators read alike: the range of images, and classes."""

from __future__ import annotations

import math
from collections.abc import Sequence

from dcgan_edge.cli.options import Parsed
from dcgan_edge.errors import UsageError


def parse_range(text: str) -> tuple[float, float]:
    """Read `0..1` or `-1..1`. Raises UsageError unless they are two finite numbers that rise."""
    low, dots, high = text.partition("..")
    try:
        ends = float(low), float(high)
    except ValueError:
        ends = math.nan, math.nan
    if not dots or not all(map(math.isfinite, ends)) or not ends[0] < ends[1]:
        raise UsageError(f"{text!r} is not a range of values; write -1..1, 0..1 or 0..255.")
    return ends


def parse_classes(text: str) -> int | Sequence[str]:
    """Read `8` or `cat,dog`: the number of the classes, or their names."""
    plain = text.strip()
    if plain.isascii() and plain.isdigit() and len(plain) < 6:
        return int(plain)
    return tuple(name.strip() for name in plain.split(","))


RANGE = Parsed("range", parse_range)
CLASSES = Parsed("classes", parse_classes)
