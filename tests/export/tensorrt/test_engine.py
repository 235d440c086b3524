"""From an ONNX file to an engine file with its manifest, by NVIDIA's compiler where a test says so."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from dcgan_edge.artifact import BatchProfile, Manifest, Precision, read_artifact, sidecar_path
from dcgan_edge.errors import ArtifactError, EdgeError, UsageError
from dcgan_edge.export.tensorrt import build as engine
from dcgan_edge.export.tensorrt.build import CACHE_HIT, build
from dcgan_edge.export.tensorrt.compile import Built, Job, compile_engine
from dcgan_edge.export.tensorrt.config import Settings
from dcgan_edge.export.tensorrt.targets import BuilderChoice
from dcgan_edge.runtime.cuda import CudaDevice
from dcgan_edge.runtime.device import parse_device
from tests.engine_models import BATCH, WORKSPACE, needs_rtx, onnx_bytes, write_onnx

OTHER = onnx_bytes("fp32")  # another graph under the same name
ORIN = CudaDevice("Orin (nvgpu)", "sm87", True, True, 8 * 2**30, "12.6", "12.6")


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[Job]:
    """The jobs that reached the compiler, which here only pretends: what is tested is what surrounds it."""
    jobs: list[Job] = []

    def in_child(work: Any, job: Any, **_: Any) -> Any:
        if work is not compile_engine:
            return ORIN
        jobs.append(job)
        return Built(b"engine", ("careful",))

    monkeypatch.setattr(engine, "run_in_child", in_child)
    monkeypatch.setattr(
        engine,
        "choose_builder",
        lambda names, device, **_: BuilderChoice("rtx", tuple(names) or ("sm86", "sm89")),
    )
    library = ModuleType("tensorrt_rtx")
    library.__dict__["__version__"] = "1.7.1.116"
    monkeypatch.setattr(engine, "load_tensorrt", lambda flavour: library)
    return jobs


@pytest.fixture
def orin(compiled: list[Job], monkeypatch: pytest.MonkeyPatch) -> list[Job]:
    """A Jetson with TensorRT 10.3."""
    library = ModuleType("tensorrt")
    library.__dict__["__version__"] = "10.3.0"
    monkeypatch.setattr(engine, "load_tensorrt", lambda flavour: library)

    def choose(names: Any, device: str, **_: Any) -> BuilderChoice:
        index = parse_device(device).index
        return BuilderChoice("tensorrt", (), engine._describe_gpu(index), index)

    monkeypatch.setattr(engine, "choose_builder", choose)
    monkeypatch.setattr(engine, "has_nvidia_gpu", lambda: True)
    return compiled


@needs_rtx
def test_the_engine_and_its_manifest(tmp_path: Path) -> None:
    source = write_onnx(tmp_path)
    built = build(source, tmp_path / "out", targets=["sm86", "sm75"], workspace=WORKSPACE)
    path, manifest = built.path, built.manifest
    assert built.seconds > 0
    assert not built.cached
    assert path == tmp_path / "out" / "generator.fp16.sm75-sm86.rtx1.7.1.engine"
    assert read_artifact(path) == (manifest, path.read_bytes())
    parent = read_artifact(source)[0]
    assert (manifest.kind, manifest.precision, manifest.batch) == ("engine", "fp16", BATCH)
    assert (manifest.architecture, manifest.inputs, manifest.outputs) == (
        parent.architecture, parent.inputs, parent.outputs,
    )  # fmt: skip
    assert manifest.parent_sha256 == parent.sha256
    assert (manifest.targets, manifest.builder) == (("sm75", "sm86"), "rtx1.7.1")
    assert manifest.versions["tensorrt_rtx"].startswith("1.7.1")
    assert manifest.notes["workspace"] == WORKSPACE
    assert manifest.notes["options"] == dataclasses.asdict(Settings())
    assert manifest.notes["profiles"] == [{"min": 1, "opt": 4, "max": 8}]
    assert "cpu" in manifest.built_on
    assert manifest.parity["verdict"] == "not_run"


@needs_rtx
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_two_builds_in_two_processes_make_the_same_engine(tmp_path: Path, precision: Precision) -> None:
    """Equal but for the numbers in the library's internal names, which depend on its threads."""
    source = write_onnx(tmp_path, precision)
    first, second = (build(source, tmp_path / name, use_cache=False) for name in "ab")
    assert first.path.name == second.path.name
    one, other = (re.sub(rb"__mye[0-9]+", b"__mye", each.path.read_bytes()) for each in (first, second))
    assert one == other
    assert dataclasses.replace(first.manifest, sha256="") == dataclasses.replace(second.manifest, sha256="")


