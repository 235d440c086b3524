"""From an ONNX file to an engine with its manifest: the builder is chosen, the cache asked, the compiler run.

Loads neither torch nor onnx, so that a device builds its own engines. The order of a build: `engine_targets`
chooses the library, `engine_cache` knows whether the engine exists, `engine_process` runs `engine_compile`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from dcgan_edge.artifact import BatchProfile, Manifest, read_artifact, sha256, write_artifact
from dcgan_edge.errors import ArtifactError, UnavailableError, UsageError
from dcgan_edge.golden import inherited_golden
from dcgan_edge.runtime.cuda import CudaDevice, open_cuda
from dcgan_edge.runtime.device import has_nvidia_gpu, installed_versions, machine_facts
from dcgan_edge.runtime.tensorrt.library import load_tensorrt, version_tag

from .cache import cache_key, load_cached, store_cached, timing_cache_path
from .compile import Built, Job, compile_engine
from .config import Settings
from .process import BuildProgress, run_in_child
from .targets import choose_builder, default_workspace, targets_of

MIB = 2**20
CACHE_HIT = "found in the cache"  # the phase that progress is told instead of the builder's own
DEVICE_TIMEOUT = 120.0  # seconds for the driver to say what the GPU is


@dataclass(frozen=True)
class BuildOptions:
    """How to build. `profiles` replace the one batch profile (the first is the one that is used by default);
    `timeout` is in seconds."""

    settings: Settings = field(default_factory=Settings)
    profiles: tuple[BatchProfile, ...] = ()
    use_cache: bool = True
    timeout: float = 3600.0


def build_engine(
    onnx_path: Path,
    folder: Path,
    *,
    targets: Sequence[str] = (),
    batch: BatchProfile | None = None,
    workspace: int | None = None,
    options: BuildOptions = BuildOptions(),
    progress: BuildProgress | None = None,
) -> tuple[Path, Manifest]:
    """Build the ONNX file of this program at `onnx_path` into `folder`; return the engine and its manifest.

    Without `targets` the engine is for the GPU of this machine, or where there is none, for the default
    generations; `targets` such as "sm86" are built ahead of time. `batch` is what the engine accepts
    (default: what the graph does), `workspace` the bytes its layers may use. `progress` is told (phase, done,
    total).

    Raises UsageError (no such file, unknown target, settings or batches that do not go together),
    ArtifactError (a file that is not an ONNX file of this program), UnavailableError (no builder, or one
    without a setting), EdgeError (the library refused, or the build died; the message says why).
    """
    source, data = read_artifact(onnx_path)
    if source.kind != "onnx":
        raise ArtifactError(f"{onnx_path.name} is already an engine; build from the ONNX file.")
    flavour, ahead = choose_builder(targets)
    if flavour == "rtx":
        _refuse_for_rtx(options.settings)
    profiles = _profiles(source, batch, options.profiles)
    if workspace is not None and workspace < 1:
        raise UsageError(f"A workspace of {workspace} bytes is no workspace.")
    trt = load_tensorrt(flavour)
    device = None if ahead else run_in_child(_describe_device, None, timeout=DEVICE_TIMEOUT)
    job = Job(
        onnx=data,
        name=onnx_path.name,
        flavour=flavour,
        targets=ahead,
        profiles=profiles,
        workspace=default_workspace() if workspace is None else workspace,
        settings=options.settings,
        timing_cache=timing_cache_path(version_tag(trt), device.name) if device else None,
    )
    facts = {
        "builder": str(trt.__version__),
        "device": [device.name, device.sm, device.driver] if device else None,
    }
    built = _build(job, facts, options, progress)
    proof, golden = inherited_golden(onnx_path, source)
    manifest = dataclasses.replace(_manifest(source, job, built, trt, device), golden=proof)
    stem = onnx_path.stem.removesuffix(f".{source.precision}")
    label = "-".join(manifest.targets)
    path = folder / f"{stem}.{manifest.precision}.{label}.{manifest.builder}.engine"
    return path, write_artifact(path, built.engine, manifest, golden=golden)


def batch_profile(
    onnx_path: Path, low: int | None, best: int | None, high: int | None
) -> BatchProfile | None:
    """The batch profile asked for, completed by what the graph accepts; None if none was asked for.

    Raises UsageError when the sizes do not rise, and what reading the file raises.
    """
    if low is None and best is None and high is None:
        return None
    graph = read_artifact(onnx_path)[0].batch
    least = graph.min if low is None else low
    most = max(graph.max, least) if high is None else high
    return BatchProfile(least, min(max(graph.opt, least), most) if best is None else best, most)


def _build(job: Job, facts: dict[str, Any], options: BuildOptions, progress: BuildProgress | None) -> Built:
    """The engine from the cache, else from the compiler in a process of its own."""
    key = cache_key({**facts, **_influences(job)})
    cached = load_cached(key) if options.use_cache else None
    if cached is not None:
        if progress is not None:
            progress(CACHE_HIT, 1, 1)
        return cached
    largest = max(profile.max for profile in job.profiles)
    advice = (
        f"Try less workspace (--workspace {max(job.workspace // 4 // MIB, 1)}MiB), a smaller --max-batch "
        f"(now {largest}), or more swap."
    )
    built = run_in_child(compile_engine, job, timeout=options.timeout, advice=advice, progress=progress)
    if options.use_cache:
        store_cached(key, built)
    return built


def _influences(job: Job) -> dict[str, Any]:
    """Everything in `job` that changes the engine's bytes, as JSON values."""
    facts = dataclasses.asdict(job)
    facts["onnx"] = sha256(job.onnx)
    del facts["name"], facts["timing_cache"]
    return facts


