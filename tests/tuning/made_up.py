"""A machine on which candidates take the time that a table says, for tests of the search."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from dcgan_edge.runtime.bench.plan import BenchPlan
from dcgan_edge.runtime.bench.record import BenchReport
from dcgan_edge.tuning.candidates import Candidate
from dcgan_edge.tuning.trials import Figure, Say, Trial, Workload
from tests.report_pieces import bench_report, steady

Speed = Callable[[Candidate, Workload], float]  # times as fast as the base
BASE_IMAGES = 1000.0  # per second and stream


def trial(candidate: Candidate, workload: Workload, speed: float, *, final: bool = False) -> Trial:
    """A trial with an interval of 2 % on either side."""
    images = BASE_IMAGES * speed
    return Trial(
        candidate, workload, Figure(1000 * workload.batch / images), images, BASE_IMAGES,
        Figure(speed, 0.98 * speed, 1.02 * speed),
        "faster" if speed > 1.03 else "slower" if speed < 0.97 else "same",
        joules_per_image=None, peak_memory_bytes=None, final=final,
    )  # fmt: skip


class Machine:
    """Stands in for `take_trials`: notes what is measured, and is interrupted before trial `stop`."""

    def __init__(self, speed: Speed, stop: int = 10**9) -> None:
        self.speed, self.stop = speed, stop
        self.measured: list[tuple[Candidate, Workload]] = []
        self.finals: list[list[Candidate]] = []

    def __call__(
        self,
        folder: Path,
        base: Candidate,
        others: Sequence[Candidate],
        workload: Workload,
        plan: BenchPlan,
        say: Say,
        *,
        final: bool = False,
    ) -> tuple[list[Trial], BenchReport]:
        if len(self.measured) + len(self.finals) >= self.stop:
            raise KeyboardInterrupt
        everyone = [base, *(each for each in others if each != base)]
        if final:
            self.finals.append(everyone)
        else:
            self.measured.append((everyone[-1], workload))
        found = [trial(each, workload, self.speed(each, workload), final=final) for each in everyone]
        return found, bench_report(*(steady(str(each), 1 / self.speed(each, workload)) for each in everyone))
