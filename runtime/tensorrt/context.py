"""One execution context, bound for good to one batch size, with its CUDA graph where it could be captured.

A captured graph stays valid only while its context is not touched, so each batch size has a context of its
own; the contexts of one stream share their scratch memory. Source: TensorRT documentation, "CUDA Graphs" (one
execution context per captured graph; one run after a change of shape before the capture).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dcgan_edge.errors import ArtifactError, EdgeError
from dcgan_edge.images import ImageArray

from ..cuda_resources import CudaGraph, CudaStream, DeviceMemory
from .buffers import Buffers
from .engine import Engine, said
from .library import captured
from .profiles import profile_for

if TYPE_CHECKING:
    from tensorrt import IExecutionContext

# Of images in [-1, 1]. Kernels with atomics may sum in another order; a wrong graph gives NaN or noise.
REPLAY_TOLERANCE = 0.02
REPLAY_LEVELS = 3  # the same of pixels, whose range is 255


class BatchContext:
    """Runs batches of exactly `batch` images on `stream`, from and to `buffers`."""

    def __init__(
        self, engine: Engine, batch: int, *, buffers: Buffers, scratch: DeviceMemory, stream: CudaStream
    ) -> None:
        """Raises EdgeError when the library refuses the batch size or is out of memory."""
        self.batch = batch
        self._buffers = buffers
        self._stream = stream
        self._graph: CudaGraph | None = None
        self._context: IExecutionContext = engine.make_context()
        try:
            self._bind(engine, scratch)
        except BaseException:
            stream.settle()  # the switch of profile may copy
            self.close()  # now: the error's traceback keeps this object, and must not keep GPU memory
            raise

    def enqueue(self) -> None:
        """Queue the computation, as one graph launch where there is a graph."""
        if self._graph is not None:
            self._graph.launch(self._stream)
        else:
            self._execute()

    def warm_up(self) -> ImageArray:
        """Run once on latents of its own and wait; return a copy of the images. Uses the buffers."""
        batch, buffers, stream = self.batch, self._buffers, self._stream
        probe = buffers.latents[:batch]
        probe[:] = np.linspace(-1.0, 1.0, probe.size, dtype=np.float32).reshape(probe.shape)
        buffers.blank_images(stream, batch)
        buffers.upload(stream, batch)
        self.enqueue()
        buffers.download(stream, batch)
        stream.synchronize()
        return buffers.images[:batch].copy()

    def capture(self, expected: ImageArray) -> None:
        """From now on launch a graph, after its replay has given `expected`, what `warm_up` had returned.

        Raises EdgeError when the capture fails or computes something else; the context then works as before.
        """
        graph = self._stream.capture(self._execute)
        self._graph = graph
        try:
            allowed = REPLAY_TOLERANCE if expected.dtype == np.float32 else REPLAY_LEVELS
            replayed, direct = (each.astype(np.float32) for each in (self.warm_up(), expected))
            if not np.allclose(replayed, direct, rtol=0, atol=allowed):
                raise EdgeError("The captured CUDA graph does not compute what the engine computes.")
        except BaseException:
            self._graph = None
            graph.close()
            raise

    def close(self) -> None:
        """Give back the context and its graph. Closing twice is harmless."""
        if self._graph is not None:
            self._graph.close()  # before the context that it was captured from
            self._graph = None
        self._context = None

    def _execute(self) -> None:
        with captured() as lines:
            queued = self._context.execute_async_v3(self._stream.address)
        if not queued:
            raise EdgeError(f"TensorRT could not run a batch of {self.batch}{said(lines)}")

    def _bind(self, engine: Engine, scratch: DeviceMemory) -> None:
        """Fix profile, shape, addresses and scratch memory; check that the images come out as promised."""
        source, result = engine.manifest.inputs[0], engine.manifest.outputs[0]
        profile = profile_for(self.batch, engine.profiles)
        with captured() as lines:
            self._context.set_device_memory(scratch.address, scratch.nbytes)
            bound = (
                self._context.set_optimization_profile_async(profile, self._stream.address)
                and self._context.set_input_shape(source.name, (self.batch, *source.shape[1:]))
                and self._context.set_tensor_address(source.name, self._buffers.latents_address)
                and self._context.set_tensor_address(result.name, self._buffers.images_address)
                and _infers_shapes(self._context)
            )
        if not bound:
            raise EdgeError(f"TensorRT refused a batch of {self.batch} in profile {profile}{said(lines)}")
        self._stream.synchronize()  # the switch of profile may copy
        shape = tuple(int(extent) for extent in self._context.get_tensor_shape(result.name))
        if shape != (self.batch, *result.shape[1:]):
            raise ArtifactError(
                f"The engine makes images of shape {shape}, not {result.shape}; build it again."
            )


def _infers_shapes(context: IExecutionContext) -> bool:
    """Whether every shape follows from the input's."""
    try:
        return not context.infer_shapes()
    except RuntimeError:  # the only call of the library that raises; the log lines say why
        return False