@needs_rtx
def test_nothing_is_built_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write_onnx(tmp_path)
    built = build(source, tmp_path / "a", workspace=WORKSPACE)
    monkeypatch.setattr(engine, "run_in_child", None)  # whoever builds now fails
    phases: list[str] = []
    again = build(
        source, tmp_path / "b", workspace=WORKSPACE, progress=lambda phase, done, total: phases.append(phase)
    )
    assert again.manifest == built.manifest
    assert again.path.read_bytes() == built.path.read_bytes()
    assert (again.cached, phases) == (True, [CACHE_HIT])


@needs_rtx
def test_a_refusal_of_the_compiler_comes_out_of_its_process(tmp_path: Path) -> None:
    with pytest.raises(EdgeError, match=r"generator.fp16.onnx was not compiled.*Try another --workspace"):
        build(write_onnx(tmp_path), tmp_path / "out", workspace=1)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "change",
    [
        {"workspace": 2 * WORKSPACE},
        {"opt_batch": 2, "max_batch": 3},
        {"optimization_level": 1},
        {"version_compatible": True},
    ],
    ids=str,
)
def test_whatever_changes_the_engine_is_built_anew(
    orin: list[Job], tmp_path: Path, change: dict[str, Any]
) -> None:
    source = write_onnx(tmp_path)
    for arguments in ({}, change, {}, change):
        build(source, tmp_path, **{"workspace": WORKSPACE, **arguments})
    assert len(orin) == 2


def test_other_targets_are_built_anew(compiled: list[Job], tmp_path: Path) -> None:
    source = write_onnx(tmp_path)
    for targets in (["sm86"], ["sm75"], ["sm86"]):
        build(source, tmp_path, targets=targets)
    assert len(compiled) == 2


