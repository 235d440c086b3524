"""What is sent: the plan as it is on a board, and which record is the one that was asked for."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcgan_edge import benchmark_matrix
from dcgan_edge.benchmark_matrix import read_plan, run_plan
from dcgan_edge.benchmarking import Contestant
from dcgan_edge.errors import ArtifactError, UsageError
from dcgan_edge.files import sha256_of
from dcgan_edge.fleet.payload import _toml, artifact_payload, bundle_payload, finished_record
from dcgan_edge.packaging.layout import ROOT
from dcgan_edge.runtime.bench.plan import BenchPlan
from dcgan_edge.runtime.bench.record import BenchReport
from dcgan_edge.runtime.device import machine_facts
from tests.fleet.conftest import World, whole_record
from tests.report_pieces import bench_report, steady

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

VALUES = st.one_of(
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1),
)


@given(st.dictionaries(st.sampled_from(["a", "b-c", "d"]), VALUES | st.lists(VALUES, min_size=1)))
def test_settings_come_back_from_the_toml_that_they_become(settings: dict[str, object]) -> None:
    assert tomllib.loads(_toml(settings.items())) == settings


def measured(contestants: Mapping[str, Contestant], plan: BenchPlan, *_: object) -> BenchReport:
    """In place of the measuring."""
    ((batch, streams),) = plan.workloads()
    each = [
        steady(name, batch=batch, streams=streams, sha256=sha256_of(one.path))
        for name, one in contestants.items()
    ]
    return bench_report(*each, machine=machine_facts())


def test_what_a_board_makes_of_the_plan_is_what_was_asked_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.plan.write_text(
        'artifacts = ["./generator.fp16.onnx"]\nbatches = [1, 3]\nbackends = ["auto", "onnxruntime"]\n'
        "max-time = 7\nduration = 0.25\n"
    )
    payload = world.payload()
    board = world.folder / "board"
    (board / ROOT / "artifacts").mkdir(parents=True)
    (board / ROOT / "artifacts" / "generator.fp16.onnx").write_bytes(
        (world.folder / "generator.fp16.onnx").read_bytes()
    )
    monkeypatch.chdir(board)
    Path("plan.toml").write_text(payload.plan)
    monkeypatch.setattr(benchmark_matrix, "measured", measured)
    run_plan(read_plan(Path("plan.toml")), Path(), Path("record.json"))
    assert len(finished_record(Path("record.json"), payload).measurements) == 4


def test_another_record_than_the_one_that_was_asked_for_is_refused(world: World) -> None:
    payload = world.payload()
    record = world.folder / "record.json"
    whole = whole_record(payload)
    record.write_text(whole)
    finished_record(record, payload)
    another, longer, twice, fewer, more = (json.loads(whole) for _ in range(5))
    another["measurements"][0]["sha256"] = "0" * 64
    longer["plan"]["matrix"]["duration"] = 9.0
    twice["plan"]["done"][0] = twice["plan"]["done"][1]
    del fewer["measurements"][0]
    more["measurements"] *= 2
    strange: list[object] = [{"plan": {"done": [1, 2, 3, 4]}}, []]
    for facts in (another, longer, twice, fewer, more, *strange):
        record.write_text(json.dumps(facts))
        with pytest.raises(ArtifactError):
            finished_record(record, payload)


def test_the_same_artifacts_and_plan_have_the_same_keys_everywhere(world: World) -> None:
    first = world.payload()
    (world.folder / "other").mkdir()
    again = artifact_payload(read_plan(world.plan), world.folder, world.folder / "other")
    assert (first.key, first.plan_key) == (again.key, again.plan_key)
    world.plan.write_text(world.plan.read_text() + "processes = 5\n")
    other = world.payload()
    assert other.key == first.key
    assert other.plan_key != first.plan_key


@pytest.mark.parametrize(
    "lines",
    [
        'artifacts = ["a/x.onnx", "b/x.onnx"]',
        'artifacts = ["a/.."]',
        'artifacts = ["x\\n.onnx"]',
        'artifacts = ["generator.fp16.onnx"]\nbatches = [0]',
        'artifacts = ["generator.fp16.onnx"]\ndevice = "gpu"',
        'artifacts = ["generator.fp16.onnx"]\nduration = inf',
    ],
)
def test_a_plan_that_no_board_could_run_is_refused(world: World, bundle: Path, lines: str) -> None:
    world.plan.write_text(lines)
    for made in (
        world.payload,
        lambda: bundle_payload(bundle, read_plan(world.plan)),
    ):
        with pytest.raises(UsageError):
            made()
