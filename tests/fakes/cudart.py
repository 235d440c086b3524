"""`cuda.bindings.runtime` over the in-memory GPU: the calls that the program makes, as (error, value) tuples.

`test_cuda.py` compares every name, enum value and number of arguments here with NVIDIA's package.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Any

from tests.fakes.cuda_types import (
    CONSTANTS,
    ENUMS,
    OK,
    DeviceProperties,
    Handle,
    Result,
    cudaDeviceAttr,
    cudaError_t,
    cudaMemcpyKind,
    cudaStreamCaptureMode,
)
from tests.fakes.gpu import Access, Gpu, StreamState, Work

COPY_MS = {1: 1.0, 2: 2.0}  # by cudaMemcpyKind


def call(outputs: int, *, releases: bool = False, fails_with: str = "cudaErrorUnknown") -> Callable[..., Any]:
    """A call with so many values after the error. One that `releases` does so even when it reports an error,
    because CUDA reports there what went wrong earlier.
    """

    def decorate(method: Callable[..., Result]) -> Callable[..., Result]:
        @functools.wraps(method)
        def wrapper(self: FakeCudart, *arguments: Any) -> Result:
            failed = self.gpu.enter(method.__name__)
            if failed and not releases:
                return (cudaError_t[fails_with], *[None] * outputs)
            result = method(self, *arguments)
            return (cudaError_t[fails_with], *[None] * outputs) if failed else result

        wrapper.__dict__["call"] = True
        return wrapper

    return decorate


class FakeCudart:
    def __init__(self, gpu: Gpu) -> None:
        self.gpu = gpu
        self._events: dict[int, float | None] = {}  # time at which it was reached; None: not yet
        self._graphs: dict[int, list[Work]] = {}

    # the device

    @call(1, fails_with="cudaErrorNoDevice")
    def cudaGetDeviceCount(self) -> Result:
        return OK, self.gpu.count

    @call(0)
    def cudaSetDevice(self, device: int) -> Result:
        return (OK if self.gpu.choose(device) else cudaError_t.cudaErrorInvalidDevice,)

    @call(1)
    def cudaGetDeviceProperties(self, device: int) -> Result:
        name = f"{self.gpu.name} {device}" if device else self.gpu.name
        return OK, DeviceProperties(name.encode().ljust(256, b"\0"))

    @call(1)
    def cudaDeviceGetAttribute(self, attribute: cudaDeviceAttr, device: int) -> Result:
        values = {
            cudaDeviceAttr.cudaDevAttrIntegrated: int(self.gpu.integrated),
            cudaDeviceAttr.cudaDevAttrCanMapHostMemory: int(self.gpu.maps_host_memory),
            cudaDeviceAttr.cudaDevAttrComputeCapabilityMajor: int(self.gpu.sm[2:-1]),
            cudaDeviceAttr.cudaDevAttrComputeCapabilityMinor: int(self.gpu.sm[-1]),
        }
        return OK, values[attribute]

    @call(2)
    def cudaMemGetInfo(self) -> Result:
        return OK, self.gpu.memory - self.gpu.used, self.gpu.memory

    @call(1)
    def cudaDriverGetVersion(self) -> Result:
        return OK, 12060

    @call(1)
    def cudaRuntimeGetVersion(self) -> Result:
        return OK, 12090

    # errors: not sites of failure, they tell of failures

    def cudaGetErrorName(self, error: cudaError_t) -> Result:
        return OK, error.name.encode()

    def cudaGetErrorString(self, error: cudaError_t) -> Result:
        return OK, b"out of memory" if error == cudaError_t.cudaErrorMemoryAllocation else b"injected"

    def cudaGetLastError(self) -> Result:
        self.gpu.stale_error = False
        return (OK,)

    # memory

    @call(1, fails_with="cudaErrorMemoryAllocation")
    def cudaMalloc(self, size: int) -> Result:
        self._forbid_in_capture("cudaMalloc")
        block = self.gpu.allocate(size, on_host=False)
        return (OK, block.address) if block else (cudaError_t.cudaErrorMemoryAllocation, None)

    @call(0, releases=True)
    def cudaFree(self, pointer: int) -> Result:
        return (OK if self.gpu.free(pointer, on_host=False) else cudaError_t.cudaErrorInvalidValue,)

    @call(1, fails_with="cudaErrorMemoryAllocation")
    def cudaHostAlloc(self, size: int, flags: int) -> Result:
        self._forbid_in_capture("cudaHostAlloc")
        block = self.gpu.allocate(size, on_host=True, mapped=flags == CONSTANTS["cudaHostAllocMapped"])
        return (OK, block.address) if block else (cudaError_t.cudaErrorMemoryAllocation, None)

    @call(1)
    def cudaHostGetDevicePointer(self, pointer: int, flags: int) -> Result:
        for block in self.gpu.blocks:
            if block.address == pointer and block.alive and block.device_address:
                return OK, block.device_address
        return cudaError_t.cudaErrorInvalidValue, None

    @call(0, releases=True)
    def cudaFreeHost(self, pointer: int) -> Result:
        return (OK if self.gpu.free(pointer, on_host=True) else cudaError_t.cudaErrorInvalidValue,)

    @call(0)
    def cudaMemcpyAsync(
        self, target: int, source: int, count: int, kind: cudaMemcpyKind, stream: Handle
    ) -> Result:
        to_host = kind == cudaMemcpyKind.cudaMemcpyDeviceToHost
        accesses = (
            Access(source, count, by_gpu=to_host, writes=False),
            Access(target, count, by_gpu=not to_host, writes=True),
        )

        def copy() -> None:
            content = self.gpu.view(source, count, by_gpu=to_host)
            room = self.gpu.view(target, count, by_gpu=not to_host)
            if content is not None and room is not None:
                room[:] = content

        self.gpu.queue(int(stream), Work(copy, accesses, COPY_MS[kind]))
        return (OK,)

    # streams

    @call(1)
    def cudaStreamCreateWithFlags(self, flags: int) -> Result:
        if flags != CONSTANTS["cudaStreamNonBlocking"]:
            self.gpu.violate("a stream waits for the default stream")
        handle = self.gpu.new_handle("stream")
        self.gpu.streams[handle] = StreamState(gpu=self.gpu.current)
        return OK, Handle(handle)

    @call(0, releases=True)
    def cudaStreamDestroy(self, stream: Handle) -> Result:
        if self.gpu.streams[int(stream)].queue:
            self.gpu.violate("a stream was destroyed with work queued")
        self.gpu.destroy(int(stream), "stream")
        del self.gpu.streams[int(stream)]
        return (OK,)

    def cudaStreamSynchronize(self, stream: Handle) -> Result:
        if self.gpu.enter("cudaStreamSynchronize"):
            self.gpu.abort(int(stream))
            return (cudaError_t.cudaErrorIllegalAddress,)
        state = self.gpu.streams[int(stream)]
        if state.captured is not None:
            state.capture_valid = False
            return (cudaError_t.cudaErrorStreamCaptureUnsupported,)
        self.gpu.wait([int(stream)])
        return (OK,)

    # events

    @call(1)
    def cudaEventCreateWithFlags(self, flags: int) -> Result:
        handle = self.gpu.new_handle("event")
        self._events[handle] = None
        return OK, Handle(handle)

    @call(0)
    def cudaEventRecord(self, event: Handle, stream: Handle) -> Result:
        self._events[int(event)] = None

        def reach() -> None:
            self._events[int(event)] = self.gpu.clock

        self.gpu.queue(int(stream), Work(reach))
        return (OK,)

    @call(1)
    def cudaEventElapsedTime(self, start: Handle, end: Handle) -> Result:
        begun, ended = self._events[int(start)], self._events[int(end)]
        if begun is None or ended is None:
            return cudaError_t.cudaErrorNotReady, None
        return OK, ended - begun

    @call(0, releases=True)
    def cudaEventDestroy(self, event: Handle) -> Result:
        self.gpu.destroy(int(event), "event")
        return (OK,)

    # graphs

    @call(0)
    def cudaStreamBeginCapture(self, stream: Handle, mode: cudaStreamCaptureMode) -> Result:
        state = self.gpu.streams[int(stream)]
        state.captured, state.capture_valid = [], True
        return (OK,)

    @call(1, releases=True, fails_with="cudaErrorStreamCaptureInvalidated")
    def cudaStreamEndCapture(self, stream: Handle) -> Result:
        state = self.gpu.streams[int(stream)]
        captured, state.captured = state.captured, None
        if captured is None or not state.capture_valid or self._will_fail():
            return cudaError_t.cudaErrorStreamCaptureInvalidated, None
        handle = self.gpu.new_handle("graph")
        self._graphs[handle] = captured
        return OK, Handle(handle)

    @call(1)
    def cudaGraphInstantiateWithFlags(self, graph: Handle, flags: int) -> Result:
        if graph is None or self.gpu.handles.get(int(graph)) != "graph":
            return cudaError_t.cudaErrorInvalidValue, None
        handle = self.gpu.new_handle("executable graph")
        self._graphs[handle] = self._graphs[int(graph)]
        return OK, Handle(handle)

    @call(0)
    def cudaGraphLaunch(self, graph: Handle, stream: Handle) -> Result:
        if self.gpu.handles.get(int(graph)) != "executable graph":
            self.gpu.violate("a graph was launched that does not exist")
            return (cudaError_t.cudaErrorInvalidValue,)
        for work in self._graphs[int(graph)]:
            self.gpu.queue(int(stream), work.copy())
        return (OK,)

    @call(0, releases=True)
    def cudaGraphExecDestroy(self, graph: Handle) -> Result:
        self.gpu.destroy(int(graph), "executable graph")
        return (OK,)

    @call(0, releases=True)
    def cudaGraphDestroy(self, graph: Handle) -> Result:
        self.gpu.destroy(int(graph), "graph")
        return (OK,)

    def _forbid_in_capture(self, name: str) -> None:
        for state in self.gpu.streams.values():
            if state.captured is not None:
                state.capture_valid = False
                self.gpu.violate(f"{name} was called during a capture")

    def _will_fail(self) -> bool:
        """Whether the call under way is one that fails: nothing may be made then."""
        index = len(self.gpu.calls) - 1
        return self.gpu.fail(index, self.gpu.calls[index])


@functools.cache
def functions() -> dict[str, int]:
    """The calls that the fake has, with their numbers of arguments."""
    members = inspect.getmembers(FakeCudart, inspect.isfunction)
    return {
        name: len(inspect.signature(function).parameters) - 1
        for name, function in members
        if name.startswith("cuda")
    }


def remembering(gpu: Gpu, function: Callable[..., Result]) -> Callable[..., Result]:
    """An error stays with the thread until it is asked for, and the next who looks takes it for its own."""

    def wrapper(*arguments: Any) -> Result:
        result = function(*arguments)
        gpu.stale_error = gpu.stale_error or result[0] != OK
        return result

    return wrapper


def make_cudart(gpu: Gpu) -> ModuleType:
    """The module to put in the place of `cuda.bindings.runtime`."""
    module = ModuleType("cuda.bindings.runtime")
    fake = FakeCudart(gpu)
    contents: dict[str, Any] = {enum.__name__: enum for enum in ENUMS}
    contents.update(CONSTANTS)
    contents.update({name: remembering(gpu, getattr(fake, name)) for name in functions()})
    vars(module).update(contents)
    return module
