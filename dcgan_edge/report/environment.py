"""Where and how the runs were made, side by side, with what differs between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dcgan_edge.report.bench import conditions, fact
from dcgan_edge.report.readings import recorded
from dcgan_edge.report.rows import Row
from dcgan_edge.runtime.bench.record import BenchReport

OTHER_PROGRAMS = "other programs:"
MISSING = "\N{EN DASH}"


@dataclass(frozen=True)
class Fact:
    """One fact in every run; `same` says whether all agree."""

    name: str
    values: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Whether the fact is the same in all runs."""
        return len(set(self.values)) == 1


def environment(runs: Mapping[str, BenchReport], rows: Sequence[Row]) -> list[tuple[str, list[Fact]]]:
    """(heading, facts) of machine, readings, versions and settings, and for several runs of their sessions;
    facts of one value per run.

    Raises ArtifactError when the telemetry of a record is damaged.
    """
    reports = list(runs.values())
    ran: list[dict[str, Any]] = [
        {row.label: conditions(row.measurement) for row in rows if row.run == run} for run in runs
    ]
    parts: dict[str, Sequence[Mapping[str, Any]]] = {
        "Machine": [report.machine for report in reports],
        "Found on it": [recorded(report.telemetry).facts for report in reports],
        "Versions": [report.versions for report in reports],
        "Settings": [report.plan for report in reports],
        "Sessions": ran,
    }
    if len(runs) == 1:
        del parts["Sessions"]  # stand beside the figures
    return [(heading, _facts(each)) for heading, each in parts.items() if any(each)]


def differing(tables: Sequence[tuple[str, list[Fact]]]) -> list[tuple[str, Fact]]:
    """(heading, fact) of every fact on which the runs do not agree, but for what other programs did."""
    return [
        (heading, fact)
        for heading, facts in tables
        for fact in facts
        if not fact.same and not fact.name.startswith(OTHER_PROGRAMS)
    ]


def _facts(each: Sequence[Mapping[str, Any]]) -> list[Fact]:
    names = dict.fromkeys(name for facts in each for name in facts)
    return [
        Fact(str(name), tuple(fact(facts[name]) if name in facts else MISSING for facts in each))
        for name in names
    ]
