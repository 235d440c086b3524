"""The search from artifacts to a profile, on a machine whose speeds are made up; proofs are real."""

from __future__ import annotations

import dataclasses
import itertools
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import dcgan_edge
from dcgan_edge.artifact import golden_path, sidecar_path
from dcgan_edge.errors import BenchmarkError, UnavailableError, UsageError, VerificationError
from dcgan_edge.profile import NAME, read_profile
from dcgan_edge.runtime.session import open_session
from dcgan_edge.tuning import candidates, search
from dcgan_edge.tuning.candidates import Candidate
from dcgan_edge.tuning.objective import Wishes
from dcgan_edge.tuning.record import NAME as RECORD
from dcgan_edge.tuning.trials import Workload
from tests.html_page import Page
from tests.tuning.made_up import Machine

pytest.importorskip("onnxruntime")
FP32, FP16 = "generator.fp32.onnx", "generator.fp16.onnx"


@pytest.fixture
def folder(exported: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(exported, tmp_path / "out"))


def half_is_fast(candidate: Candidate, workload: Workload) -> float:
    """The fp16 file is twice as fast, and half as fast again on one thread."""
    speed = 2.0 if candidate.file == FP16 else 1.0
    return speed * (1.5 if candidate.threads == 1 else 1.0)


def install(monkeypatch: pytest.MonkeyPatch, machine: Machine) -> Machine:
    monkeypatch.setattr(search, "take_trials", machine)
    monkeypatch.setattr(candidates, "cpu_count", lambda: 4)
    return machine


def tuned(folder: Path, *names: str, **options: Any) -> dcgan_edge.Tuned:
    options = {"backends": ["onnxruntime"], "device": "cpu"} | options
    return dcgan_edge.tune([folder / name for name in names or (FP32, FP16)], **options)


def test_the_best_way_is_found_and_then_followed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = install(monkeypatch, Machine(half_is_fast))
    found = tuned(folder)
    assert found.path == folder / NAME
    best, other = read_profile(found.path).ways
    assert (best.file, best.backend, best.threads) == (FP16, "onnxruntime", 1)
    assert (other.file, other.threads) == (FP32, 1)
    assert best.evidence["psnr_db"] > 60
    assert [row.chosen for row in found.rows] == [True] + [False] * 5
    assert len(machine.measured) == 6  # two files by three numbers of threads
    assert machine.finals[0][0] == Candidate(FP32, other.sha256, "onnxruntime", "cpu")
    made = dcgan_edge.sample(found.path, [0], folder / "samples")
    assert (made.artifact.name, made.session.threads) == (FP16, 1)
    with open_session(folder / FP32) as session:
        assert session.facts.threads == 1


