"""From an ONNX file to an engine with its manifest: the builder is chosen, the cache asked, the compiler run.

Loads neither torch nor onnx, so that a device builds its own engines. The order of a build: `targets` chooses
the library, `cache` knows whether the engine exists, `process` runs `compile`.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from dcgan_edge.artifact import Artifact, BatchProfile, Manifest, read_artifact, sha256, write_artifact
from dcgan_edge.errors import ArtifactError, UsageError
from dcgan_edge.files import StrPath
from dcgan_edge.golden import inherited_golden
from dcgan_edge.runtime.cuda import CudaDevice, open_cuda
from dcgan_edge.runtime.device import has_nvidia_gpu, installed_versions, machine_facts
from dcgan_edge.runtime.tensorrt.library import load_tensorrt, version_tag

from ..readme import write_readme
from .cache import cache_key, load_cached, store_cached, timing_cache_path
from .compile import Built, Job, compile_engine
from .config import Compatibility, Settings
from .process import BuildProgress, run_in_child
from .targets import BuilderChoice, choose_builder, default_workspace, targets_of

MIB = 2**20
CACHE_HIT = "found in the cache"  # the phase that progress is told instead of the builder's own
DEVICE_TIMEOUT = 120.0  # seconds for the driver to say what the GPU is


@dataclass(frozen=True)
class BuiltEngine(Artifact):
    """An engine that was written, the seconds it took, and whether it was `cached` from an earlier build."""

    seconds: float
    cached: bool

    def to_dict(self) -> dict[str, Any]:
        """The manifest's facts with `path`, `seconds` and `cached`."""
        return {**super().to_dict(), "seconds": round(self.seconds, 3), "cached": self.cached}


def build(
    onnx: StrPath,
    out: StrPath | None = None,
    *,
    targets: Sequence[str] = (),
    device: str = "auto",
    min_batch: int | None = None,
    opt_batch: int | None = None,
    max_batch: int | None = None,
    profiles: Sequence[BatchProfile] = (),
    workspace: int | None = None,
    optimization_level: int | None = None,
    hardware_compat: Compatibility = "none",
    version_compatible: bool = False,
    use_cache: bool = True,
    timeout: float = 3600.0,
    progress: BuildProgress | None = None,
) -> BuiltEngine:
    """Build an engine from the ONNX file of this program at `onnx` into the folder `out` (None: beside it).

    `targets` such as "sm86" are built ahead of time. Without them the engine is for the GPU `device` ("auto"
    is the first of this machine, or where there is none, the default targets; "cuda:1" the second).

    `min_batch`, `opt_batch` and `max_batch` are the images per call that the engine takes and is tuned for;
    what is left out is the graph's. `profiles` are several such ranges in one engine, in their place; the
    first is used by default. `workspace` is the bytes that its layers may use, `timeout` is in seconds, and
    `progress` is told (phase, steps done, steps in all).

    Raises UsageError (no such file, unknown target, settings or batches that do not go together),
    ArtifactError (a file that is not an ONNX file of this program), UnavailableError (no builder or GPU, or
    one without a setting), EdgeError (the library refused, or the build died; the message says why).
    """
    started = time.perf_counter()
    onnx = Path(onnx)
    settings = Settings(optimization_level, hardware_compat, version_compatible)
    source, data = read_artifact(onnx)
    if source.kind != "onnx":
        raise ArtifactError(f"{onnx.name} is already an engine; build from the ONNX file.")
    if source.precision == "int8" and source.notes.get("for") == "onnxruntime-cpu":
        raise UsageError(
            f"{onnx.name} has the zero points of ONNX Runtime, which no GPU computes with. Export it for "
            "engines: dcgan-edge export CHECKPOINT --precision int8 --for tensorrt"
        )
    if workspace is not None and workspace < 1:
        raise UsageError(f"A workspace of {workspace} bytes is no workspace.")
    ranges = _profiles(source.batch, (min_batch, opt_batch, max_batch), tuple(profiles))
    choice = choose_builder(targets, device, describe_gpu=_describe_gpu)
    trt = load_tensorrt(choice.flavour)
    job = _job(trt, choice, onnx.name, data, ranges, workspace, settings)
    built, cached = _compile(trt, choice, job, use_cache=use_cache, timeout=timeout, progress=progress)
    proof, golden = inherited_golden(onnx, source)
    manifest = dataclasses.replace(_manifest(source, job, built, trt, choice), golden=proof)
    stem = onnx.stem.removesuffix(f".{source.label}")
    targets_label = "-".join(manifest.targets)
    folder = onnx.parent if out is None else Path(out)
    path = folder / f"{stem}.{manifest.label}.{targets_label}.{manifest.builder}.engine"
    sealed = write_artifact(path, built.engine, manifest, golden=golden)
    engine = BuiltEngine(path, sealed, time.perf_counter() - started, cached)
    write_readme(folder, [engine])
    return engine


