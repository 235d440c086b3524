"""`Runtime`, `ICudaEngine` and what TensorRT-RTX adds: they check what NVIDIA's check, and log it."""

from __future__ import annotations

import json
import weakref
from typing import Any

from tests.fakes.blob import Blob, evaluator
from tests.fakes.context import CONTEXT_BYTES, IExecutionContext
from tests.fakes.gpu import Gpu
from tests.fakes.surface import Dims, Library, Surface

LAYERS = 2  # in the inspector's JSON
WORDS = {"FP32": "Float", "FP16": "Half"}
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
        self._bytes_out = tensors[-1].type == "tensor(uint8)"
        self._shapes = {
            name: (-1, *tensor.shape[1:]) for name, tensor in zip(blob.names, tensors, strict=True)
        }
        largest = max((profile[2] for profile in blob.profiles), default=0)
        self.num_io_tensors = len(blob.names)
        self.num_optimization_profiles = len(blob.profiles)
        self.device_memory_size_v2 = largest * SCRATCH
        self.num_layers = LAYERS
        self.profiling_verbosity = self._library.enums["ProfilingVerbosity"][blob.verbosity]

    def _alive(self) -> None:
        if self._runtime() is None:
            self._gpu.violate("an engine was used after its runtime was gone")

    def get_tensor_name(self, index: int) -> str:
        return self._blob.names[index]

    def get_tensor_dtype(self, name: str) -> Any:
        bytes_out = self._bytes_out and name == self._blob.names[1]
        return self._library.enums["DataType"]["UINT8" if bytes_out else self._blob.dtype]

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

    def create_engine_inspector(self) -> EngineInspector:
        self._alive()
        return EngineInspector(self)

    def create_runtime_config(self) -> IRuntimeConfig:
        self._alive()
        return IRuntimeConfig(self)


class EngineInspector(Surface):
    """Describes the engine as two layers, with the keys of its version; formats once a context has shapes."""

    def __init__(self, engine: ICudaEngine) -> None:
        super().__init__(engine._library)
        self._engine = weakref.ref(engine)
        self.execution_context: IExecutionContext | None = None
        weakref.finalize(engine, check_no_inspector, self._gpu, weakref.ref(self))

    def get_engine_information(self, style: Any) -> str | None:
        engine = self._engine()
        if engine is None or style.name != "JSON":
            self._gpu.violate("an inspector was asked for no JSON, or without its engine")
            return None
        engine._alive()
        if self._gpu.enter("EngineInspector.get_engine_information"):  # text has no way to say that it failed
            self._library.log("Error Code 1: injected into EngineInspector.get_engine_information")
            return None
        if engine._blob.described_as is not None:
            return engine._blob.described_as
        source, result = (self._tensor(name, engine._shapes[name], "FP32") for name in engine._blob.names)
        hidden = self._tensor("hidden", (-1, 2, 4, 4), engine._blob.computes_in)
        kinds = {"LayerType": "CaskDeconvolutionV2", "TacticName": "made up"}
        layers = [
            {"Name": "ConvTranspose_0 + Relu_1", "Inputs": [source], "Outputs": [hidden], **kinds},
            {"Name": "ConvTranspose_2 + Tanh_3", "Inputs": [hidden], "Outputs": [result], **kinds},
        ]
        if self._library.version.startswith("11."):
            return json.dumps({"Layers": layers, "I/O Tensors": [source, result]})
        return json.dumps({"Layers": layers, "Bindings": engine._blob.names})

    def _tensor(self, name: str, shape: tuple[int, ...], dtype: str) -> dict[str, Any]:
        batch = None if self.execution_context is None else self.execution_context._batch
        text = "N/A due to dynamic shapes" if batch is None else f"Row major linear {dtype} format"
        facts = {"Name": name, "Dimensions": [-1 if batch is None else batch, *shape[1:]]}
        if self._library.version.startswith("11."):
            return {**facts, "Datatype": WORDS[dtype], "Format": text}
        return {**facts, "Format/Datatype": text}


def check_no_inspector(gpu: Gpu, inspector: weakref.ref[EngineInspector]) -> None:
    if inspector() is not None:
        gpu.violate("an inspector outlived its engine")


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
