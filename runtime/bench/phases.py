"""Where the time of a call goes on a GPU, and times under the keys of trtexec's export.

trtexec's latency is the sum of copying in, computing and copying out, between events on the GPU; ours is the
wall clock around the whole call. Both are kept, never mixed. Source: TensorRT samples/common, --exportTimes.
"""

from __future__ import annotations

import statistics
import time
from typing import Protocol, runtime_checkable

from dcgan_edge.images import ImageArray
from dcgan_edge.latents import FloatArray

from ..session import Session
from .record import Measurement
from .workload import Clock, batch_latents

CALLS = 100  # whose phases are timed, beside the calls that are measured: events cost time themselves
LIMIT_S = 2.0  # after which no further call is begun
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

    def run_timed(self, latents: FloatArray) -> tuple[ImageArray, Times]:
        """Return the images of `Session.raw` and the times of its phases."""
        ...


def take_phases(
    session: Session, batch: int, *, clock: Clock = time.perf_counter_ns
) -> tuple[dict[str, float], ...]:
    """Return the phases of up to `CALLS` calls under trtexec's keys; `latencyMs` is their sum.

    It is empty for a session that cannot time them, such as one on a CPU.
    """
    if not isinstance(session, Timed):
        return ()
    z = batch_latents(session, batch)
    taken: list[dict[str, float]] = []
    end = clock() + int(LIMIT_S * 1e9)
    while not taken or (len(taken) < CALLS and clock() < end):
        taken.append(_under_keys(session.run_timed(z)[1]))
    return tuple(taken)


def _under_keys(times: Times) -> dict[str, float]:
    phases = {key: getattr(times, name) for name, key in KEYS.items()}
    return {
        **phases,
        "latencyMs": sum(phases.values()),
        "enqueueMs": times.enqueue,
        "hostMs": times.end_to_end,
    }


def phase_words(phases: tuple[dict[str, float], ...]) -> str:
    """Return the medians of the phases in words."""
    median = {key: statistics.median(call[key] for call in phases) for key in phases[0]}
    return (
        f"{median['h2dMs']:.3f} ms in, {median['computeMs']:.3f} computing, {median['d2hMs']:.3f} out, "
        f"{median['enqueueMs']:.3f} to enqueue, {median['hostMs']:.3f} from end to end"
    )


def trtexec_times(measurement: Measurement) -> list[dict[str, float]]:
    """Return the calls of `measurement` under the keys of trtexec's --exportTimes, in milliseconds.

    These are the calls whose phases were timed, if there are any. Else they are all queries, with
    `startEnqMs`, `endD2hMs` and `latencyMs` on the host's clock, which starts at 0.
    """
    if measurement.phases:
        return [dict(call) for call in measurement.phases]
    begin = min(int(samples.due_ns.min()) for samples in measurement.rounds)
    return [
        {"startEnqMs": (due - begin) / 1e6, "endD2hMs": (due - begin + took) / 1e6, "latencyMs": took / 1e6}
        for samples in measurement.rounds
        for due, took in zip(samples.due_ns.tolist(), samples.latency_ns.tolist(), strict=True)
    ]
