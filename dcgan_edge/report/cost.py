"""What an image costs: its energy where that was measured, and the roofline bound beside its time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dcgan_edge.errors import ArtifactError
from dcgan_edge.report import charts_roofline
from dcgan_edge.report.bench import legend
from dcgan_edge.report.charts import Chart
from dcgan_edge.report.charts_roofline import Attained, Roof
from dcgan_edge.report.keys import roof_key
from dcgan_edge.report.rows import Row

UNKNOWN = "the record says nothing of it"


@dataclass(frozen=True)
class EnergyRow:
    """Joules above idle for an image, mean watts with idle in them. `doubts` say how far to trust it."""

    row: Row
    joules_per_image: float
    images_per_joule: float | None
    watts: float
    idle_watts: float
    scope: str
    doubts: tuple[str, ...]


@dataclass(frozen=True)
class BoundRow:
    """The least time of a call on this device, which side binds ("compute", "memory"), and the median that
    was measured. `flops` are attained, per second; `intensity` is FLOP per byte."""

    row: Row
    bound_ms: float
    compute_ms: float
    memory_ms: float
    bound: str
    measured_ms: float
    ratio: float
    flops: float
    intensity: float
    roof: Roof
    source: str
    notes: tuple[str, ...]


def energy_rows(rows: Sequence[Row]) -> list[EnergyRow]:
    """The measurements whose energy was measured. Raises ArtifactError when a record is damaged."""
    return [measured for row in rows if (measured := energy_of(row))]


def bound_rows(rows: Sequence[Row]) -> list[BoundRow]:
    """The measurements that have a roofline bound. Raises ArtifactError when a record is damaged."""
    return [bound for row in rows if (bound := bound_of(row))]


def not_measured(rows: Sequence[Row], what: str) -> list[tuple[str, tuple[str, ...]]]:
    """Why the fact `what` ("energy", "roofline") is missing, and the runs of which that holds."""
    reasons: dict[str, dict[str, None]] = {}
    for row in rows:
        facts = getattr(row.measurement, what)
        if "not_readable" in facts or (not facts and what == "energy"):
            reasons.setdefault(str(facts.get("not_readable", UNKNOWN)), {})[row.run] = None
    return [(reason, tuple(runs)) for reason, runs in reasons.items()]


def roofline_chart(bounds: Sequence[BoundRow]) -> Chart:
    """All measurements under the roofs of their devices."""
    roofs = list(dict.fromkeys(bound.roof for bound in bounds))
    points = [
        Attained(f.row.index, f"{f.row.label}, {f.row.workload}", f.intensity, f.flops, bool(f.row.unstable))
        for f in bounds
    ]
    keys = tuple((roof_key(number), roof.label) for number, roof in enumerate(roofs))
    svg = charts_roofline.roofline(roofs, points)
    return Chart(
        "Arithmetic attained, under the roofs", svg, (*keys, *legend([bound.row for bound in bounds]))
    )


def energy_of(row: Row) -> EnergyRow | None:
    """None where it was not measured. Raises ArtifactError when the record is damaged."""
    facts = row.measurement.energy
    if "joules_per_image" not in facts:
        return None
    try:
        per_joule = facts["images_per_joule"]
        return EnergyRow(
            row,
            float(facts["joules_per_image"]),
            None if per_joule is None else float(per_joule),
            float(facts["watts"]),
            float(facts["idle_watts"]),
            str(facts["scope"]),
            tuple(map(str, facts["notes"])),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ArtifactError(f"The energy of {row.label} in a record is damaged ({error!r}).") from error


def bound_of(row: Row) -> BoundRow | None:
    """None where there is no roofline bound. Raises ArtifactError when the record is damaged."""
    facts = row.measurement.roofline
    if "peaks" not in facts:
        return None
    try:
        peaks, precision = facts["peaks"], str(facts["precision"])
        arithmetic = "fp16" if precision == "mixed" else precision
        roof = Roof(
            f"{peaks['name']}, {arithmetic}", float(peaks["flops"][arithmetic]), float(peaks["bandwidth"])
        )
        bound, measured = float(facts["bound_ms"]), row.statistics.median
        flops, traffic = float(facts["flops"]), float(facts["minimum_bytes"])
        return BoundRow(
            row,
            bound,
            float(facts["compute_ms"]),
            float(facts["memory_ms"]),
            str(facts["bound"]),
            measured,
            measured / bound,
            flops / (measured / 1e3),
            flops / traffic,
            roof,
            str(peaks["source"]),
            tuple(map(str, facts["notes"])),
        )
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise ArtifactError(f"The roofline of {row.label} in a record is damaged ({error!r}).") from error
