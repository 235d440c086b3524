"""The roofline bound: the least time that a batch can take on a device, and how far a measurement is from it.

Arithmetic and traffic stand in an artifact's manifest. Peaks are measured on a CPU, and looked up and scaled
by the clock on a Jetson. Roofline model: the larger of arithmetic / peak and traffic / bandwidth. Source:
Williams, Waterman and Patterson, "Roofline: an insightful visual performance model", CACM 52(4), 2009.
"""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from dcgan_edge.artifact import Cost, read_artifact
from dcgan_edge.errors import EdgeError
from dcgan_edge.machine import cpu_count

from ...telemetry.reader import Unreadable
from ..record import BenchReport, Measurement
from .cpu import measure_cpu_peaks
from .peaks import Peaks, jetson_peaks, load_peaks

NO_COST = "it was exported before costs were recorded; export it again: dcgan-edge export"
BELOW_BOUND = (
    "the measurement is below the roofline bound, so the peaks are too low here: a higher clock than "
    "assumed, a cache that holds what is counted as traffic, or an algorithm with fewer multiplications"
)


@dataclass(frozen=True)
class Roofline:
    """`bound_ms` for one call with `batch` images, and which side binds. `unfused_ms` is the roofline bound
    of a runtime that writes every intermediate to memory. `ratio` is measured / roofline bound, None without
    measurement.
    """

    batch: int
    precision: str
    flops: float
    minimum_bytes: float
    unfused_bytes: float
    compute_ms: float
    memory_ms: float
    unfused_ms: float
    peaks: Peaks
    measured_ms: float | None
    notes: tuple[str, ...]

    @property
    def bound_ms(self) -> float:
        """Return the roofline bound of one call in milliseconds: the slower of computing and memory."""
        return max(self.compute_ms, self.memory_ms)

    @property
    def bound(self) -> Literal["compute", "memory"]:
        """Return which of the two the bound is made by."""
        return "compute" if self.compute_ms > self.memory_ms else "memory"

    @property
    def ratio(self) -> float | None:
        """Return measured time / roofline bound, None without a measurement."""
        return None if self.measured_ms is None else self.measured_ms / self.bound_ms

    def to_dict(self) -> dict[str, Any]:
        """Return all figures, the derived ones too, as JSON values."""
        return {
            **dataclasses.asdict(self),
            "bound_ms": self.bound_ms,
            "bound": self.bound,
            "ratio": self.ratio,
        }


def roofline(
    cost: Cost, peaks: Peaks, *, batch: int, precision: str, measured_ms: float | None = None
) -> Roofline | Unreadable:
    """Return the roofline bound for `batch` images a call.

    `precision` is that of the arithmetic (fp32, fp16, int8; mixed counts as fp16, its faster part); the
    answer is Unreadable when `peaks` has no figure for it.
    """
    arithmetic = "fp16" if precision == "mixed" else precision
    if arithmetic not in peaks.flops:
        return Unreadable("roofline", f"there is no {arithmetic} peak of {peaks.name}")
    flops = batch * cost.flops
    minimum, unfused = cost.minimum_bytes(batch), cost.unfused_bytes(batch)
    compute = flops / peaks.flops[arithmetic] * 1e3
    memory = minimum / peaks.bandwidth * 1e3
    notes = [*peaks.notes]
    if cost.uncounted:
        notes.append(f"no rule counts {', '.join(cost.uncounted)}; the roofline bound is too low")
    if measured_ms is not None and measured_ms < max(compute, memory):
        notes.append(BELOW_BOUND)
    return Roofline(
        batch,
        precision,
        flops,
        minimum,
        unfused,
        compute,
        memory,
        max(compute, unfused / peaks.bandwidth * 1e3),
        peaks,
        measured_ms,
        tuple(notes),
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
    measurement: Measurement, path: Path | None, given: Peaks | None, device: _Device
) -> dict[str, Any]:
    try:
        cost = _cost_of(path)
        if isinstance(cost, Unreadable):
            return {"not_readable": cost.reason}
        peaks = given or device.peaks(measurement, cost)
    except EdgeError as error:
        return {"not_readable": str(error)}
    if isinstance(peaks, Unreadable):
        return {"not_readable": str(peaks)}
    median = measurement.statistics.median
    bound = roofline(
        cost, peaks, batch=measurement.batch, precision=measurement.precision, measured_ms=median
    )
    return {"not_readable": str(bound)} if isinstance(bound, Unreadable) else bound.to_dict()


def _cost_of(path: Path | None) -> Cost | Unreadable:
    """The cost in the manifest of the artifact at `path`."""
    if path is None or path.suffix.lower() == ".safetensors":
        return Unreadable("roofline", "a checkpoint's work is counted when it is exported")
    return read_artifact(path)[0].cost or Unreadable("roofline", NO_COST)


class _Device:
    """The device that ran the measurements; its CPU is measured once for each working set."""

    def __init__(self, root: Path, gpu_mhz: float | None, memory_mhz: float | None) -> None:
        self._root, self._gpu_mhz, self._memory_mhz = root, gpu_mhz, memory_mhz
        self._measured: dict[tuple[int, int], Peaks] = {}

    def peaks(self, measurement: Measurement, cost: Cost) -> Peaks | Unreadable:
        """Return how fast the device of `measurement` is at best with the memory that `cost` needs."""
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
