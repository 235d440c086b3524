"""What CUDA hands out and must be given back: memory, streams, events and graphs, each with one owner.

Every owner is made from a `Cuda`, raises its errors, and frees its resource exactly once. `rt` is
`cuda.bindings.runtime`.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from dcgan_edge.errors import EdgeError

from .cuda import Cuda


class Owned:
    """Something that was had from CUDA. `close` gives it back, once, however often it is called.

    Giving back never raises: CUDA reports there what went wrong earlier, and the rest must be freed too.
    """

    def __init__(self, cuda: Cuda, release: Callable[[Any], Any], handle: Any) -> None:
        self._cuda = cuda
        self._release: Callable[[Any], Any] | None = release
        self.handle = handle

    def close(self) -> None:
        """Give the handle back to CUDA. Closing twice is harmless."""
        release, self._release = self._release, None
        if release is not None:
            self._cuda.forgive(release(self.handle))


class DeviceMemory(Owned):
    """`nbytes` bytes of GPU memory at `address`."""

    def __init__(self, cuda: Cuda, nbytes: int) -> None:
        self.nbytes = nbytes
        self.address = int(cuda.check(cuda.rt.cudaMalloc(nbytes), f"allocate {nbytes} bytes of GPU memory"))
        super().__init__(cuda, cuda.rt.cudaFree, self.address)


class HostArray(Owned):
    """Page-locked CPU memory as `array`. When mapped, the GPU sees it at `device_address`, else 0."""

    def __init__(self, cuda: Cuda, shape: tuple[int, ...], dtype: str = "float32", *, mapped: bool) -> None:
        self.nbytes = np.dtype(dtype).itemsize * math.prod(shape)
        flags = cuda.rt.cudaHostAllocMapped if mapped else cuda.rt.cudaHostAllocDefault
        what = f"allocate {self.nbytes} bytes of page-locked memory"
        address = int(cuda.check(cuda.rt.cudaHostAlloc(self.nbytes, flags), what))
        super().__init__(cuda, cuda.rt.cudaFreeHost, address)
        self.device_address = 0
        if mapped:
            try:
                found = cuda.check(cuda.rt.cudaHostGetDevicePointer(address, 0), "map CPU memory for the GPU")
            except EdgeError:
                self.close()
                raise
            self.device_address = int(found)
        raw = (ctypes.c_ubyte * self.nbytes).from_address(address)
        self.array: Any = np.ctypeslib.as_array(raw).view(dtype).reshape(shape)

    def close(self) -> None:
        """Give the memory back to CUDA; `array` must not be used any more."""
        self.array = np.empty(0)  # the view must not outlive the memory
        super().close()


class CudaStream(Owned):
    """A queue of GPU work that does not wait for the default stream."""

    def __init__(self, cuda: Cuda) -> None:
        found = cuda.check(cuda.rt.cudaStreamCreateWithFlags(cuda.rt.cudaStreamNonBlocking), "make a stream")
        super().__init__(cuda, cuda.rt.cudaStreamDestroy, found)

    @property
    def address(self) -> int:
        """The stream as the plain number that TensorRT takes."""
        return int(self.handle)

    def copy_to_device(self, target: DeviceMemory, source: HostArray, nbytes: int) -> None:
        """Queue a copy of the first `nbytes`; `source` must stay as it is until the stream was waited for."""
        kind = self._cuda.rt.cudaMemcpyKind.cudaMemcpyHostToDevice
        self._copy(target.address, source.handle, nbytes, kind, "copy to the GPU")

    def copy_to_host(self, target: HostArray, source: DeviceMemory, nbytes: int) -> None:
        """Queue a copy of the first `nbytes`; `target` holds them once the stream was waited for."""
        kind = self._cuda.rt.cudaMemcpyKind.cudaMemcpyDeviceToHost
        self._copy(target.handle, source.address, nbytes, kind, "copy from the GPU")

    def synchronize(self) -> None:
        """Wait until everything queued so far is done; errors of that work surface here."""
        self._cuda.check(self._cuda.rt.cudaStreamSynchronize(self.handle), "finish the work on the GPU")

    def settle(self) -> bool:
        """Wait as `synchronize` does before memory is freed or used again; whether all work went well."""
        return self._cuda.forgive(self._cuda.rt.cudaStreamSynchronize(self.handle))

    def capture(self, enqueue: Callable[[], None]) -> CudaGraph:
        """Record what `enqueue` queues on this stream instead of running it. Raises what `enqueue` raises."""
        cuda, rt = self._cuda, self._cuda.rt
        mode = rt.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        cuda.check(rt.cudaStreamBeginCapture(self.handle, mode), "begin a graph capture")
        try:
            enqueue()
        except BaseException:
            error, graph = rt.cudaStreamEndCapture(self.handle)
            if cuda.forgive((error,)):
                cuda.forgive(rt.cudaGraphDestroy(graph))
            raise
        graph = cuda.check(rt.cudaStreamEndCapture(self.handle), "end a graph capture")
        try:
            return CudaGraph(cuda, graph)
        finally:
            cuda.forgive(rt.cudaGraphDestroy(graph))

    def _copy(self, target: int, source: int, nbytes: int, kind: Any, what: str) -> None:
        self._cuda.check(self._cuda.rt.cudaMemcpyAsync(target, source, nbytes, kind, self.handle), what)


class CudaGraph(Owned):
    """Captured work, ready to be launched again and again."""

    def __init__(self, cuda: Cuda, graph: Any) -> None:
        found = cuda.check(cuda.rt.cudaGraphInstantiateWithFlags(graph, 0), "instantiate a graph")
        super().__init__(cuda, cuda.rt.cudaGraphExecDestroy, found)

    def launch(self, stream: CudaStream) -> None:
        """Queue the graph in `stream`. Raises what `Cuda.check` raises."""
        self._cuda.check(self._cuda.rt.cudaGraphLaunch(self.handle, stream.handle), "launch a graph")


class CudaEvent(Owned):
    """A point in a stream, with the time at which the GPU reached it."""

    def __init__(self, cuda: Cuda) -> None:
        found = cuda.check(cuda.rt.cudaEventCreateWithFlags(cuda.rt.cudaEventDefault), "make an event")
        super().__init__(cuda, cuda.rt.cudaEventDestroy, found)

    def record(self, stream: CudaStream) -> None:
        """Mark the point that `stream` has reached when it gets here."""
        self._cuda.check(self._cuda.rt.cudaEventRecord(self.handle, stream.handle), "record an event")

    def milliseconds_since(self, start: CudaEvent) -> float:
        """GPU time between two recorded events that were both waited for; resolution about 0.5 us."""
        return float(
            self._cuda.check(
                self._cuda.rt.cudaEventElapsedTime(start.handle, self.handle), "read a GPU timer"
            )
        )
