"""How the report says numbers and names: the same way in the page and in Markdown."""

from __future__ import annotations

import re

from dcgan_edge.report.fleet import Outlier
from dcgan_edge.runtime.bench.record import Ratio
from dcgan_edge.runtime.bench.statistics import Percentile
from dcgan_edge.words import parity_words, size_words


def milliseconds(value: float) -> str:
    """Three decimals below 10 ms, fewer above."""
    return f"{value:.3f}" if value < 10 else f"{value:.2f}" if value < 100 else f"{value:.1f}"


def significant(value: float) -> str:
    """Three significant digits: 9.20, 145, 0.0298."""
    return f"{value:#.3g}".removesuffix(".")


def bounds(percentile: Percentile) -> str:
    """The interval of a percentile in milliseconds: "1.200\N{EN DASH}1.300", "from 1.200" where no sample
    bounds it above."""
    low, high = percentile.low, percentile.high
    if low is not None and high is not None:
        return f"{milliseconds(low)}\N{EN DASH}{milliseconds(high)}"
    if low is not None:
        return f"from {milliseconds(low)}"
    return "too few calls" if high is None else f"up to {milliseconds(high)}"


def speed(ratio: Ratio) -> str:
    """How many times faster than the first, with its interval: "3.10 times [2.90, 3.30] faster"."""
    return str(ratio).replace("x ", "\N{MULTIPLICATION SIGN} ", 1)


def outlier_words(outlier: Outlier) -> str:
    """The figure by which a board differs, and how many times the median of its model that is."""
    joules = outlier.metric.startswith("joules")
    value = f"{significant(1e3 * outlier.value)} mJ" if joules else f"{milliseconds(outlier.value)} ms"
    name = "energy per image" if joules else outlier.metric
    return f"{name} {value} ({outlier.ratio:.2f}\N{MULTIPLICATION SIGN})"


def pieces(name: str) -> list[str]:
    """`name` cut where a narrow column may break it: after dots, dashes, underscores and slashes."""
    return re.findall(r"[^._/\-]*[._/\-]|[^._/\-]+", name)


FILTERS = {
    "bounds": bounds, "ms": milliseconds, "outlier_words": outlier_words, "parity_words": parity_words,
    "pieces": pieces, "significant": significant, "size": size_words, "speed": speed,
}  # fmt: skip
