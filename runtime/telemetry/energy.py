"""Joules for an image: which readings make up the whole, and their integral over the run, less idle.

Power is integrated by the trapezoid rule on the recorded times, with linear interpolation at both ends of a
window; energy counters are differenced the same way. An integral of a sum is the sum of integrals, so rails
need not be read at the same instant.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .reader import Unreadable
from .record import IDLE, Series, Telemetry, Window, inside

SHORT_S = 10.0  # INA monitors average, so the edges of a run are smeared; below this they weigh
FEWEST_SAMPLES = 3  # inside a window, or its energy is interpolation rather than measurement


@dataclass(frozen=True)
class TotalRule:
    """On `scope`, the readings `parts` make up the total, if all of `known_by` are there."""

    scope: str
    parts: tuple[str, ...]
    known_by: tuple[str, ...]
    reason: str


def _rails(*labels: str) -> tuple[str, ...]:
    return tuple(f"power/{label}" for label in labels)


THOR = _rails("VDD_GPU", "VDD_CPU_SOC_MSS", "VIN_SYS_5V0")
AGX_ORIN = _rails("VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0")
RULES = (
    TotalRule(
        "Jetson Orin Nano, Orin NX or Xavier NX module",
        _rails("VDD_IN"),
        _rails("VDD_IN"),
        "VDD_IN feeds the whole module; the other rails are behind it and are not added",
    ),
    TotalRule(
        "Jetson Thor board",
        _rails("VIN"),
        ("power/VIN", "power/VDD_CPU_SOC_MSS"),
        "VIN is the input of the board, so the carrier is in it and the other rails are behind it",
    ),
    TotalRule(
        "Jetson Thor module", THOR, THOR, "VIN is not measured here; these three rails feed the module"
    ),
    TotalRule(
        "Jetson AGX Orin module",
        AGX_ORIN,
        AGX_ORIN,
        "there is no VDD_IN; VDDQ_VDD2_1V8AO is fed by VIN_SYS_5V0 and is not added again",
    ),
)


def total_rule(names: Sequence[str]) -> TotalRule | Unreadable:
    """The rule for the readings in `names`. A set of rails that no rule knows has no total."""
    rule = next((rule for rule in RULES if set(rule.known_by) <= set(names)), None)
    if rule:
        return rule
    rails = sorted(name for name in names if name.startswith("power/") and name != "power/gpu_board")
    if rails:
        known = ", ".join(name.partition("/")[2] for name in rails)
        return Unreadable("total power", f"no rule says which of the rails {known} make up the whole")
    board = next((name for name in ("energy/gpu_board", "power/gpu_board") if name in names), None)
    packages = sorted(name for name in names if name.startswith("energy/package"))
    parts = ([board] if board else []) + packages
    if not parts:
        return Unreadable("total power", "nothing here measures power")
    scope = " and ".join(["GPU board"] * bool(board) + ["CPU packages"] * bool(packages))
    lacking = "memory, disks and power supply are" if packages else "everything beside the GPU board is"
    return TotalRule(scope, tuple(parts), tuple(parts), f"{lacking} not measured")


@dataclass(frozen=True)
class Energy:
    """Joules above idle over all windows of a run. `joules` may be 0 or less when the run took no more than
    rest did; then there are no images per joule. `notes` say why to doubt the figure.
    """

    scope: str
    parts: tuple[str, ...]
    rule: str
    sampling_hz: float
    joules: float
    seconds: float
    idle_watts: float
    idle_seconds: float
    images: int
    samples: int
    notes: tuple[str, ...]

    @property
    def joules_per_image(self) -> float:
        """Return the joules above idle for one image."""
        return self.joules / self.images

    @property
    def images_per_joule(self) -> float | None:
        """Return the images for one joule above idle, None where the run took no more than rest."""
        return self.images / self.joules if self.joules > 0 else None

    @property
    def watts(self) -> float:
        """Mean power while it ran, idle included."""
        return self.joules / self.seconds + self.idle_watts

    def to_dict(self) -> dict[str, Any]:
        """Return all figures, the derived ones too, as JSON values."""
        return {
            **dataclasses.asdict(self),
            "watts": self.watts,
            "joules_per_image": self.joules_per_image,
            "images_per_joule": self.images_per_joule,
        }


def energy(telemetry: Telemetry, label: str, images: int) -> Energy | Unreadable:
    """What `images` (1 or more), made in the windows of `label`, took above idle."""
    rule = total_rule([series.name for series in telemetry.series])
    if isinstance(rule, Unreadable):
        return rule
    windows, idle = telemetry.labelled(label), telemetry.labelled(IDLE)
    if not windows or not idle:
        return Unreadable("energy", f"{'the run' if not windows else 'idle power'} was not recorded")
    parts = [series for series in telemetry.series if series.name in rule.parts]
    for series in parts:
        outside = [window for window in (*windows, *idle) if not _covers(series, window)]
        if outside:
            return Unreadable("energy", f"{series.name} was not read all through {outside[0].label!r}")
    seconds, idle_seconds = (sum(window.seconds for window in some) for some in (windows, idle))
    idle_watts = _joules(parts, idle) / idle_seconds
    samples = min(len(inside(series, windows)) for series in parts)
    return Energy(
        rule.scope,
        rule.parts,
        rule.reason,
        telemetry.rate_hz,
        _joules(parts, windows) - idle_watts * seconds,
        seconds,
        idle_watts,
        idle_seconds,
        images,
        samples,
        tuple(_doubts(parts, windows, idle)),
    )


def _doubts(parts: Sequence[Series], windows: Sequence[Window], idle: Sequence[Window]) -> list[str]:
    shortest = min(window.seconds for window in windows)
    doubts = []
    if shortest < SHORT_S:
        doubts.append(
            f"a stretch of {shortest:.1f} s is short: power monitors average, measure {SHORT_S:g} s at once"
        )
    for window in (*windows, *idle):
        fewest = min(len(inside(series, [window])) for series in parts)
        if fewest < FEWEST_SAMPLES:
            doubts.append(f"only {fewest} power samples fell into a stretch of {window.label!r}")
            break
    return doubts


def _covers(series: Series, window: Window) -> bool:
    return series.times_ns[0] <= window.start_ns and window.stop_ns <= series.times_ns[-1]


def _joules(parts: Sequence[Series], windows: Sequence[Window]) -> float:
    """Energy of all `parts` in all `windows`, joules."""
    return sum(series_joules(series, window) for series in parts for window in windows)


def series_joules(series: Series, window: Window) -> float:
    """Joules of one power series (W) or energy counter (J) in `window`, which the series must cover."""
    times = np.array(series.times_ns, np.int64) - window.start_ns  # exact; as floats they would lose digits
    stop = window.stop_ns - window.start_ns
    edges = np.interp([0, stop], times, series.values)
    if series.unit == "J":
        return float(edges[1] - edges[0])
    within = (times > 0) & (times < stop)
    moments = np.concatenate([[0], times[within], [stop]]) / 1e9
    watts = np.concatenate([edges[:1], np.array(series.values)[within], edges[1:]])
    return float(np.sum(np.diff(moments) * (watts[1:] + watts[:-1]) / 2))
