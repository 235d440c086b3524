"""Engines under every scenario of the benchmark, on the in-memory GPU."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dcgan_edge.artifact import write_artifact
from dcgan_edge.benchmarking import bench
from dcgan_edge.errors import EdgeError
from dcgan_edge.runtime.bench import measure as measuring
from dcgan_edge.runtime.bench import process
from dcgan_edge.runtime.bench.measure import COLD, measure
from dcgan_edge.runtime.bench.plan import SCENARIOS, BenchPlan, Scenario
from dcgan_edge.runtime.bench.process import run_round, warm_up
from dcgan_edge.runtime.bench.worker import Opener
from dcgan_edge.runtime.parity import verification_words
from dcgan_edge.runtime.session import Session
from tests.fakes.lab import Lab

PROFILES = ((1, 16, 64),)  # a query of 100 images is two pieces
CONTEXT = "ICudaEngine.create_execution_context"
SHORT: dict[str, Any] = {"duration_s": 0.04, "rounds": 2, "warm_up_s": 0.0, "idle_s": 0.05, "iterations": 4}


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab() as lab:
        yield lab


def contexts(lab: Lab) -> int:
    """How many execution contexts were made so far."""
    return sum("create_execution_context" in call for call in lab.gpu.calls)


def most_in_flight(lab: Lab) -> Callable[[], int]:
    """What tells how many streams had work queued at the same time, at the most, from now on."""
    most = 0

    def look(_: int, name: str) -> bool:
        nonlocal most
        if name == "cudaStreamSynchronize":
            most = max(most, sum(bool(stream.queue) for stream in list(lab.gpu.streams.values())))
        return False

    lab.gpu.fail = look
    return lambda: most


@pytest.mark.parametrize("batch", [1, 16, 100])
@pytest.mark.parametrize("streams", [1, 2, 4])
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_nothing_is_prepared_inside_a_round(
    lab: Lab, scenario: Scenario, streams: int, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "WARM_WINDOW_S", 0.005)
    monkeypatch.setattr(process, "WARM_LIMIT_S", 0.01)
    rate = 200.0 if scenario == "server" else None
    plan = BenchPlan((batch,), (streams,), scenario=scenario, rate=rate, **SHORT)
    session = lab.open(lab.blob(profiles=PROFILES))
    warm_up(session, batch, streams)
    prepared, captured = contexts(lab), lab.gpu.calls.count("cudaStreamBeginCapture")
    assert prepared == captured == streams * (2 if batch == 100 else 1)
    in_flight = most_in_flight(lab)
    for number in range(plan.rounds):
        assert len(run_round(session, plan, batch, streams, number)) >= 1
    assert contexts(lab) == prepared
    assert lab.gpu.calls.count("cudaStreamBeginCapture") == captured
    pieces = 2 if batch == 100 else 1
    if scenario == "server":  # as queries arrive, and a call of two pieces takes two streams
        assert 1 <= in_flight() <= streams
    elif scenario == "offline":
        assert in_flight() == min(streams, pieces)
    else:
        assert in_flight() == streams
    assert session.facts.streams == streams


def open_engine(profiles: tuple[tuple[int, int, int], ...]) -> Session:
    """An engine session on an in-memory machine of its own, in whatever process this is called."""
    lab = Lab()
    session: Session = lab.open(lab.blob(profiles=profiles))
    return session


@pytest.mark.parametrize("scenario", ["latency", "server"])
def test_an_engine_is_measured_in_a_process_of_its_own(scenario: Scenario) -> None:
    rate = 200.0 if scenario == "server" else None
    plan = BenchPlan((3, 100), (1, 2), scenario=scenario, rate=rate, **SHORT | {"duration_s": 0.2})
    report = measure([("engine", functools.partial(open_engine, PROFILES))], plan)
    assert [(m.batch, m.streams) for m in report.measurements] == [(3, 1), (3, 2), (100, 1), (100, 2)]
    for taken in report.measurements:
        assert taken.session["streams"] == taken.streams
        assert COLD not in taken.reasons
        assert taken.phases


class OwnProcess:
    """A `Worker` without the process: the session that the opener opens, and nothing granted beyond it."""

    def __init__(self, name: str, opener: Opener) -> None:
        self.name = name
        self.session = opener()
        self.sha256, self.precision = self.session.manifest.sha256, self.session.manifest.precision
        self.verification = verification_words(self.session)
        self.facts, self.load_s, self.pid = self.session.facts.to_dict(), 0.0, os.getpid()

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return function(self.session, *arguments)

    def __enter__(self) -> OwnProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.session.close()


@pytest.fixture
def engine(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An engine file of the in-memory machine, which this process measures itself."""
    data = lab.blob(profiles=PROFILES).pack()
    path = tmp_path / "generator.engine"
    write_artifact(path, data, lab.manifest(data))
    monkeypatch.setattr(measuring, "Worker", OwnProcess)
    with lab.installed():
        yield path


def test_each_number_of_streams_is_really_in_flight(lab: Lab, engine: Path) -> None:
    in_flight: list[int] = []
    now = most_in_flight(lab)

    def say(step: str) -> None:
        nonlocal now
        if "warming up" in step:
            in_flight.append(now())
            now = most_in_flight(lab)

    report = bench(engine, batches=[2], streams=[2, 4, 1], duration_s=0.1, warmup_s=0.0, progress=say)
    assert [*in_flight[1:], now()] == [2, 4, 1]
    assert [m.session["streams"] for m in report.measurements] == [2, 4, 1]
    assert all(m.phases for m in report.measurements)
    assert not any(COLD in m.reasons for m in report.measurements)


def test_what_ran_for_the_first_time_inside_a_round_is_said(
    lab: Lab, engine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        measuring, "warm_up", lambda session, batch, streams, least: warm_up(session, 1, streams, least)
    )
    monkeypatch.setattr(measuring, "first_call", lambda session, batch, streams: 1.0)
    (taken,) = bench(engine, batches=[2], duration_s=0.1, warmup_s=0.0).measurements
    assert COLD in taken.unstable_because


def test_more_streams_than_an_engine_has_are_refused(lab: Lab, engine: Path) -> None:
    with pytest.raises(EdgeError, match="streams"):
        bench(engine, batches=[2], streams=[17], duration_s=0.1)
    with contextlib.closing(lab.open()) as session, pytest.raises(EdgeError, match="streams"):
        session.use_streams(0)
