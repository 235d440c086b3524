"""What is best: how trials are ranked, which nothing beats in every respect, and when one is chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from dcgan_edge.errors import UnavailableError, UsageError
from dcgan_edge.machine import cpu_count
from dcgan_edge.profile import Objective
from dcgan_edge.runtime.device import Backend
from dcgan_edge.runtime.telemetry import Unreadable, sample_telemetry
from dcgan_edge.runtime.telemetry.energy import total_rule

from .candidates import Subject
from .trials import Trial, Workload

BATCHES = (1, 8, 64)  # that throughput and energy are looked for at
SEEN_DB = 60.0  # above it two images are the same in 8 bits but for a level here and there
WORTH = 0.97  # of the base's joules: less is no saving, for joules have no interval
PROBE_S = 0.5


@dataclass(frozen=True)
class Wishes:
    """What is asked of a search. Empty lists leave the choice to it.

    `batches` and `streams` are the queries; latency and size are of one kind of query, throughput and energy
    look for the best. `threads` are of the CPU. `duration_s` is the length of a trial, `max_time_s` the most
    that the search may measure.
    """

    objective: Objective = "latency"
    batches: tuple[int, ...] = ()
    streams: tuple[int, ...] = ()
    threads: tuple[int, ...] = ()
    backends: tuple[Backend, ...] = ()
    device: str = "auto"
    duration_s: float = 1.0
    max_time_s: float | None = None

    def __post_init__(self) -> None:
        if self.one_workload and (len(self.batches) > 1 or len(self.streams) > 1):
            raise UsageError(
                f"The best {self.objective} is that of one kind of query: name one --batch and one "
                "--streams. --objective throughput looks for the best of several."
            )

    @property
    def one_workload(self) -> bool:
        """Whether all is measured under one workload."""
        return self.objective in ("latency", "size")

    def workloads(self, subjects: Sequence[Subject]) -> list[Workload]:
        """Return the workloads to try, the one that everything is measured under first.

        Raises UsageError for a batch that none of `subjects` takes at once.
        """
        most = min(each.manifest.batch.max for each in subjects)
        least = max(each.manifest.batch.min for each in subjects)
        usual = (least,) if self.one_workload else tuple(b for b in BATCHES if least <= b <= most) or (most,)
        batches = self.batches or usual
        if off := [batch for batch in batches if not least <= batch <= most]:
            raise UsageError(f"These artifacts take {least} to {most} images per call, not {off[0]}.")
        several = (1,) if self.one_workload or cpu_count() < 2 else (1, 2)
        found = [Workload(batch, stream) for batch in batches for stream in self.streams or several]
        return sorted(found, key=lambda each: (-each.batch, each.streams))


def require_energy() -> None:
    """Raise UnavailableError unless this machine measures the power that it takes."""
    with sample_telemetry() as recorder:
        recorder.idle(PROBE_S)
        rule = total_rule(list(recorder.latest()))
    if isinstance(rule, Unreadable):
        raise UnavailableError(
            f"Energy cannot be tuned for: {rule}. Choose another --objective, or see dcgan-edge doctor."
        )


@dataclass(frozen=True)
class Ranking:
    """How trials of artifacts of these `sizes` (bytes, by SHA-256) are ranked for an objective. `rates` are
    the images per second of the base under each workload.
    """

    objective: Objective
    sizes: dict[str, int] = field(default_factory=dict)
    rates: dict[Workload, float] = field(default_factory=dict)

    def images_per_second(self, trial: Trial) -> float:
        """Return the base's rate times the paired ratio to it, which a busy moment does not change."""
        return self.rates.get(trial.workload, trial.base_images_per_second) * trial.speed.value

    def score(self, trial: Trial) -> tuple[float, ...]:
        """Return what is larger the better the trial is."""
        if self.objective == "throughput":
            return (self.images_per_second(trial),)
        if self.objective == "energy":
            return (-(trial.joules_per_image or float("inf")),)
        if self.objective == "size":
            return (-self.sizes[trial.candidate.sha256], trial.speed.value)
        return (trial.speed.value,)

    def best_first(self, trials: Sequence[Trial]) -> list[Trial]:
        """Return `trials`, the best first; of equal ones the one that was found first."""
        return sorted(trials, key=self.score, reverse=True)

    def choice(self, finals: Sequence[Trial], base: Trial | None) -> tuple[Trial, str]:
        """Return the best of `finals` and why, in words; `base` where nothing better is proven.

        `base` is None where it may not be chosen.
        """
        best = self.best_first(finals)[0]
        if base is None:
            return best, "the base itself may not be chosen, for it misses a gate"
        if best.candidate == base.candidate:
            return best, "nothing that was measured is better than the base"
        if self.objective == "size":
            best = self._smallest(finals, best)
            return best, "no artifact within the gates is smaller, and this is its fastest proven way to run"
        if self.objective == "energy":
            if (best.joules_per_image or float("inf")) < WORTH * (base.joules_per_image or float("inf")):
                return best, "it takes the fewest joules for an image (one measurement, without an interval)"
            return base, "nothing takes noticeably fewer joules than the base"
        proven = [each for each in self.best_first(finals) if each.outcome == "faster"]
        if proven:
            return proven[0], "it is proven to be faster than the base, the most of all"
        doubt = f", because {best.because}" if best.because else ""
        return base, f"nothing is proven to be faster than the base{doubt}"

    def _smallest(self, finals: Sequence[Trial], best: Trial) -> Trial:
        """Return the way that the smallest artifact runs by itself, unless `best` is proven to be faster."""
        same = [each for each in finals if each.candidate.sha256 == best.candidate.sha256]
        return usual_unless_faster(same, best)


def usual_unless_faster(trials: Sequence[Trial], best: Trial) -> Trial:
    """Return `best`, or the first of `trials`, which is the documented default, where the whole interval of
    `best` is not above it.
    """
    usual = trials[0]
    beats = best.speed.low is not None and best.speed.low > usual.speed.value
    return best if beats or best.workload != usual.workload else usual


def front(rows: Sequence[tuple[float, int, float | None, float | None]]) -> list[bool]:
    """Return for each (images per second, bytes, PSNR in dB, joules for an image) whether no other is as good
    in every respect and better in one. PSNR counts in whole dB up to 60, joules where all are known.
    """
    known = all(joules is not None for *_, joules in rows)
    points = [
        (speed, -size, round(min(psnr or 0.0, SEEN_DB)), -(joules or 0.0) if known else 0.0)
        for speed, size, psnr, joules in rows
    ]
    return [not any(_dominates(other, point) for other in points) for point in points]


def _dominates(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    return one != other and all(a >= b for a, b in zip(one, other, strict=True))
