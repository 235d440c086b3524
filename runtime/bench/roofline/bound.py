"""The least time that a batch can take on a device, and how far a measurement is from it.

Roofline model: the larger of arithmetic / peak and traffic / bandwidth. Source: Williams, Waterman and
Patterson, "Roofline: an insightful visual performance model", CACM 52(4), 2009.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

from ...telemetry.reader import Unreadable
from .cost import GraphCost
from .peaks import Peaks

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
        return max(self.compute_ms, self.memory_ms)

    @property
    def bound(self) -> Literal["compute", "memory"]:
        return "compute" if self.compute_ms > self.memory_ms else "memory"

    @property
    def ratio(self) -> float | None:
        return None if self.measured_ms is None else self.measured_ms / self.bound_ms

    def to_dict(self) -> dict[str, Any]:
        return {
            **dataclasses.asdict(self),
            "bound_ms": self.bound_ms,
            "bound": self.bound,
            "ratio": self.ratio,
        }


def roofline(
    cost: GraphCost, peaks: Peaks, *, batch: int, precision: str, measured_ms: float | None = None
) -> Roofline | Unreadable:
    """The roofline bound for `batch` images a call. `precision` is that of the arithmetic (fp32, fp16, int8;
    mixed counts as fp16, its faster part); Unreadable when `peaks` has no figure for it.
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
