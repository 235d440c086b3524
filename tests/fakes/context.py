"""`IExecutionContext`: remembers shapes and addresses, and queues the work that makes images of latents."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.fakes.blob import evaluate
from tests.fakes.gpu import Access, Work
from tests.fakes.surface import Dims, Surface

if TYPE_CHECKING:
    from tests.fakes.engine import ICudaEngine, IRuntimeConfig

EXECUTE_MS = 10.0
CONTEXT_BYTES = 256  # of the GPU's memory, for as long as the context lives


class IExecutionContext(Surface):
    def __init__(self, engine: ICudaEngine, how: Any) -> None:
        super().__init__(engine._library)
        self._engine = weakref.ref(engine)
        self._blob = engine._blob
        self._config: IRuntimeConfig | None = how if hasattr(how, "_strategy") else None
        strategy = how if self._config is None else self._config._strategy
        if strategy is None or strategy.name != "USER_MANAGED":
            self._gpu.violate("a context has scratch memory of its own")
        self._profile: int | None = None
        self._batch: int | None = None
        self._addresses: dict[str, int] = {}
        self._scratch = (0, 0)
        self._settled = False  # it ran since its shape or profile changed, so that it can be captured
        self._version = 0  # counts changes; a graph is for one of them

    def _change(self) -> None:
        self._settled = False
        self._version += 1
        if self._engine() is None:
            self._gpu.violate("a context was used after its engine was gone")

    def set_optimization_profile_async(self, index: int, stream: int) -> bool:
        self._change()
        if stream not in self._gpu.streams:
            self._gpu.violate("a profile was set on a stream that does not exist")
        self._batch = None
        if not 0 <= index < len(self._blob.profiles):
            self._library.log(f"Error Code 3: profile {index} does not exist")
            return False
        self._profile = index
        if stream in self._gpu.streams:  # the switch copies something
            self._gpu.queue(stream, Work(lambda: None, owner=weakref.ref(self)))
        return True

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        self._change()
        engine = self._engine()
        if self._profile is None or engine is None or name != self._blob.names[0]:
            self._library.log("Error Code 3: no profile, or no such input")
            return False
        low, _, high = self._blob.profiles[self._profile]
        if not low <= shape[0] <= high or shape[1:] != engine._shapes[name][1:]:
            self._library.log(f"Error Code 3: {shape} is not in profile {self._profile}")
            return False
        self._batch = shape[0]
        return True

    def set_tensor_address(self, name: str, address: int) -> bool:
        self._change()
        if name not in self._blob.names:
            self._library.log(f"Error Code 3: there is no tensor {name}")
            return False
        self._addresses[name] = address
        return True

    def set_device_memory(self, address: int, size: int) -> None:
        self._change()
        self._scratch = (address, size)

    def infer_shapes(self) -> list[str]:
        return [] if self._batch is not None else [self._blob.names[0]]

    def get_tensor_shape(self, name: str) -> Dims:
        engine = self._engine()
        assert engine is not None
        batch = -1 if self._batch is None else self._batch
        if name == self._blob.names[1]:
            batch *= self._blob.images_per_latent
        return Dims((batch, *engine._shapes[name][1:]))

    def execute_async_v3(self, stream: int) -> bool:
        engine = self._engine()
        needed = 0 if engine is None else engine.device_memory_size_v2
        if engine is None or stream not in self._gpu.streams:
            self._gpu.violate("a context ran without its engine, or on a stream that does not exist")
            return False
        engine._alive()
        if self._batch is None or len(self._addresses) != 2 or self._scratch[1] < needed:
            self._library.log("Error Code 3: shape, address or scratch memory is missing")
            return False
        if self._gpu.stale_error:
            self._library.log("Error Code 1: Cuda Runtime (an earlier error)")
            return False
        capturing = self._gpu.streams[stream].captured is not None
        if capturing and not (self._settled and self._blob.capturable):
            self._gpu.streams[stream].capture_valid = False
            self._library.log("Error Code 1: operation not permitted when stream is capturing")
            return False
        if capturing and self._blob.empty_graph:
            return True
        self._settled = True
        self._compile()
        self._gpu.queue(stream, self._work(capturing))
        return True

    def _compile(self) -> None:
        """TensorRT-RTX makes kernels for a shape when it first occurs."""
        cache = self._config._cache if self._config is not None else None
        if cache is not None:
            kernel = f"batch {self._batch}"
            if kernel not in cache._kernels:
                self._gpu.compiled.append(kernel)
            cache._kernels.add(kernel)

    def _work(self, captured: bool) -> Work:
        assert self._batch is not None
        assert self._profile is not None
        gpu, batch, profile, onnx, version = (
            self._gpu,
            self._batch,
            self._profile,
            self._blob.onnx,
            self._version,
        )
        error = self._blob.error + (self._blob.replay_error if captured else 0.0)
        source, result = (self._addresses[name] for name in self._blob.names)
        engine = self._engine()
        widths = (4, 1 if engine is not None and engine._bytes_out else 4)
        sizes = [
            width * batch * int(np.prod(self.get_tensor_shape(name)[1:]))
            for name, width in zip(self._blob.names, widths, strict=True)
        ]
        scratch, scratch_bytes = self._scratch
        owner = weakref.ref(self)

        def execute() -> None:
            context = owner()
            if captured and context is not None and context._version != version:
                gpu.violate("a graph was launched after its context was changed")
            latents = gpu.view(source, sizes[0], by_gpu=True)
            images = gpu.view(result, sizes[1], by_gpu=True)
            room = gpu.view(scratch, scratch_bytes, by_gpu=True)
            if latents is None or images is None or room is None:
                return
            room[:] = 0
            gpu.latents = latents.view(np.float32).reshape(batch, -1).copy()
            batch_of_latents = latents.view(np.float32).reshape(batch, -1, 1, 1)
            made = evaluate(onnx, batch_of_latents)
            most = 255 if made.dtype == np.uint8 else np.inf
            made = np.minimum(made + np.float32(error), most).astype(made.dtype)
            images[:] = np.ascontiguousarray(made).view(np.uint8).reshape(-1)
            gpu.executed.append((profile, batch))

        accesses = (Access(source, sizes[0], True, False), Access(result, sizes[1], True, True))
        return Work(execute, accesses, EXECUTE_MS, scratch, owner)
