"""Where the time of a call goes on a GPU, and times as trtexec exports them.

trtexec's latency is the sum of copying in, computing and copying out, between events on the GPU; ours is the
wall clock around the whole call. Both are kept, never mixed. Source: TensorRT samples/common, --exportTimes.
"""

from __future__ import annotations

import statistics
from typing import Protocol, runtime_checkable

from dcgan_edge.latents import FloatArray

from ..session import Session
from .record import Measurement
from .workload import batch_latents

CALLS = 100  # whose phases are timed, beside the calls that are measured: events cost time themselves
KEYS = {"h2d": "h2dMs", "compute": "computeMs", "d2h": "d2hMs"}


class Times(Protocol):
    """Milliseconds of one call: on the GPU, to queue it, and on the host's clock from end to end."""

    h2d: float
    compute: float
    d2h: float
    enqueue: float
    end_to_end: float


@runtime_checkable
class Timed(Protocol):
    """A session that can time the phases of a call, such as an engine."""

    def run_timed(self, latents: FloatArray) -> tuple[FloatArray, Times]:
        """`Session.run`, with the times of its phases."""
        ...


def take_phases(session: Session, batch: int) -> tuple[dict[str, float], ...]:
    """The phases of `CALLS` calls under trtexec's keys, `latencyMs` their sum; empty without phases."""
    if not isinstance(session, Timed):
        return ()
    z = batch_latents(session, batch)
    return tuple(_under_keys(session.run_timed(z)[1]) for _ in range(CALLS))


def _under_keys(times: Times) -> dict[str, float]:
    phases = {key: getattr(times, name) for name, key in KEYS.items()}
    return {
        **phases,
        "latencyMs": sum(phases.values()),
        "enqueueMs": times.enqueue,
        "hostMs": times.end_to_end,
    }


def phase_words(phases: tuple[dict[str, float], ...]) -> str:
    """Medians of the phases in a few words."""
    median = {key: statistics.median(call[key] for call in phases) for key in phases[0]}
    return (
        f"{median['h2dMs']:.3f} ms in, {median['computeMs']:.3f} computing, {median['d2hMs']:.3f} out, "
        f"{median['enqueueMs']:.3f} to enqueue, {median['hostMs']:.3f} from end to end"
    )


def trtexec_times(measurement: Measurement) -> list[dict[str, float]]:
    """The calls of `measurement` as trtexec's --exportTimes lists them.

    Where there are phases, the calls whose phases were timed. Else `startEnqMs`, `endD2hMs` and `latencyMs`
    of every query on the host's clock, from 0 on.
    """
    if measurement.phases:
        return [dict(call) for call in measurement.phases]
    begin = min(int(each.due_ns.min()) for each in measurement.rounds)
    return [
        {"startEnqMs": (due - begin) / 1e6, "endD2hMs": (due - begin + took) / 1e6, "latencyMs": took / 1e6}
        for each in measurement.rounds
        for due, took in zip(each.due_ns.tolist(), each.latency_ns.tolist(), strict=True)
    ]
