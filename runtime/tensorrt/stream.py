"""One stream with its own memory and contexts: a place where one batch at a time is made.

A session has one stream for each stream that it was asked for. `submit` queues a batch, `collect` waits for
it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, fields

from dcgan_edge.errors import EdgeError
from dcgan_edge.images import ImageArray
from dcgan_edge.latents import FloatArray

from ..cuda import Cuda
from ..cuda_resources import CudaEvent, CudaStream, DeviceMemory
from .buffers import Buffers
from .context import BatchContext
from .engine import Engine

KEPT_CONTEXTS = 24  # batch sizes that stay prepared; the one unused for longest makes room
NANOSECONDS = 1e-6  # in milliseconds


@dataclass(frozen=True)
class PhaseTimes:
    """Milliseconds of one call. `h2d`, `compute` and `d2h` are GPU time between events; `enqueue` is host
    time to queue all three; `end_to_end` is host time from latents in the caller's memory to images there.
    With zero-copy memory nothing is copied, and `h2d` and `d2h` are what two events cost.
    """

    h2d: float = 0.0
    compute: float = 0.0
    d2h: float = 0.0
    enqueue: float = 0.0
    end_to_end: float = 0.0

    def __add__(self, other: PhaseTimes) -> PhaseTimes:
        return PhaseTimes(*(getattr(self, item.name) + getattr(other, item.name) for item in fields(self)))


@dataclass
class GraphLog:
    """Which batch sizes run as captured graphs, and why others do not; shared by the streams of a session."""

    wanted: bool
    captured: list[int] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)  # batch size (text, for JSON): reason


class EngineStream:
    """`prepared` is called when a batch size has run for the first time: kernels may have been compiled."""

    def __init__(
        self, cuda: Cuda, engine: Engine, *, zero_copy: bool, graphs: GraphLog, prepared: Callable[[], None]
    ) -> None:
        self._engine = engine
        self._graphs = graphs
        self._prepared = prepared
        self._contexts: OrderedDict[int, BatchContext] = OrderedDict()  # the last used at the end
        self._waiting = 0  # images that were submitted and not collected
        with ExitStack() as stack:
            self._stream = stack.enter_context(closing(CudaStream(cuda)))
            self.buffers = stack.enter_context(
                closing(Buffers(cuda, engine.manifest, engine.max_batch, zero_copy=zero_copy))
            )
            self._scratch = stack.enter_context(closing(DeviceMemory(cuda, max(1, engine.scratch_bytes))))
            self._events = [stack.enter_context(closing(CudaEvent(cuda))) for _ in range(4)]
            stack.callback(self._drop_contexts)
            stack.callback(self._stream.settle)
            self._stack = stack.pop_all()

    @property
    def device_bytes(self) -> int:
        """The stream's GPU memory, without what its contexts keep."""
        return self.buffers.device_bytes + self._scratch.nbytes

    def prepare(self, batch: int) -> None:
        """Make the context of `batch` and its CUDA graph now, if they are not there yet."""
        self._context(batch)

    def submit(self, latents: FloatArray, batch: int) -> None:
        """Queue `latents`, padded with zeros to `batch`. They may be overwritten on return."""
        context = self._context(batch)
        self._load(latents, batch)
        self._waiting = len(latents)
        self.buffers.upload(self._stream, batch)
        context.enqueue()
        self.buffers.download(self._stream, batch)

    def collect(self, images: ImageArray) -> None:
        """Wait for what was submitted and copy it to `images`, which has as many rows as the latents had."""
        self._stream.synchronize()
        images[:] = self.buffers.images[: self._waiting]
        self._waiting = 0

    def timed(
        self, latents: FloatArray, batch: int, images: ImageArray, clock: Callable[[], int]
    ) -> PhaseTimes:
        """`submit` and `collect`, with an event between the phases. `clock` counts nanoseconds."""
        context = self._context(batch)
        start, uploaded, computed, downloaded = self._events
        begin = clock()
        self._load(latents, batch)
        self._waiting = len(latents)
        loaded = clock()
        start.record(self._stream)
        self.buffers.upload(self._stream, batch)
        uploaded.record(self._stream)
        context.enqueue()
        computed.record(self._stream)
        self.buffers.download(self._stream, batch)
        downloaded.record(self._stream)
        queued = clock()
        self.collect(images)
        end = clock()
        return PhaseTimes(
            h2d=uploaded.milliseconds_since(start),
            compute=computed.milliseconds_since(uploaded),
            d2h=downloaded.milliseconds_since(computed),
            enqueue=(queued - loaded) * NANOSECONDS,
            end_to_end=(end - begin) * NANOSECONDS,
        )

    def settle(self) -> bool:
        """Wait until the GPU is done with this stream's memory; return whether its work succeeded."""
        waiting, self._waiting = self._waiting, 0
        return not waiting or self._stream.settle()

    def close(self) -> None:
        """Wait for the GPU, then give contexts, memory and the CUDA stream back."""
        self._stack.close()

    def _load(self, latents: FloatArray, batch: int) -> None:
        self.buffers.latents[: len(latents)] = latents
        self.buffers.latents[len(latents) : batch] = 0.0

    def _context(self, batch: int) -> BatchContext:
        """The context for `batch`, made, warmed up and captured when it is needed for the first time."""
        if batch not in self._contexts:
            while len(self._contexts) >= KEPT_CONTEXTS:
                _, oldest = self._contexts.popitem(last=False)
                oldest.close()
            self._contexts[batch] = self._prepare(batch)
        self._contexts.move_to_end(batch)
        return self._contexts[batch]

    def _prepare(self, batch: int) -> BatchContext:
        self._waiting = batch  # work is queued from here on: whatever fails, `settle` has to wait for it
        context = BatchContext(
            self._engine, batch, buffers=self.buffers, scratch=self._scratch, stream=self._stream
        )
        try:
            expected = context.warm_up()
            if self._graphs.wanted:
                self._capture(context, expected)
            self._prepared()
        except BaseException:
            self._stream.settle()
            context.close()
            raise
        return context

    def _capture(self, context: BatchContext, expected: ImageArray) -> None:
        try:
            context.capture(expected)
        except EdgeError as error:
            self._graphs.refused[str(context.batch)] = str(error)
            self._stream.settle()
        else:
            self._graphs.captured[:] = sorted({*self._graphs.captured, context.batch})

    def _drop_contexts(self) -> None:
        while self._contexts:
            self._contexts.popitem()[1].close()