def _profiles(
    source: Manifest, batch: BatchProfile | None, several: tuple[BatchProfile, ...]
) -> tuple[BatchProfile, ...]:
    """The optimisation profiles: those asked for, else what the graph accepts. Together they leave no gap."""
    if batch is not None and several:
        raise UsageError("Give one batch profile or several, not both.")
    profiles = several or (batch or source.batch,)
    reach = 0
    for profile in sorted(profiles, key=lambda profile: profile.min):
        if reach and profile.min > reach + 1:
            raise UsageError(f"No profile takes {reach + 1} to {profile.min - 1} images; leave no gap.")
        reach = max(reach, profile.max)
    return profiles


def _refuse_for_rtx(settings: Settings) -> None:
    """Raises UsageError or UnavailableError for what TensorRT-RTX does not do, instead of ignoring it."""
    if settings.optimization_level is not None:
        raise UsageError("TensorRT-RTX has no optimisation levels; leave --optimization-level out.")
    if settings.hardware_compat != "none":
        raise UsageError("A TensorRT-RTX engine runs on its targets; name them instead of --hardware-compat.")
    if settings.version_compatible:
        raise UsageError("TensorRT-RTX has no version-compatible engines; leave --version-compatible out.")
    if (settings.strip_plan or settings.refit) and not has_nvidia_gpu():
        raise UnavailableError("TensorRT-RTX needs a GPU to build with --strip-plan or --refit.")


def _describe_device(_: None, __: BuildProgress) -> CudaDevice:
    """The GPU; asked in a child, so that this process holds no GPU memory while the builder needs it."""
    return open_cuda().device


def _manifest(
    source: Manifest, job: Job, built: Built, trt: ModuleType, device: CudaDevice | None
) -> Manifest:
    gpu = {"gpu": device.name, "sm": device.sm, "cuda_driver": device.driver} if device else {}
    seen = has_nvidia_gpu()
    return Manifest(
        kind="engine",
        architecture=source.architecture,
        precision="mixed" if built.fp32_nodes else source.precision,
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
        targets=job.targets or targets_of(device, job.settings),
        built_on={**machine_facts(), **gpu},
        cost=source.cost,
        notes={
            "workspace": job.workspace,
            "profiles": [dataclasses.asdict(profile) for profile in job.profiles],
            "options": dataclasses.asdict(job.settings),
            "float32_nodes": list(built.fp32_nodes),
            "warnings": list(built.warnings),
        },
        parity={
            "verdict": "not_run",
            "reason": "not measured yet: dcgan-edge verify" if seen else "no GPU of a target on this machine",
        },
    )
