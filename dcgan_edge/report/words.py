"""How the report says numbers and names: the same way in the page and in Markdown."""

from __future__ import annotations

import re

from dcgan_edge.artifact import Manifest
from dcgan_edge.report.fleet import Outlier
from dcgan_edge.runtime.bench.statistics import Percentile


def size(count: int) -> str:
    """Bytes as people read them, in units of 1024."""
    if count < 1024:
        return f"{count} B"
    power = min((count.bit_length() - 1) // 10, 3)
    return f"{count / 1024**power:.1f} {('KiB', 'MiB', 'GiB')[power - 1]}"


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


def outlier_words(outlier: Outlier) -> str:
    """The figure by which a board differs, and how many times the median of its model that is."""
    joules = outlier.metric.startswith("joules")
    value = f"{significant(1e3 * outlier.value)} mJ" if joules else f"{milliseconds(outlier.value)} ms"
    name = "energy per image" if joules else outlier.metric
    return f"{name} {value} ({outlier.ratio:.2f}\N{MULTIPLICATION SIGN})"


def parity_words(manifest: Manifest) -> str:
    """What a manifest says about parity, in a few words."""
    facts = manifest.parity
    verdict = str(facts.get("verdict", "reference" if manifest.kind == "checkpoint" else "not measured"))
    verdict = verdict.replace("_", " ")
    if "reason" in facts:
        return f"{verdict}: {facts['reason']}"
    measured_on = facts.get("measured_on", {})
    backend = " ".join(str(measured_on[key]) for key in ("backend", "version") if key in measured_on)
    return f"{verdict} on {backend}" if backend else verdict


def pieces(name: str) -> list[str]:
    """`name` cut where a narrow column may break it: after dots, dashes, underscores and slashes."""
    return re.findall(r"[^._/\-]*[._/\-]|[^._/\-]+", name)


FILTERS = {
    "bounds": bounds, "ms": milliseconds, "outlier_words": outlier_words, "parity_words": parity_words,
    "pieces": pieces, "significant": significant, "size": size,
}  # fmt: skip
