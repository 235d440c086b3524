"""The compiler at work: a job in, engine bytes out. One code path for TensorRT 10.3 to 11.x and TensorRT-RTX.

It runs in a process of its own (`engine_process`), loads nothing but NVIDIA's library, and turns every None
and False of that library into an error that carries the library's own words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from dcgan_edge.artifact import BatchProfile
from dcgan_edge.errors import EdgeError, UnavailableError
from dcgan_edge.runtime.cuda import open_cuda
from dcgan_edge.runtime.tensorrt.library import Flavour, captured, load_tensorrt, process_logger

from .config import (
    Settings,
    add_profiles,
    apply_settings,
    keep_timings,
    set_targets,
    use_timings,
)
from .network import layers_without_half, read_graph
from .process import BuildProgress

if TYPE_CHECKING:
    from tensorrt import Builder, IBuilderConfig, IHostMemory, INetworkDefinition, IProgressMonitor

SAID = 12  # lines of the library's log in an error


@dataclass(frozen=True)
class Job:
    """One engine to build. Without `targets` it is for GPU `device_index` of this machine (None: the first);
    `workspace` is in bytes.
    """

    onnx: bytes
    name: str
    flavour: Flavour
    targets: tuple[str, ...]
    profiles: tuple[BatchProfile, ...]
    workspace: int
    settings: Settings
    timing_cache: Path | None = None
    device_index: int | None = None


@dataclass(frozen=True)
class Built:
    """An engine, and what the library warned of."""

    engine: bytes
    warnings: tuple[str, ...] = ()


def compile_engine(job: Job, progress: BuildProgress) -> Built:
    """Build the engine of `job`.

    Raises UsageError when the profiles do not fit the graph or a setting does not exist, UnavailableError
    when this version of the library lacks a setting, EdgeError with the library's words for all else; where
    a layer has no half-precision implementation, the error names it and how to export without.
    """
    trt = load_tensorrt(job.flavour)
    if job.device_index is not None:
        open_cuda(job.device_index)  # TensorRT builds for the device that is current
    with captured() as log:
        builder = _make_builder(trt, job, log)
        log.clear()
        graph = read_graph(trt, builder, job.onnx, job.name)
        config = _configure(trt, builder, graph.network, job, progress)
        memory: IHostMemory | None = builder.build_serialized_network(graph.network, config)
        if memory is None:
            stuck = layers_without_half(trt, graph.network, log)
            raise _refused(f"{job.name} was not compiled", log, stuck)
        keep_timings(config, job.timing_cache)
        return Built(bytes(memory), tuple(log))


def _make_builder(trt: ModuleType, job: Job, log: Iterable[str]) -> Builder:
    try:
        builder: Builder = trt.Builder(process_logger(trt))
    except (TypeError, RuntimeError) as error:  # pybind's way of saying that the library returned nothing
        if job.flavour == "tensorrt":
            raise UnavailableError(f"TensorRT finds no usable GPU: {_words(log) or error}") from error
        raise _refused("TensorRT-RTX did not start", log) from error
    return builder


def _configure(
    trt: ModuleType, builder: Builder, network: INetworkDefinition, job: Job, progress: BuildProgress
) -> IBuilderConfig:
    config: IBuilderConfig | None = builder.create_builder_config()
    if config is None:
        raise EdgeError(f"{trt.__name__} {trt.__version__} made no builder configuration.")
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, job.workspace)
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    config.progress_monitor = _monitor(trt, progress)
    apply_settings(trt, config, job.settings)
    add_profiles(builder, network, config, job.profiles)
    set_targets(trt, config, job.targets)
    if job.timing_cache is not None:
        use_timings(config, job.timing_cache)
    return config


def _monitor(trt: ModuleType, progress: BuildProgress) -> IProgressMonitor:
    """Passes the builder's progress on; its phases nest, so each step is told with its own phase."""

    class Monitor(trt.IProgressMonitor):  # type: ignore[misc, name-defined]  # its base is known at run time only
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)
            self._steps: dict[str, int] = {}

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            self._steps[phase_name] = num_steps
            progress(phase_name, 0, num_steps)

        def step_complete(self, phase_name: str, step: int) -> bool:
            progress(phase_name, step + 1, self._steps.get(phase_name, step + 1))
            return True

        def phase_finish(self, phase_name: str) -> None:
            self._steps.pop(phase_name, None)

    return Monitor()


def _refused(what: str, log: Iterable[str], without_half: tuple[str, ...] = ()) -> EdgeError:
    """The library's words, and what to try. `without_half` are layers that it cannot compute in half."""
    words = _words(log) or "the library gave no reason."
    advice = ""
    if without_half:
        options = " ".join(f"--keep-fp32 {name}" for name in without_half)
        advice = (
            f" There is no half-precision implementation of {', '.join(without_half)} here; export it in "
            f"float32: dcgan-edge export CHECKPOINT {options}"
        )
    elif re.search("workspace|OutOfMemory", words):
        advice = " Try another --workspace, such as 256MiB."
    return EdgeError(f"{what}: {words}{advice}")


def _words(log: Iterable[str]) -> str:
    """The last things the library said, without repetition, on one line."""
    lines: dict[str, Any] = dict.fromkeys(line.strip() for line in log)
    return " | ".join(list(lines)[-SAID:])
