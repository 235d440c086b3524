"""What TensorRT-RTX needs beside TensorRT: its settings for execution contexts, and kernels kept on disk.

RTX compiles kernels on the device at the first run. They are kept in a file of the user's cache folder, one
for each engine, GPU and library version, so that the next process starts warm. It captures CUDA graphs by
itself. Source: TensorRT-RTX documentation, "Working with Runtime Cache", "Working with RTX CUDA Graphs".
"""

from __future__ import annotations

import logging
import re
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from dcgan_edge.errors import EdgeError
from dcgan_edge.files import cache_folder, write_atomic

if TYPE_CHECKING:
    from tensorrt_rtx import ICudaEngine, IHostMemory, IRuntimeCache, IRuntimeConfig

_log = logging.getLogger("dcgan_edge.tensorrt")


class RtxSettings:
    """The settings of every context of one engine, and its kernels on disk. `facts` says what is in force."""

    def __init__(self, trt: ModuleType, cache_file: Path, *, cuda_graph: bool) -> None:
        self._trt = trt
        self._file = cache_file
        self._cuda_graph = cuda_graph
        self._on_disk: bytes | None = None
        self.config: IRuntimeConfig = None  # from `attach` to `close`
        self._cache: IRuntimeCache = None
        self.facts: dict[str, Any] = {"runtime_cache": str(cache_file)}

    def attach(self, engine: ICudaEngine) -> bool:
        """Make the configuration of `engine`. Whether the library took it."""
        trt = self._trt
        self.config = engine.create_runtime_config()
        self._cache = None if self.config is None else self.config.create_runtime_cache()
        if self._cache is None:
            return False
        self.facts["runtime_cache_state"] = self._load()  # before the configuration has it
        if not self.config.set_runtime_cache(self._cache):
            return False
        graphs = trt.CudaGraphStrategy
        kernels = trt.DynamicShapesKernelSpecializationStrategy
        memory = trt.ExecutionContextAllocationStrategy
        self.config.set_execution_context_allocation_strategy(memory.USER_MANAGED)
        self.config.cuda_graph_strategy = graphs.WHOLE_GRAPH_CAPTURE if self._cuda_graph else graphs.DISABLED
        self.config.dynamic_shapes_kernel_specialization_strategy = kernels.EAGER
        self.facts["cuda_graph_strategy"] = self.config.cuda_graph_strategy.name
        self.facts["kernel_specialization"] = self.config.dynamic_shapes_kernel_specialization_strategy.name
        return True

    def save(self) -> None:
        """Write the kernels compiled so far, if there are new ones. Failing is logged; it only costs time."""
        memory: IHostMemory = self._cache.serialize()
        if memory is None:
            _log.warning("TensorRT-RTX did not hand out its compiled kernels; they are not kept.")
            return
        data = bytes(memory)
        if data == self._on_disk:
            return
        try:
            write_atomic(self._file, data)
        except EdgeError as error:
            _log.warning("Compiled kernels are not kept for the next start: %s", str(error))
        self._on_disk = data

    def close(self) -> None:
        """Let go of the configuration, which belongs to the engine."""
        self.config = self._cache = None

    def _load(self) -> str:
        """Whether kernels were there: "warm", "cold" (no file) or "stale" (of another driver, say)."""
        try:
            data = self._file.read_bytes()
        except OSError:
            return "cold"
        if not self._cache.deserialize(data):
            return "stale"
        self._on_disk = data
        return "warm"


def cache_file(engine_sha256: str, device: str, version: str) -> Path:
    """Where the kernels of one engine, on one kind of GPU, with one library version, are kept."""
    gpu = re.sub(r"[^a-z0-9]+", "-", device.lower()).strip("-")
    return cache_folder() / "tensorrt-rtx" / f"{engine_sha256[:16]}.{gpu}.rtx{version}.cache"
