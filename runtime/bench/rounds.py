"""The order of rounds: when the next one may begin, which are taken again, and when there are enough.

Rounds go on until every interval is as narrow as was asked for, never until a difference is significant:
stopping at significance finds differences that are not there. Precision is looked at rarely, after ever more
rounds, because each look is a chance to stop on an interval that is narrow by luck.

Sources: Kalibera and Jones 2013, section 5; Chow and Robbins 1965 (intervals of fixed width, sequentially).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from .intervals import estimate
from .measurement import figure
from .plan import BenchPlan
from .workload import Clock, Samples, Sleep

log = logging.getLogger(__name__)
LOOK_GROWTH = 1.25  # times as many rounds until precision is looked at again
LOOK_S = 0.2  # of rest, in which others are seen: 20 ticks of the counters of CPU time
LONGEST_WAIT_S = 10.0  # for the machine to be quiet, before one round
WAIT_SHARE = 1 / 3  # of the most time that may be spent on waiting in all


class Surroundings(Protocol):
    """What else the machine is doing."""

    def look(self) -> str:
        """Return what speaks against measuring, of the time since the last look, or ""."""
        ...


@dataclass(frozen=True)
class Round:
    """The samples of each artifact, in their order, from round `number` in process `process` of each.

    `spans` are when each was measured, in nanoseconds of time.perf_counter_ns; `disturbance` is what else the
    machine did meanwhile, in words, or "".
    """

    number: int
    process: int
    samples: tuple[Samples, ...]
    spans: tuple[tuple[int, int], ...] = ()
    disturbance: str = ""


@dataclass(frozen=True)
class RoundsTaken:
    """The rounds that count, those that were taken again, and what was waited for."""

    counted: tuple[Round, ...]
    set_aside: tuple[Round, ...]
    waits: int
    waited_s: float
    disturbances: tuple[str, ...]


def take_rounds(
    take: Callable[[int, int], Round],
    plan: BenchPlan,
    surroundings: Surroundings,
    *,
    clock: Clock = time.perf_counter_ns,
    sleep: Sleep = time.sleep,
) -> RoundsTaken:
    """Return the rounds that `take(number, process)` makes, as many as `plan` says.

    Where the plan has a time limit, each round waits until the machine is quiet, and one in which it was not
    is set aside and taken again, until there are `plan.rounds` of the others and they are precise enough, or
    the time is up. Should there be fewer by then, those set aside count as well.
    """
    quiet: list[Round] = []
    disturbed: list[Round] = []
    waits: list[float] = []
    limit_s = plan.max_time_s or 0.0
    begin, look, reason = clock(), plan.rounds, ""
    if plan.max_time_s is not None:
        sleep(LOOK_S)
        reason = surroundings.look()
    while not (_precise(quiet, plan, look) or _over(quiet, disturbed, plan, (clock() - begin) / 1e9)):
        if len(quiet) >= look:
            look = max(look + 1, int(look * LOOK_GROWTH))
        most = min(LONGEST_WAIT_S, WAIT_SHARE * limit_s - sum(waits))
        if reason and most > 0:
            waits.append(_wait(surroundings, most, clock, sleep))
            log.info("waited %.1f s before round %d: %s", waits[-1], len(quiet) + len(disturbed) + 1, reason)
        number = len(quiet) + len(disturbed)
        taken = take(number, number // 2 % plan.processes)
        reason = taken.disturbance
        if reason:
            log.info("round %d was disturbed: %s", number + 1, reason)
        (disturbed if reason else quiet).append(taken)
    enough = plan.max_time_s is not None and len(quiet) >= plan.rounds
    everything = sorted((*quiet, *disturbed), key=lambda taken: taken.number)
    return RoundsTaken(
        tuple(quiet if enough else everything),
        tuple(disturbed if enough else ()),
        len(waits),
        sum(waits, 0.0),
        tuple(dict.fromkeys(each.disturbance for each in disturbed)),
    )


def unmet(rounds: Sequence[Round], goal: float) -> bool:
    """Return whether the interval of a median, or of a ratio to the first artifact, is wider than `goal`."""
    processes = [taken.process for taken in rounds]
    medians = [
        [figure(samples, "p50", 1) for samples in each]
        for each in zip(*(taken.samples for taken in rounds), strict=True)
    ]
    speeds = [[old / new for old, new in zip(medians[0], each, strict=True)] for each in medians[1:]]
    return any(not estimate(values, processes).width <= goal for values in (*medians, *speeds))


def _precise(quiet: Sequence[Round], plan: BenchPlan, look: int) -> bool:
    if plan.max_time_s is None or len(quiet) < look:
        return False
    return len({taken.process for taken in quiet}) == plan.processes and not unmet(quiet, plan.precision_goal)


def _over(quiet: Sequence[Round], disturbed: Sequence[Round], plan: BenchPlan, seconds: float) -> bool:
    taken = len(quiet) + len(disturbed)
    return taken >= plan.rounds and (plan.max_time_s is None or seconds >= plan.max_time_s)


def _wait(surroundings: Surroundings, most_s: float, clock: Clock, sleep: Sleep) -> float:
    """Wait until the machine is quiet, `most_s` seconds at the most; return how long that was."""
    begin = clock()
    while True:
        sleep(LOOK_S)
        seconds = (clock() - begin) / 1e9
        if not surroundings.look() or seconds >= most_s:
            return seconds