def _profiles(
    graph: BatchProfile, asked: tuple[int | None, int | None, int | None], several: tuple[BatchProfile, ...]
) -> tuple[BatchProfile, ...]:
    """Return the optimisation profiles: those asked for, else what the graph accepts. They leave no gap.

    Raises UsageError when there is a gap, or sizes do not rise.
    """
    low, best, high = asked
    if several and asked != (None, None, None):
        raise UsageError("Give one range of batches or several profiles, not both.")
    if not several:
        least = graph.min if low is None else low
        most = max(graph.max, least) if high is None else high
        return (BatchProfile(least, min(max(graph.opt, least), most) if best is None else best, most),)
    reach = 0
    for profile in sorted(several, key=lambda profile: profile.min):
        if reach and profile.min > reach + 1:
            raise UsageError(f"No profile takes {reach + 1} to {profile.min - 1} images; leave no gap.")
        reach = max(reach, profile.max)
    return several


def _job(
    trt: ModuleType,
    choice: BuilderChoice,
    name: str,
    data: bytes,
    profiles: tuple[BatchProfile, ...],
    workspace: int | None,
    settings: Settings,
) -> Job:
    """Put together what the compiler is told. Raises UsageError for what TensorRT-RTX does not do."""
    on_device = choice.gpu if choice.flavour == "tensorrt" else None
    if choice.flavour == "rtx":
        _refuse_for_rtx(settings)
    return Job(
        onnx=data,
        name=name,
        flavour=choice.flavour,
        targets=choice.targets,
        profiles=profiles,
        workspace=default_workspace() if workspace is None else workspace,
        settings=settings,
        timing_cache=timing_cache_path(version_tag(trt), on_device.name) if on_device else None,
        device_index=choice.index if on_device else None,
    )


def _refuse_for_rtx(settings: Settings) -> None:
    if settings.optimization_level is not None:
        raise UsageError("TensorRT-RTX has no optimisation levels; leave --optimization-level out.")
    if settings.hardware_compat != "none":
        raise UsageError("A TensorRT-RTX engine runs on its targets; name them instead of --hardware-compat.")
    if settings.version_compatible:
        raise UsageError("TensorRT-RTX has no version-compatible engines; leave --version-compatible out.")


def _compile(
    trt: ModuleType,
    choice: BuilderChoice,
    job: Job,
    *,
    use_cache: bool,
    timeout: float,
    progress: BuildProgress | None,
) -> tuple[Built, bool]:
    """Return the engine, and whether it came from the cache or else from the compiler in its own process."""
    gpu = choice.gpu if choice.flavour == "tensorrt" else None
    device = [gpu.name, gpu.sm, gpu.driver] if gpu else None
    facts = {"arithmetic": "no TF32", "builder": str(trt.__version__), "device": device}
    key = cache_key({**facts, **_influences(job)})
    cached = load_cached(key) if use_cache else None
    if cached is not None:
        if progress is not None:
            progress(CACHE_HIT, 1, 1)
        return cached, True
    largest = max(profile.max for profile in job.profiles)
    advice = (
        f"Try less workspace (--workspace {max(job.workspace // 4 // MIB, 1)}MiB), a smaller --max-batch "
        f"(now {largest}), or more swap."
    )
    built = run_in_child(compile_engine, job, timeout=timeout, advice=advice, progress=progress)
    if use_cache:
        store_cached(key, built)
    return built, False


def _influences(job: Job) -> dict[str, Any]:
    """Return everything in `job` that changes the engine's bytes, as JSON values."""
    facts = dataclasses.asdict(job)
    facts["onnx"] = sha256(job.onnx)
    del facts["name"], facts["timing_cache"], facts["device_index"]
    return facts


def _describe_gpu(index: int) -> CudaDevice:
    """Look at GPU `index` in a child, so that this process holds no GPU memory while the builder needs it."""
    return run_in_child(_open_gpu, index, timeout=DEVICE_TIMEOUT)


def _open_gpu(index: int, _: BuildProgress) -> CudaDevice:
    return open_cuda(index).device


def _manifest(source: Manifest, job: Job, built: Built, trt: ModuleType, choice: BuilderChoice) -> Manifest:
    gpu = choice.gpu
    facts = {"gpu": gpu.name, "sm": gpu.sm, "cuda_driver": gpu.driver} if gpu else {}
    seen = has_nvidia_gpu()
    return Manifest(
        kind="engine",
        architecture=source.architecture,
        precision=source.precision,
        inputs=source.inputs,
        outputs=source.outputs,
        batch=BatchProfile(
            min(profile.min for profile in job.profiles),
            job.profiles[0].opt,
            max(profile.max for profile in job.profiles),
        ),
        parent_sha256=source.sha256,
        builder=version_tag(trt),
        versions={**installed_versions(("dcgan-edge",)), str(trt.__name__): str(trt.__version__)},
        targets=targets_of(gpu, job.settings) if gpu and not job.targets else job.targets,
        built_on={**machine_facts(), **facts},
        cost=source.cost,
        origin=source.origin,
        notes={
            "workspace": job.workspace,
            "profiles": [dataclasses.asdict(profile) for profile in job.profiles],
            "options": dataclasses.asdict(job.settings),
            "warnings": list(built.warnings),
        },
        parity={
            "verdict": "not_run",
            "reason": "not measured yet: dcgan-edge verify" if seen else "no GPU of a target on this machine",
            **({"gate": source.parity["gate"]} if "gate" in source.parity else {}),  # what `verify` goes by
        },
    )
