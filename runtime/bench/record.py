"""What a benchmark keeps: every raw sample with everything that is needed to read it, as JSON and back."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dcgan_edge.artifact import read_file
from dcgan_edge.errors import ArtifactError, BenchmarkError
from dcgan_edge.files import StrPath
from dcgan_edge.schema import checked, read_json

from .measurement import INTERVALS, Course, Measurement, WarmUp, matching
from .outcome import Comparison, Outcome
from .ratios import Ratio, ratios

__all__ = [
    "INTERVALS", "SCHEMA_VERSION", "BenchReport", "Comparison", "Course", "Measurement", "Outcome", "Ratio",
    "WarmUp", "matching", "read_report",
]  # fmt: skip
SCHEMA_VERSION = 3
READABLE = (2, 3)
KIND = "dcgan-edge bench"


@dataclass(frozen=True)
class BenchReport:
    """All measurements of one run, where and how they were made, and what was asked of them.

    `comparisons` are with a baseline that was measured in the same run, or with an earlier run; `failures`
    are the gates that were missed, a sentence each.
    """

    plan: dict[str, Any]
    measurements: tuple[Measurement, ...]
    machine: dict[str, str]
    versions: dict[str, str]
    telemetry: dict[str, Any] = field(default_factory=dict)
    comparisons: tuple[Comparison, ...] = ()
    failures: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the record for JSON."""
        return {
            "schema_version": SCHEMA_VERSION,
            "kind": KIND,
            "plan": self.plan,
            "machine": self.machine,
            "versions": self.versions,
            "telemetry": self.telemetry,
            "measurements": [measurement.to_dict() for measurement in self.measurements],
            "ratios": [ratio.to_dict() for ratio in self.ratios],
            "comparisons": [comparison.to_dict() for comparison in self.comparisons],
            "failures": list(self.failures),
        }

    @property
    def ratios(self) -> tuple[Ratio, ...]:
        """How many times faster than the first each measurement of the same workload is."""
        return ratios(self.measurements)

    def to_json(self) -> str:
        """Return the record as one line of JSON; `read_report` reads it back."""
        return json.dumps(self.to_dict(), allow_nan=False)

    def to_html(self, *, title: str | None = None) -> str:
        """Return the report as one HTML page without scripts; it needs the extra `report`."""
        from dcgan_edge.report import ReportContent, render

        return render(ReportContent(title or "Benchmark", runs={"benchmark": self}))

    def raise_if_failed(self) -> None:
        """Raise BenchmarkError with every gate that was missed."""
        if self.failures:
            raise BenchmarkError(" ".join(self.failures))

    @property
    def unstable(self) -> tuple[str, ...]:
        """The names of what should not be quoted."""
        return tuple(m.name for m in self.measurements if m.unstable_because)


def read_report(path: StrPath) -> BenchReport:
    """Read a benchmark record. Raises UsageError when there is none, ArtifactError when it is not one."""
    path = Path(path)
    try:
        facts = read_json(read_file(path), path.name)
        kind, version = facts["kind"], facts["schema_version"]
        if kind == KIND and version not in READABLE:
            raise ArtifactError(
                f"{path.name} is a benchmark record of schema {version!r}, and this program reads schemas "
                f"{' and '.join(map(str, READABLE))}. Measure again: "
                f"dcgan-edge bench ARTIFACT --output {path.name}"
            )
        if kind != KIND:
            raise ValueError(f"kind {kind!r}")
        return BenchReport(
            checked(dict[str, Any], facts["plan"], "plan"),
            tuple(Measurement.from_dict(each) for each in facts["measurements"]),
            checked(dict[str, str], facts["machine"], "machine"),
            checked(dict[str, str], facts["versions"], "versions"),
            checked(dict[str, Any], facts["telemetry"], "telemetry"),
            tuple(Comparison.from_dict(each) for each in facts["comparisons"]),
            tuple(map(str, facts["failures"])),
        )
    except (
        AttributeError,
        KeyError,
        OverflowError,
        TypeError,
        ValueError,
        zlib.error,
    ) as error:
        raise ArtifactError(f"{path.name} is not a benchmark record of this program ({error}).") from error
