from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from dcgan_edge.artifact import Manifest, write_artifact
from dcgan_edge.errors import ArtifactError, UsageError
from dcgan_edge.report import gather, render
from dcgan_edge.runtime.bench.measure import measure
from dcgan_edge.runtime.bench.plan import BenchPlan
from dcgan_edge.runtime.bench.record import BenchReport
from tests.doubles import ArithmeticSession
from tests.jetson_trees import ORIN_NANO, plant
from tests.report_pieces import bench_report, manifest, measurement, parity, png


def write(path: Path, report: BenchReport | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text((report or bench_report(measurement("out/g.onnx", calls=5))).to_json())
    return path


def artifact(folder: Path, parity_facts: dict[str, Any], name: str = "g.engine") -> Manifest:
    """An engine with a manifest that says `parity_facts`; its content is never looked into."""
    folder.mkdir(exist_ok=True)
    return write_artifact(folder / name, b"content", manifest("engine", "fp16", parity=parity_facts))


def test_runs_are_named_by_their_files(tmp_path: Path) -> None:
    paths = [write(tmp_path / name) for name in ("nano-1.json", "x/nano-2.json", "y/nano-2.json")]
    content = gather(paths)
    assert list(content.runs) == ["nano-1", "x/nano-2", "y/nano-2"]
    assert content.title == "A fleet of 3 boards"
    assert gather(paths[:2]).title == "nano-2 against nano-1"
    assert gather(paths[:1]).title == "Benchmark on a processor, 4 processors"
    assert gather(paths[:1], title="Mine").title == "Mine"


def test_names_keep_their_ending_where_it_tells_them_apart(tmp_path: Path) -> None:
    assert list(gather([write(tmp_path / "a"), write(tmp_path / "a.json")]).runs) == ["a", "a.json"]


def test_the_same_file_twice_is_no_comparison(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json")
    with pytest.raises(UsageError, match=r"a\.json was given twice"):
        gather([path, tmp_path / "." / "a.json"])


@pytest.mark.parametrize("error", [0.0, 0.5])
def test_parity_is_that_of_the_manifests(error: float, tmp_path: Path) -> None:
    measured = parity(error)
    artifact(tmp_path / "out", measured.to_dict() | {"measured_on": {"backend": "onnxruntime"}})
    artifact(tmp_path / "out", {"verdict": "not_run", "reason": "no GPU"}, "other.engine")
    content = gather([write(tmp_path / "run.json")], artifacts=tmp_path / "out")
    assert dict(content.parity) == {"g.engine": measured}
    assert [name for name, _ in content.artifacts] == ["g.engine", "other.engine"]
    assert content.architecture == content.artifacts[0][1].architecture


@pytest.mark.parametrize(
    "change",
    [{"seeds": "many"}, {"gate": None}, {"missed": ["a gate"]}, {"verdict": "failed"}, {"mean_abs": None}],
)
def test_parity_that_contradicts_itself_is_refused(change: dict[str, Any], tmp_path: Path) -> None:
    artifact(tmp_path / "out", parity(0.0).to_dict() | change)
    with pytest.raises(ArtifactError, match=r"g\.engine"):
        gather([write(tmp_path / "run.json")], artifacts=tmp_path / "out")


def test_a_file_that_was_exchanged_since_it_was_measured_is_noted(tmp_path: Path) -> None:
    described = artifact(tmp_path / "out", parity(0.0).to_dict())
    runs = [
        write(tmp_path / "old.json", bench_report(measurement("b/g.engine", calls=5))),
        write(
            tmp_path / "new.json", bench_report(measurement("b/g.engine", calls=5, sha256=described.sha256))
        ),
    ]
    assert gather(runs, artifacts=tmp_path / "out").notes == [
        "g.engine was measured in old as another file than the one described here."
    ]


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    run = write(tmp_path / "run.json")
    for folder in (tmp_path, tmp_path / "no"):
        with pytest.raises(UsageError, match="There are no artifacts"):
            gather([run], artifacts=folder)
    with pytest.raises(UsageError, match="There is no file"):
        gather([run], samples=tmp_path / "no.png")
    with pytest.raises(UsageError, match="There is no file"):
        gather([tmp_path / "no.json"])


def test_a_damaged_record_is_refused_by_the_page(tmp_path: Path) -> None:
    facts = json.loads(write(tmp_path / "run.json").read_text())
    facts["telemetry"] = {"series": [{"name": "power/x"}]}
    (tmp_path / "run.json").write_text(json.dumps(facts))
    with pytest.raises(ArtifactError, match="telemetry"):
        render(gather([tmp_path / "run.json"]))


def test_a_real_benchmark_beside_a_jetson_s_readings_is_shown(tmp_path: Path) -> None:
    """The readings are those of a file tree, not of hardware; the samples are real."""
    root = plant(tmp_path / "root", ORIN_NANO)
    plan = BenchPlan((3,), duration_s=0.1, rounds=2, warm_up_s=0.0, idle_s=0.05)
    measured = measure([("double", ArithmeticSession)], plan, root=root)
    assert dataclasses.asdict(measured.measurements[0].warm_up)["seconds"] > 0
    (tmp_path / "grid.png").write_bytes(png())
    path = write(tmp_path / "run.json", measured)
    html = render(gather([path], samples=tmp_path / "grid.png"))
    for words in ("images in host memory", "batch 3", "VDD_IN", "Temperatures", "Clocks", "gpu, limit 1020"):
        assert words in html
