"""The measurements of all runs as rows, with what is derived from their samples computed once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath

import numpy as np
import numpy.typing as npt

from dcgan_edge.report.keys import key
from dcgan_edge.runtime.bench.record import INTERVALS, BenchReport, Measurement, Ratio
from dcgan_edge.runtime.bench.statistics import LatencyStatistics, Percentile

MLPERF_STYLE = "MLPerf-style, not an official result"


@dataclass(frozen=True)
class Row:
    """One measurement of one run. `label` is the artifact's name, `index` its colour, dash and marker, the
    same under every workload. `ratio` is how many times faster it is than the first of the same workload,
    None for the first itself.
    """

    run: str
    label: str
    index: int
    measurement: Measurement
    statistics: LatencyStatistics
    images_per_second: float
    unstable: tuple[str, ...]
    ratio: Ratio | None

    @property
    def workload(self) -> str:
        """Batch, streams and the other conditions of the measurement, in words."""
        return workload(self.measurement)

    @property
    def setup(self) -> str:
        """The workload without its batch."""
        return ", ".join(_setup(self.measurement))

    @property
    def key(self) -> str:
        """The sample of its line for a legend, as an `<svg>` element."""
        return key(self.index, marked=True)

    @property
    def latency_ms(self) -> npt.NDArray[np.float64]:
        """Milliseconds of every query of every round."""
        return np.concatenate([each.latency_ms for each in self.measurement.rounds])

    def percentile(self, percent: float) -> Percentile | None:
        """None where the record was made without this percentile."""
        return next((p for p in self.statistics.percentiles if p.percent == percent), None)


def rows(runs: Mapping[str, BenchReport]) -> list[Row]:
    """All measurements, run by run in the order measured."""
    made: list[Row] = []
    indices: dict[tuple[str, str], int] = {}
    for run, report in runs.items():
        names = labels(measurement.name for measurement in report.measurements)
        ratios = {(ratio.name, ratio.workload): ratio for ratio in report.ratios}
        for measurement in report.measurements:
            label = names[measurement.name]
            made.append(
                Row(
                    run,
                    label,
                    indices.setdefault((run, label), len(indices)),
                    measurement,
                    measurement.statistics,
                    measurement.images_per_second,
                    measurement.unstable_because,
                    ratios.get((measurement.name, measurement.workload)),
                )
            )
    return made


def grouped(all_rows: Sequence[Row], by: str) -> dict[str, list[Row]]:
    """Rows by their attribute `by` ("workload", "setup", "label"), in the order of first appearance."""
    groups: dict[str, list[Row]] = {}
    for row in all_rows:
        groups.setdefault(getattr(row, by), []).append(row)
    return groups


def workload(measurement: Measurement) -> str:
    """The workload in words, the same for measurements that may be compared."""
    return ", ".join([*_setup(measurement), f"batch {measurement.batch}"])


def _setup(measurement: Measurement) -> tuple[str, ...]:
    """The workload but for its batch, in words; nothing where one batch simply follows the other."""
    scenario = "" if measurement.scenario == "latency" else measurement.scenario
    streams = "" if measurement.streams == 1 else f"{measurement.streams} streams"
    return tuple(word for word in (scenario, measurement.setting, streams) if word)


def intervals(all_rows: Iterable[Row]) -> list[str]:
    """What is inside the interval, each of its kinds once."""
    return list(dict.fromkeys(INTERVALS[row.measurement.loop] for row in all_rows))


def is_mlperf_style(all_rows: Iterable[Row]) -> bool:
    """Whether one of MLPerf's scenarios is among them."""
    return any(row.measurement.scenario != "latency" for row in all_rows)


def labels(paths: Iterable[str]) -> dict[str, str]:
    """The file name of each path, with as many of its folders as it takes to tell it from the others."""
    parts = {path: PurePath(path).parts for path in paths}

    def label(path: str) -> str:
        others = [other for name, other in parts.items() if name != path]
        for count in range(1, len(parts[path])):
            ending = parts[path][-count:]
            if all(other[-count:] != ending for other in others):
                return "/".join(ending)
        return path

    return {path: label(path) for path in parts}
