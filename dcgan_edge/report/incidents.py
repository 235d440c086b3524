"""What went wrong in a training run, and from when to when: the events of metrics.jsonl, paired.

Read as plain data, whoever wrote it: an event that is not one is left out.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dcgan_edge.artifact import read_file
from dcgan_edge.errors import ArtifactError, UsageError

METRICS_NAME = "metrics.jsonl"
JUDGED_FROM = 61  # lines; a shorter run has not been judged yet (settling and a window of training.monitor)
MONITORED = ("grad_norm_d", "diversity")  # a line that has one of them was written by a run that was watched

SOUND = (
    "Mode collapse, a discriminator that wins or is lost, exploding and vanishing gradients were watched "
    "for; none was seen."
)
SHORT = f"The run is too short to say whether anything went wrong: that takes {JUDGED_FROM} lines of metrics."


@dataclass(frozen=True)
class Incident:
    """A problem from step `begin` to step `end`, None while it lasts. `number`, from 1, is its label in the
    charts. `seen` and `advice` are of its beginning, `over` of its end.
    """

    number: int
    problem: str
    begin: int
    end: int | None
    seen: str
    advice: str
    over: str


def read_metrics(path: Path) -> list[Mapping[str, Any]]:
    """The lines of a metrics file, or of the one in the folder `path`; a half-written last one is left out.

    Raises UsageError when there is none or it has no lines yet, ArtifactError when it is another file.
    """
    path = path / METRICS_NAME if path.is_dir() else path
    data = read_file(path)
    if not data:
        raise UsageError(f"{path} has no line yet; a run writes one every few steps.")
    try:
        lines = [json.loads(line) for line in data.split(b"\n")[:-1]]
    except RecursionError as error:
        raise ArtifactError(f"{path} is not the metrics of a training run: it is nested too deep.") from error
    except ValueError as error:
        raise ArtifactError(
            f"{path} is not the metrics file of a training run ({str(error)[:200]})."
        ) from error
    if not lines or not all(isinstance(line, dict) and is_number(line.get("step")) for line in lines):
        raise ArtifactError(f"{path} is not the metrics file of a training run: not every line has a step.")
    return lines


def incidents(metrics: Sequence[Mapping[str, Any]]) -> list[Incident]:
    """All incidents in the order of their beginning."""
    begun: list[dict[str, Any]] = []
    ends: dict[int, dict[str, Any]] = {}
    open_now: dict[str, int] = {}  # problem -> its place in `begun`
    for event in _events(metrics):
        name = event["problem"]
        if event["state"] == "begins" and name not in open_now:
            open_now[name] = len(begun)
            begun.append(event)
        elif event["state"] == "ends" and name in open_now:
            ends[open_now.pop(name)] = event
    return [
        Incident(
            number=place + 1,
            problem=event["problem"],
            begin=event["step"],
            end=ends[place]["step"] if place in ends else None,
            seen=event["seen"],
            advice=event["advice"],
            over=ends[place]["seen"] if place in ends else "",
        )
        for place, event in enumerate(begun)
    ]


def all_well(metrics: Sequence[Mapping[str, Any]]) -> str:
    """What can be said of a run without incidents, "" of one that was not watched."""
    monitored = sum(any(name in line for name in MONITORED) for line in metrics)
    if not monitored:
        return ""
    return SHORT if monitored < JUDGED_FROM else SOUND


def is_number(value: Any) -> bool:
    """Whether `value` is finite and fits into a float."""
    try:
        return isinstance(value, int | float) and math.isfinite(value)
    except OverflowError:
        return False


def _events(metrics: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    found = [event for line in metrics if isinstance(line.get("events"), list) for event in line["events"]]
    return [event for event in found if isinstance(event, dict) and _is_event(event)]


def _is_event(event: dict[str, Any]) -> bool:
    words = all(isinstance(event.get(name), str) for name in ("problem", "state", "seen", "advice"))
    return words and isinstance(event.get("step"), int) and is_number(event["step"])
