"""The roofline roofline bound beside each measurement of a finished benchmark.

Arithmetic and traffic are counted from the ONNX file; an engine's are those of the ONNX file it was built
from, if that lies beside it. Peaks are measured on a CPU, and looked up and scaled by the clock on a Jetson.
"""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dcgan_edge.artifact import read_artifact, read_file, sha256
from dcgan_edge.errors import EdgeError

from ...device import cpu_count
from ...telemetry import Unreadable
from ..record import BenchReport, Measurement
from . import (
    GraphCost,
    Peaks,
    count,
    jetson_peaks,
    load_peaks,
    measure_cpu_peaks,
    roofline,
)


def add_bounds(
    report: BenchReport, files: Mapping[str, Path], *, peaks_file: Path | None = None, root: Path = Path("/")
) -> BenchReport:
    """Return `report` with the roofline of each measurement whose artifact is in `files` (name -> path), or
    the reason that there is none. `peaks_file` replaces what is known or measured of the device.

    Call it when nothing else runs: it measures the CPU. Raises UsageError and ArtifactError for `peaks_file`.
    """
    given = load_peaks(peaks_file) if peaks_file else None
    device = _Device(root, _clock(report, "clock/gpu"), _clock(report, "clock/memory"))
    return dataclasses.replace(
        report,
        measurements=tuple(
            dataclasses.replace(each, roofline=_bound(each, files.get(each.name), given, device))
            for each in report.measurements
        ),
    )


def _bound(
    measurement: Measurement,
    path: Path | None,
    given: Peaks | None,
    device: _Device,
) -> dict[str, Any]:
    try:
        onnx = _onnx_of(path) if path else None
        if onnx is None:
            return {"not_readable": "there is no ONNX file to count"}
        cost = count(onnx, measurement.name)
        peaks = given or device.peaks(measurement, cost)
    except EdgeError as error:
        return {"not_readable": str(error)}
    found = peaks
    if not isinstance(peaks, Unreadable):
        median = measurement.statistics.median
        bound = roofline(
            cost, peaks, batch=measurement.batch, precision=measurement.precision, measured_ms=median
        )
        if not isinstance(bound, Unreadable):
            return bound.to_dict()
        found = bound
    return {"not_readable": str(found)}


def _onnx_of(path: Path) -> bytes | None:
    """The ONNX file at `path`, or the one beside the engine at `path` that it was built from."""
    manifest, data = read_artifact(path)
    if manifest.kind == "onnx":
        return data
    for candidate in sorted(path.parent.glob("*.onnx")):
        content = read_file(candidate)
        if sha256(content) == manifest.parent_sha256:
            return content
    return None


class _Device:
    """The device that ran the measurements; its CPU is measured once for each working set."""

    def __init__(self, root: Path, gpu_mhz: float | None, memory_mhz: float | None) -> None:
        self._root, self._gpu_mhz, self._memory_mhz = root, gpu_mhz, memory_mhz
        self._measured: dict[tuple[int, int], Peaks] = {}

    def peaks(self, measurement: Measurement, cost: GraphCost) -> Peaks | Unreadable:
        if measurement.session.get("device", "cpu") != "cpu":
            return jetson_peaks(self._root, gpu_mhz=self._gpu_mhz, memory_mhz=self._memory_mhz)
        threads = measurement.session.get("threads")
        key = (
            threads if isinstance(threads, int) else cpu_count(),
            int(cost.minimum_bytes(measurement.batch)),
        )
        if key not in self._measured:
            self._measured[key] = measure_cpu_peaks(*key)
        return self._measured[key]


def _clock(report: BenchReport, name: str) -> float | None:
    """Median of a clock over the whole run, in MHz."""
    for series in report.telemetry.get("series", ()):
        if series["name"] == name and series["values"]:
            return float(statistics.median(series["values"]))
    return None
