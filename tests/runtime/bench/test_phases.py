"""Phases of engine sessions on the in-memory GPU, and times under trtexec's keys."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from dcgan_edge.runtime.bench.phases import CALLS, phase_words, take_phases, trtexec_times
from dcgan_edge.runtime.bench.record import Measurement, WarmUp
from dcgan_edge.runtime.bench.workload import Samples
from tests.doubles import ArithmeticSession
from tests.fakes.lab import Lab

ROUNDS = (
    Samples(np.array([5_000_000, 7_000_000]), np.array([1_000_000, 2_000_000])),
    Samples(np.array([20_000_000]), np.array([1_500_000])),
)
MEASURED = Measurement("x.onnx", "00", "fp32", "latency", 1, 1, {}, WarmUp(1, 0.1, True), ROUNDS)
CALL = {"h2dMs": 1.0, "computeMs": 10.0, "d2hMs": 2.0, "latencyMs": 13.0, "enqueueMs": 0.5, "hostMs": 14.0}


def test_the_phases_of_an_engine_add_up_to_the_latency_of_trtexec() -> None:
    with Lab() as lab, lab.open() as session:
        phases = take_phases(session, 8)
    assert len(phases) == CALLS
    # the in-memory GPU takes 1 ms to copy in, 10 to compute and 2 to copy out
    assert {key: phases[0][key] for key in ("h2dMs", "computeMs", "d2hMs", "latencyMs")} == {
        "h2dMs": 1.0, "computeMs": 10.0, "d2hMs": 2.0, "latencyMs": 13.0,
    }  # fmt: skip


def test_a_session_without_phases_has_none() -> None:
    assert take_phases(ArithmeticSession(), 1) == ()


def test_phases_survive_the_record() -> None:
    kept = dataclasses.replace(MEASURED, phases=(CALL,))
    again = Measurement.from_dict(json.loads(json.dumps(kept.to_dict())))
    assert again.phases == (CALL,)


def test_records_from_before_there_were_phases_are_read() -> None:
    facts = MEASURED.to_dict()
    del facts["phases"]
    assert Measurement.from_dict(facts).phases == ()


def test_times_are_those_of_the_phases_if_there_are_any() -> None:
    assert trtexec_times(dataclasses.replace(MEASURED, phases=(CALL,))) == [CALL]
    assert phase_words((CALL,)).startswith("1.000 ms in, 10.000 computing, 2.000 out")


def test_times_of_queries_start_at_zero_and_keep_their_gaps() -> None:
    first, second, third = trtexec_times(MEASURED)
    assert first == {"startEnqMs": 0.0, "endD2hMs": 1.0, "latencyMs": 1.0}
    assert second == {"startEnqMs": 2.0, "endD2hMs": 4.0, "latencyMs": 2.0}
    assert third["startEnqMs"] == pytest.approx(15.0)  # rounding of a division
