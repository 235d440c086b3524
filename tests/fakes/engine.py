"""`Runtime`, `ICudaEngine` and what TensorRT-RTX adds: they check what NVIDIA's check, and log it."""

from __future__ import annotations

import json
import weakref
from typing import Any

from fakes.blob import Blob, evaluator
from fakes.context import CONTEXT_BYTES, IExecutionContext
from fakes.gpu import Gpu
from fakes.surface import Dims, Library, Surface

SCRATCH = 512  # bytes that a context needs for itself, per image of the largest profile


class Runtime(Surface):
    def __init__(self, library: Library, logger: Any) -> None:
        if library.gpu.enter("Runtime"):
            library.log("Error Code 1: injected into Runtime")
            raise TypeError("pybind11::init(): factory function returned nullptr")
        super().__init__(library)
        self.engine_host_code_allowed = False

    def deserialize_cuda_engine(self, data: bytes) -> ICudaEngine | None:
        library = self._library
        try:
            blob = Blob.unpack(data)
        except ValueError as error:
            library.log(f"Error Code 1: Serialization ({error})")
            return None
        if blob.host_code and not self.engine_host_code_allowed:
            library.log("Error Code 1: host code is not allowed")
            return None
        if not blob.host_code and blob.version != library.version:
            library.log(f"Error Code 6: expecting library version {blob.version} got {library.version}")
            return None
        if library.gpu.sm not in blob.targets:
            library.log(f"Error Code 6: expecting compute {blob.targets} got {library.gpu.sm}")
            return None
        if blob.warning:
            library.logger.log(library.logger.WARNING, blob.warning)
        weights = library.gpu.allocate(len(blob.onnx), on_host=False)
        if weights is None:
            library.log(f"Error Code 2: OutOfMemory (Requested size was {len(blob.onnx)} bytes.)")
            return None
        engine = ICudaEngine(self, blob)
        weakref.finalize(engine, library.gpu.free, weights.address, on_host=False)
        weakref.finalize(engine, check_outlived, library.gpu, weakref.ref(self))
        return engine


def check_outlived(gpu: Gpu, runtime: weakref.ref[Runtime]) -> None:
    if runtime() is None:
        gpu.violate("an engine outlived its runtime")


class ICudaEngine(Surface):
    def __init__(self, runtime: Runtime, blob: Blob) -> None:
        super().__init__(runtime._library)
        self._runtime = weakref.ref(runtime)
        self._blob = blob
        session = evaluator(blob.onnx)
        tensors = (*session.get_inputs(), *session.get_outputs())
        self._shapes = {
            name: (-1, *tensor.shape[1:]) for name, tensor in zip(blob.names, tensors, strict=True)
        }
        largest = max((profile[2] for profile in blob.profiles), default=0)
        self.num_io_tensors = len(blob.names)
        self.num_optimization_profiles = len(blob.profiles)
        self.device_memory_size_v2 = largest * SCRATCH

    def _alive(self) -> None:
        if self._runtime() is None:
            self._gpu.violate("an engine was used after its runtime was gone")

    def get_tensor_name(self, index: int) -> str:
        return self._blob.names[index]

    def get_tensor_dtype(self, name: str) -> Any:
        return self._library.enums["DataType"][self._blob.dtype]

    def get_tensor_mode(self, name: str) -> Any:
        return self._library.enums["TensorIOMode"]["INPUT" if name == self._blob.names[0] else "OUTPUT"]

    def get_tensor_format(self, name: str) -> Any:
        return self._library.enums["TensorFormat"][self._blob.format]

    def get_tensor_location(self, name: str) -> Any:
        return self._library.enums["TensorLocation"][self._blob.location]

    def get_tensor_shape(self, name: str) -> Dims:
        return Dims(self._shapes[name])

    def get_tensor_profile_shape(self, name: str, profile: int) -> list[Dims]:
        rest = self._shapes[name][1:]
        return [Dims((batch, *rest)) for batch in self._blob.profiles[profile]]

    def create_execution_context(self, how: Any = None) -> IExecutionContext | None:
        self._alive()
        room = self._gpu.allocate(CONTEXT_BYTES, on_host=False)
        if room is None:
            self._library.log("Error Code 2: OutOfMemory (Requested size was 256 bytes.)")
            return None
        context = IExecutionContext(self, how)
        weakref.finalize(context, self._gpu.free, room.address, on_host=False)
        return context

    def create_runtime_config(self) -> IRuntimeConfig:
        self._alive()
        return IRuntimeConfig(self)


class IRuntimeConfig(Surface):
    def __init__(self, engine: ICudaEngine) -> None:
        super().__init__(engine._library)
        self._engine = weakref.ref(engine)
        self._strategy: Any = None
        self._cache: IRuntimeCache | None = None
        for name, enum, member in (
            ("cuda_graph_strategy", "CudaGraphStrategy", "DISABLED"),
            (
                "dynamic_shapes_kernel_specialization_strategy",
                "DynamicShapesKernelSpecializationStrategy",
                "LAZY",
            ),
        ):
            if name in self._members:
                setattr(self, name, engine._library.enums[enum][member])

    def set_execution_context_allocation_strategy(self, strategy: Any) -> None:
        self._strategy = strategy

    def create_runtime_cache(self) -> IRuntimeCache:
        return IRuntimeCache(self._library)

    def set_runtime_cache(self, cache: IRuntimeCache) -> bool:
        self._cache = cache
        return True


class IRuntimeCache(Surface):
    """Kernels by name; the blob says which machine they are for."""

    def __init__(self, library: Library) -> None:
        super().__init__(library)
        self._kernels: set[str] = set()

    def deserialize(self, blob: bytes) -> bool:
        facts = json.loads(blob)
        if facts["gpu"] != self._gpu.name or facts["version"] != self._library.version:
            return False
        self._kernels = set(facts["kernels"])
        return True

    def serialize(self) -> IHostMemory:
        facts = {"gpu": self._gpu.name, "version": self._library.version, "kernels": sorted(self._kernels)}
        return IHostMemory(self._library, json.dumps(facts).encode())


class IHostMemory(Surface):
    def __init__(self, library: Library, data: bytes) -> None:
        super().__init__(library)
        self._data = data

    def __bytes__(self) -> bytes:
        return self._data
