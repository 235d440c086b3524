"""The compiler at work: a job in, engine bytes out. One code path for TensorRT 10.3 to 11.x and TensorRT-RTX.

It runs in a process of its own (`engine_process`), loads nothing but NVIDIA's library, and turns every None
and False of that library into an error that carries the library's own words.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from dcgan_edge.artifact import BatchProfile
from dcgan_edge.errors import EdgeError, UnavailableError
from dcgan_edge.runtime.tensorrt.library import Flavour, captured, load_tensorrt, process_logger

from .config import (
    Settings,
    add_profiles,
    apply_settings,
    keep_timings,
    set_targets,
    use_timings,
)
from .network import layers_without_half, move_to_float32, read_graph
from .process import BuildProgress

if TYPE_CHECKING:
    from tensorrt import Builder, IBuilderConfig, IHostMemory, INetworkDefinition, IProgressMonitor

SAID = 12  # lines of the library's log in an error

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """One engine to build. No `targets` means the GPU of this machine; `workspace` is in bytes."""

    onnx: bytes
    name: str
    flavour: Flavour
    targets: tuple[str, ...]
    profiles: tuple[BatchProfile, ...]
    workspace: int
    settings: Settings
    timing_cache: Path | None = None


@dataclass(frozen=True)
class Built:
    """An engine, the layers that had to be float32, and what the library warned of."""

    engine: bytes
    fp32_nodes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def compile_engine(job: Job, progress: BuildProgress) -> Built:
    """Build the engine of `job`.

    Raises UsageError when the profiles do not fit the graph or a setting does not exist, UnavailableError
    when this version of the library lacks a setting, EdgeError with the library's words for all else.
    """
    trt = load_tensorrt(job.flavour)
    fp32: tuple[str, ...] = ()
    with captured() as log:
        builder = _make_builder(trt, job, log)
        while True:
            log.clear()
            graph = read_graph(trt, builder, job.onnx, job.name)
            weights = move_to_float32(trt, graph.network, fp32)
            config = _configure(trt, builder, graph.network, job, progress)
            memory: IHostMemory | None = builder.build_serialized_network(graph.network, config)
            del weights  # had to live until here
            if memory is not None:
                keep_timings(config, job.timing_cache)
                return Built(bytes(memory), fp32, tuple(log))
            stuck = set(layers_without_half(trt, graph.network, log)) - set(fp32)
            if not stuck:
                raise _refused(f"{job.name} was not compiled", log)
            _log.warning("No half-precision kernel for %s: building again with float32 there.", sorted(stuck))
            fp32 = tuple(sorted({*fp32, *stuck}))


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


def _refused(what: str, log: Iterable[str]) -> EdgeError:
    words = _words(log) or "the library gave no reason."
    short = re.search("workspace|OutOfMemory", words)
    return EdgeError(f"{what}: {words}{' Try another --workspace, such as 256MiB.' if short else ''}")


def _words(log: Iterable[str]) -> str:
    """The last things the library said, without repetition, on one line."""
    lines: dict[str, Any] = dict.fromkeys(line.strip() for line in log)
    return " | ".join(list(lines)[-SAID:])