def test_another_graph_device_or_version_is_built_anew(
    orin: list[Job], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    build(write_onnx(tmp_path), tmp_path)
    build(write_onnx(tmp_path, data=OTHER), tmp_path)
    monkeypatch.setattr(sys.modules[__name__], "ORIN", dataclasses.replace(ORIN, name="Orin NX"))
    build(write_onnx(tmp_path, data=OTHER), tmp_path)
    newer = ModuleType("tensorrt")
    newer.__dict__["__version__"] = "10.16.2"
    monkeypatch.setattr(engine, "load_tensorrt", lambda flavour: newer)
    build(write_onnx(tmp_path, data=OTHER), tmp_path)
    assert len(orin) == 4
    assert len({job.timing_cache for job in orin}) == 3  # by version and GPU, not by graph


def test_without_the_cache_everything_is_built(compiled: list[Job], tmp_path: Path) -> None:
    source = write_onnx(tmp_path)
    for _ in range(2):
        build(source, tmp_path, use_cache=False)
    assert len(compiled) == 2


def test_an_engine_built_on_the_device_is_for_that_device(orin: list[Job], tmp_path: Path) -> None:
    built = build(write_onnx(tmp_path))
    path, manifest = built.path, built.manifest
    assert path == tmp_path / "generator.fp16.sm87.trt10.3.0.engine"
    assert (manifest.targets, manifest.builder) == (("sm87",), "trt10.3.0")
    assert manifest.built_on["gpu"] == "Orin (nvgpu)"
    assert manifest.versions["tensorrt"] == "10.3.0"
    assert "dcgan-edge verify" in manifest.parity["reason"]
    assert orin[0].timing_cache is not None


def test_an_engine_of_a_mixed_file_is_called_so(compiled: list[Job], tmp_path: Path) -> None:
    source = write_onnx(tmp_path, "mixed")
    built = build(source, tmp_path)
    assert built.path.name == "generator.mixed.sm86-sm89.rtx1.7.1.engine"
    assert built.manifest.precision == "mixed"
    assert built.manifest.notes["warnings"] == ["careful"]


def test_another_gpu_of_this_machine_is_built_for_and_found_again(orin: list[Job], tmp_path: Path) -> None:
    source = write_onnx(tmp_path)
    for device in ("cuda", "cuda:1"):
        build(source, tmp_path, device=device)
    (job,) = orin  # both are the same kind of GPU, so the second build is the first
    assert job.device_index == 0
    build(source, tmp_path, device="cuda:1", use_cache=False)
    assert orin[1].device_index == 1


def test_several_profiles_span_one_range(compiled: list[Job], tmp_path: Path) -> None:
    profiles = (BatchProfile(8, 16, 64), BatchProfile(1, 1, 7))
    built = build(write_onnx(tmp_path), tmp_path, profiles=profiles)
    assert built.manifest.batch == BatchProfile(1, 16, 64)
    assert compiled[0].profiles == profiles


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"workspace": 0}, "0 bytes"),
        ({"max_batch": 8, "profiles": (BATCH,)}, "not both"),
        ({"profiles": (BatchProfile(1, 1, 2), BatchProfile(4, 4, 4))}, "No profile takes 3 to 3"),
        ({"optimization_level": 3}, "no optimisation levels"),
        ({"hardware_compat": "ampere-plus"}, "runs on its targets"),
        ({"version_compatible": True}, "no version-compatible engines"),
    ],
)
def test_requests_that_cannot_be_met_are_usage_errors(
    compiled: list[Job], tmp_path: Path, arguments: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(UsageError, match=complaint):
        build(write_onnx(tmp_path), tmp_path, **arguments)
    assert compiled == []


@pytest.mark.parametrize("settings", [{"optimization_level": 6}, {"hardware_compat": "all"}])
def test_settings_that_do_not_exist_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        Settings(**settings)


def test_only_onnx_files_of_this_program_are_built(compiled: list[Job], tmp_path: Path) -> None:
    source = write_onnx(tmp_path)
    path = build(source, tmp_path).path
    with pytest.raises(ArtifactError, match="already an engine"):
        build(path, tmp_path)
    with pytest.raises(UsageError, match="no file"):
        build(tmp_path / "nothing.onnx", tmp_path)
    source.write_bytes(source.read_bytes() + b"\0")
    with pytest.raises(ArtifactError, match="is not the file"):
        build(source, tmp_path)
    assert len(compiled) == 1


@pytest.mark.parametrize(
    ("asked", "profile"),
    [
        ((None, None, None), BATCH),
        ((None, None, 2), BatchProfile(1, 2, 2)),
        ((None, None, 64), BatchProfile(1, 4, 64)),
        ((16, None, None), BatchProfile(16, 16, 16)),
        ((2, 3, 5), BatchProfile(2, 3, 5)),
    ],
)
def test_a_partial_batch_profile_is_completed_from_the_graph(
    compiled: list[Job],
    tmp_path: Path,
    asked: tuple[int | None, int | None, int | None],
    profile: BatchProfile,
) -> None:
    low, best, high = asked
    built = build(write_onnx(tmp_path), min_batch=low, opt_batch=best, max_batch=high)
    assert (built.manifest.batch, compiled[0].profiles) == (profile, (profile,))


def test_a_partial_batch_profile_must_rise(compiled: list[Job], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="must rise"):
        build(write_onnx(tmp_path), opt_batch=9, max_batch=8)
    assert compiled == []


def test_manifests_of_engines_are_plain_json(compiled: list[Job], tmp_path: Path) -> None:
    built = build(write_onnx(tmp_path), tmp_path)
    assert Manifest.from_json(sidecar_path(built.path).read_bytes(), "x") == built.manifest
    assert json.loads(json.dumps(built.to_dict()))["cached"] is False


def test_building_imports_neither_torch_nor_onnx() -> None:
    heavy = ("torch", "onnx", "onnxruntime", "tensorrt", "tensorrt_rtx")
    code = (
        f"import sys, dcgan_edge.export.tensorrt.build as e; print([m for m in {heavy} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
