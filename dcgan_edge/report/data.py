"""The report for programs: summaries as JSON, and one line of CSV for each measurement."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from dcgan_edge.report.bench import percents
from dcgan_edge.report.comparison import compared
from dcgan_edge.report.content import FLEET, ReportContent
from dcgan_edge.report.cost import bound_of, energy_of
from dcgan_edge.report.environment import differing, environment
from dcgan_edge.report.fleet import RULE, fleet, model
from dcgan_edge.report.incidents import incidents
from dcgan_edge.report.rows import Row, rows
from dcgan_edge.runtime.bench.record import BenchReport

SCHEMA_VERSION = 1
RAW = ("rounds", "set_aside", "encoding")  # what a record has and a summary does not
FORMULAS = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would compute text that begins like this


def to_json(content: ReportContent) -> str:
    """One JSON document: every run without its raw samples, and the comparison or the fleet."""
    measured = rows(content.runs)
    document: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "kind": "dcgan-edge report",
        "title": content.title,
        "notes": list(content.notes),
        "parity": {name: parity.to_dict() for name, parity in content.parity.items()},
        "runs": [_run(name, report) for name, report in content.runs.items()],
    }
    if content.metrics:
        document["training"] = {
            "step": content.metrics[-1].get("step"),
            "events": [dataclasses.asdict(incident) for incident in incidents(content.metrics)],
        }
    if len(content.runs) > 1:
        document["differences"] = [
            {"what": f"{heading}: {fact.name}", "values": dict(zip(content.runs, fact.values, strict=True))}
            for heading, fact in differing(environment(content.runs, measured))
        ]
    if len(content.runs) == 2:
        found = compared(content.runs, measured)
        document["comparison"] = {
            "base": found.then,
            "new": found.now,
            "gate": found.gate,
            "differences": list(found.differences),
            "changes": [change.figures.to_dict() for change in found.changes],
        }
    if len(content.runs) >= FLEET:
        document["fleet"] = _fleet(content.runs, measured)
    return json.dumps(document, indent=2, allow_nan=False) + "\n"


def to_csv(content: ReportContent) -> str:
    """One line for each measurement, with a heading; RFC 4180 but for the ends of lines, which are \\n.

    Text that a spreadsheet would take for a formula is given an apostrophe in front.
    """
    measured = rows(content.runs)
    lines = [_line(row, content) for row in measured]
    columns = dict.fromkeys(column for line in lines for column in line)
    percentiles = [f"p{p:g}{side}_ms" for p in percents(measured) for side in ("", "_low", "_high")]
    ordered = [*(c for c in columns if c not in percentiles), *percentiles]
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, ordered, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({column: _cell(value) for column, value in line.items()} for line in lines)
    return buffer.getvalue()


def _run(name: str, report: BenchReport) -> dict[str, Any]:
    facts = report.to_dict()
    summaries = [{k: v for k, v in each.items() if k not in RAW} for each in facts["measurements"]]
    kept = {part: facts[part] for part in ("machine", "versions", "plan")}
    return {"name": name, **kept, "measurements": summaries, "ratios": facts["ratios"]}


def _fleet(runs: Mapping[str, BenchReport], measured: list[Row]) -> dict[str, Any]:
    found = fleet(runs, measured)
    return {
        "rule": RULE,
        "devices": [
            {"name": device.name, "model": device.model, "stands_out": bool(device.outliers)}
            for device in found.devices
        ],
        "outliers": [
            {
                "run": outlier.row.run,
                "name": outlier.row.label,
                "workload": outlier.row.workload,
                "metric": outlier.metric,
                "value": outlier.value,
                "median": outlier.median,
                "score": outlier.score if math.isfinite(outlier.score) else None,
            }
            for outlier in found.outliers
        ],
    }


def _line(row: Row, content: ReportContent) -> dict[str, Any]:
    taken, stats = row.measurement, row.statistics
    energy, bound = energy_of(row), bound_of(row)
    parity = content.parity.get(PurePath(taken.name).name)
    figures: dict[str, Any] = {
        "run": row.run,
        "device": model(content.runs[row.run]),
        "artifact": row.label,
        "sha256": taken.sha256,
        "precision": taken.precision,
        "scenario": taken.scenario,
        "loop": taken.loop,
        "batch": taken.batch,
        "streams": taken.streams,
        "backend": taken.session.get("backend", ""),
        "backend_version": taken.session.get("version", ""),
        "provider": taken.session.get("provider", ""),
        "verdict": "UNSTABLE" if row.unstable else "STABLE",
        "unstable_because": "; ".join(row.unstable),
        "parity": "" if parity is None else "passed" if parity.passed else "failed",
        "worst_psnr_db": parity.worst_psnr_db if parity else "",
        "queries": stats.count,
        "images_per_second": row.images_per_second,
        "speed": row.ratio.speed.value if row.ratio else "",
        "speed_low": row.ratio.speed.low if row.ratio and row.ratio.speed.bounded else "",
        "speed_high": row.ratio.speed.high if row.ratio and row.ratio.speed.bounded else "",
        "load_s": _known(taken.load_s),
        "first_call_ms": _known(taken.first_call_ms),
        "peak_memory_bytes": _known(taken.peak_memory_bytes),
        "joules_per_image": energy.joules_per_image if energy else "",
        "watts": energy.watts if energy else "",
        "bound_ms": bound.bound_ms if bound else "",
        "bound": bound.bound if bound else "",
        "min_ms": stats.min,
        "mean_ms": stats.mean,
        "max_ms": stats.max,
    }
    for p in stats.percentiles:
        sides = (("", p.value), ("_low", p.low), ("_high", p.high))
        figures |= {f"p{p.percent:g}{side}_ms": "" if value is None else value for side, value in sides}
    return figures


def _known(value: float | None) -> float | str:
    return "" if value is None else value


def _cell(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULAS) else value