def test_nothing_is_chosen_that_is_not_proven_to_be_faster(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hardly_faster(candidate: Candidate, workload: Workload) -> float:
        return 1.0 if (candidate.file, candidate.threads) == (FP32, None) else 1.02

    install(monkeypatch, Machine(hardly_faster))
    found = tuned(folder)
    assert (found.profile.ways[0].file, found.profile.ways[0].threads) == (FP32, None)
    assert "nothing is proven" in found.because


@pytest.mark.parametrize("stop", [0, 1, 4, 6])
def test_an_interrupted_search_goes_on_where_it_was(
    folder: Path, monkeypatch: pytest.MonkeyPatch, stop: int
) -> None:
    first = install(monkeypatch, Machine(half_is_fast, stop))
    with pytest.raises(KeyboardInterrupt):
        tuned(folder)
    assert not (folder / NAME).exists()
    second = install(monkeypatch, Machine(half_is_fast))
    found = tuned(folder)
    assert len(set(first.measured + second.measured)) == len(first.measured + second.measured) == 6
    third = install(monkeypatch, Machine(half_is_fast))
    assert tuned(folder).rows == found.rows
    assert (third.measured, third.finals) == ([], [])


@pytest.mark.parametrize("damage", ["", "{}", "[1]", '{"schema_version": 9}', "\x00"])
def test_a_damaged_record_is_measured_anew(
    folder: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    (folder / RECORD).write_text(damage)
    machine = install(monkeypatch, Machine(half_is_fast))
    tuned(folder, FP32)
    assert len(machine.measured) == 3
    assert json.loads((folder / RECORD).read_text())["schema_version"] == 1


def test_results_of_other_conditions_are_measured_anew(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, Machine(half_is_fast))
    tuned(folder, FP32)
    machine = install(monkeypatch, Machine(half_is_fast))
    tuned(folder, FP32, duration_s=2.0)
    assert len(machine.measured) == 3


def test_throughput_looks_for_the_best_query(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = install(monkeypatch, Machine(half_is_fast))
    found = tuned(folder, FP32, objective="throughput", batches=[1, 8], streams=[1], threads=[1])
    assert {workload for _, workload in machine.measured} == {Workload(8, 1), Workload(1, 1)}
    assert found.profile.objective == "throughput"


def test_only_the_threads_that_are_asked_for_are_used(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, Machine(half_is_fast))
    tuned(folder, FP32)
    machine = install(monkeypatch, Machine(half_is_fast))
    found = tuned(folder, FP32, threads=[2, 3])
    assert {candidate.threads for candidate, _ in machine.measured} == {2, 3}
    assert {row.trial.candidate.threads for row in found.rows} == {2, 3}
    assert found.base == f"{FP32}, onnxruntime, 2 threads"


def test_what_makes_other_images_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Golden images of another generator, as if this one's kernels were wrong on this device."""
    from dcgan_edge.golden import pack_golden, read_golden

    path = folder / FP16
    facts = json.loads(sidecar_path(path).read_text())
    with open_session(path, threads=1) as session:
        images, _ = read_golden(path, session.manifest)
    golden, data = pack_golden(-images)
    golden_path(path).write_bytes(data)
    install(monkeypatch, Machine(half_is_fast))
    found = tuned(folder)  # whose hash the manifest does not have: refused by that
    (name,) = found.refused
    assert name.startswith(FP16)
    assert [way.file for way in found.profile.ways] == [FP32]
    assert golden.sha256 != facts["golden"]["sha256"]
    with pytest.raises(VerificationError, match=FP16):
        tuned(folder, FP16)


def test_time_that_runs_out_leaves_trials_out_and_counts_them(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = install(monkeypatch, Machine(half_is_fast))
    subjects = candidates.read_subjects([folder / FP32, folder / FP16])
    wishes = Wishes(backends=("onnxruntime",), device="cpu", max_time_s=5.0)
    seconds = itertools.count()
    looking = search.Search(subjects, wishes, lambda step: None, clock=lambda: float(next(seconds)))
    looking.survey(subjects)
    looking.refine()
    found = looking.finish()
    assert found.not_measured == 6 - len(machine.measured) > 0
    assert found.profile.evidence["not_measured"] == found.not_measured


def test_time_that_ends_before_anything_is_measured_is_no_fault_of_the_images(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = install(monkeypatch, Machine(half_is_fast))
    with pytest.raises(BenchmarkError, match="max-time"):
        tuned(folder, max_time_s=1e-9)
    assert machine.measured == []
    assert tuned(folder).profile.ways[0].file == FP16


def test_each_file_is_first_measured_as_it_is_opened_without_a_profile(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(candidates, "is_installed", lambda name: True)
    measured: list[Candidate] = []
    monkeypatch.setattr(search.Search, "_prove", lambda self, found: measured.extend(found))
    plain, half = candidates.read_subjects([folder / FP32, folder / FP16])
    notes = {**half.manifest.notes, "for": "openvino"}
    subjects = [plain, dataclasses.replace(half, manifest=dataclasses.replace(half.manifest, notes=notes))]
    search.Search(subjects, Wishes(device="cpu"), lambda step: None).survey(subjects)
    assert [(each.file, each.backend) for each in measured] == [
        (FP32, "onnxruntime"), (FP16, "openvino"), (FP32, "openvino"), (FP16, "onnxruntime"),
    ]  # fmt: skip


def test_the_page_shows_the_front(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib")
    pytest.importorskip("jinja2")
    install(monkeypatch, Machine(half_is_fast))
    tuned(folder, report=folder / "tuned.html")
    page = Page((folder / "tuned.html").read_text())
    assert "pareto" in page.ids()
    assert len(page.charts()) >= 2
    assert "generator.fp16.onnx, onnxruntime, 1 thread was chosen" in page.text


@pytest.mark.parametrize(
    ("names", "options", "kind"),
    [
        ((FP32, FP32), {}, UsageError),
        ((FP32,), {"out": "x"}, UsageError),
        ((FP32,), {"precisions": ["fp16"]}, UsageError),
        ((FP32,), {"batches": [9]}, UsageError),
        ((FP32,), {"threads": [0]}, UsageError),
        ((FP32, "checkpoint.safetensors"), {}, UsageError),
        (("missing.onnx",), {}, UsageError),
        ((FP32,), {"backends": ["tensorrt"]}, UnavailableError),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_measured(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    names: tuple[str, ...],
    options: dict[str, Any],
    kind: type[Exception],
) -> None:
    machine = install(monkeypatch, Machine(half_is_fast))
    with pytest.raises(kind):
        tuned(folder, *names, **options)
    assert machine.measured == []
    assert not (folder / RECORD).exists()


def test_artifacts_of_two_folders_have_no_common_profile(folder: Path, exported: Path) -> None:
    with pytest.raises(UsageError, match="one folder"):
        dcgan_edge.tune([folder / FP32, exported / FP16])
