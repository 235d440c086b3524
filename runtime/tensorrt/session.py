"""Sessions of engines: TensorRT and TensorRT-RTX behind the `Session` contract.

    manifest, bytes -> library here? -> device here? -> do they match? -> deserialise -> streams -> run

Latents and images are float32 at the boundary, whatever the engine computes in. Work is split into batches
that the engine takes and spread over the streams, one for each stream.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from itertools import cycle
from types import ModuleType

import numpy as np

from dcgan_edge.artifact import Manifest
from dcgan_edge.errors import EdgeError, UnavailableError, UsageError
from dcgan_edge.latents import FloatArray, as_latents

from ..cuda import Cuda, open_cuda
from ..session import Session, SessionFacts
from .engine import Engine
from .library import load_tensorrt
from .match import check_match, flavour_of
from .profiles import split
from .rtx import RtxSettings, cache_file
from .stream import EngineStream, GraphLog, PhaseTimes

MOST_STREAMS = 16


def open_engine(
    manifest: Manifest,
    data: bytes,
    *,
    zero_copy: bool | None = None,
    cuda_graph: bool = True,
    streams: int = 1,
    device_index: int = 0,
) -> EngineSession:
    """Open the engine `data`, whose hash was checked, on CUDA device `device_index`.

    `zero_copy`: let the GPU use host memory in place (None: where GPU and CPU share their memory).
    `cuda_graph`: launch each batch size as one captured graph; where that fails, `facts` says why.
    `streams`: batches in flight at a time, each with its own memory.

    Raises UnavailableError when the library, the driver or a GPU is missing, then ArtifactError when the
    engine was built for others, both before it is deserialised; EdgeError when memory does not suffice.
    """
    if not 1 <= streams <= MOST_STREAMS:
        raise UsageError(f"An engine runs on 1 to {MOST_STREAMS} streams, not {streams}.")
    flavour = flavour_of(manifest)
    trt = load_tensorrt(flavour)
    cuda = open_cuda(device_index)
    check_match(manifest, trt, cuda.device)
    if zero_copy and not cuda.device.maps_host_memory:
        raise UnavailableError(f"{cuda.device.name} cannot use host memory in place; open without zero-copy.")
    rtx = None
    if flavour == "rtx":
        file = cache_file(manifest.sha256, cuda.device.name, trt.__version__)
        rtx = RtxSettings(trt, file, cuda_graph=cuda_graph)
    if zero_copy is None:
        zero_copy = cuda.device.integrated and cuda.device.maps_host_memory
    return EngineSession(
        trt,
        cuda,
        manifest,
        data,
        zero_copy=zero_copy,
        cuda_graph=cuda_graph,
        streams=streams,
        rtx=rtx,
        device_index=device_index,
    )


class EngineSession(Session):
    """An engine on the GPU, for one thread at a time."""

    def __init__(
        self,
        trt: ModuleType,
        cuda: Cuda,
        manifest: Manifest,
        data: bytes,
        *,
        zero_copy: bool,
        cuda_graph: bool,
        streams: int,
        rtx: RtxSettings | None,
        device_index: int = 0,
    ) -> None:
        """Load the engine and allocate its memory; errors as for `open_engine`."""
        self.manifest = manifest
        self._cuda = cuda
        self._rtx = rtx
        self._lock = threading.Lock()
        self._stream_count = streams
        self._cuda_graph = cuda_graph
        self._free_before = cuda.free_memory()
        graphs = GraphLog(wanted=cuda_graph and rtx is None)
        with ExitStack() as stack:
            engine = stack.enter_context(closing(Engine(trt, data, manifest, rtx)))
            self._profiles = engine.profiles
            self._streams = [
                stack.enter_context(
                    closing(
                        EngineStream(
                            cuda, engine, zero_copy=zero_copy, graphs=graphs, prepared=self._note_prepared
                        )
                    )
                )
                for _ in range(streams)
            ]
            self._version = str(trt.__version__)
            self._zero_copy = zero_copy
            self._index = device_index
            self._graphs = graphs
            self._warnings = engine.warnings
            self._memory = self._count_memory(len(data), engine.scratch_bytes)
            self._stack: ExitStack | None = stack.pop_all()

    @property
    def facts(self) -> SessionFacts:
        """How this engine runs now; batch sizes are prepared, and graphs captured, at first use."""
        rtx = self._rtx
        return SessionFacts(
            backend="tensorrt" if rtx is None else "tensorrt-rtx",
            version=self._version,
            device=f"cuda:{self._index}",
            device_name=self._cuda.device.name,
            streams=self._stream_count,
            details={
                "gpu": dataclasses.asdict(self._cuda.device),
                "zero_copy": self._zero_copy,
                "batch_profiles": [dataclasses.asdict(profile) for profile in self._profiles],
                "cuda_graph": {
                    "wanted": self._cuda_graph,
                    "captured_by": "dcgan-edge" if rtx is None else "TensorRT-RTX, which does not say when",
                    "captured": list(self._graphs.captured),
                    "refused": dict(self._graphs.refused),
                },
                "memory": dict(self._memory),
                "warnings": list(self._warnings),
                **({"rtx": dict(rtx.facts)} if rtx else {}),
            },
        )

    def run(self, latents: FloatArray) -> FloatArray:
        """(batch, latent_dim, 1, 1) -> (batch, channels, size, size) in [-1, 1]; see `Session.run`."""
        latents = as_latents(latents, self.manifest.architecture.latent_dim)
        if len(latents) == 0:
            self._require_open()
            return self._images(0)
        (images,) = self.run_batches([latents])
        return images

    def run_batches(self, batches: Iterable[FloatArray]) -> Iterator[FloatArray]:
        """Make the images of each of `batches`, none empty, in order, keeping every stream at work.

        The next latents are taken while the GPU works on the last. What was yielded is complete and the
        caller's. Raises what `run` raises; after an error of the GPU itself the session is closed.
        """
        with self._in_use():
            streams = cycle(self._streams)
            flights: deque[_Flight] = deque()
            for latents in batches:
                latents = as_latents(latents, self.manifest.architecture.latent_dim)
                if len(latents) == 0:
                    raise UsageError("A batch has one or more latents.")
                images = self._images(len(latents))
                for piece in split(len(latents), self._profiles):
                    if len(flights) == len(self._streams):
                        yield from self._land(flights)
                    self._require_open()
                    stream = next(streams)
                    rows = slice(piece.start, piece.start + piece.count)
                    stream.submit(latents[rows], piece.batch)
                    done = images if rows.stop == len(latents) else None
                    flights.append(_Flight(stream, images[rows], done))
            while flights:
                yield from self._land(flights)

    def run_timed(
        self, latents: FloatArray, *, clock: Callable[[], int] = time.perf_counter_ns
    ) -> tuple[FloatArray, PhaseTimes]:
        """`run` on one stream, one batch after the other, with the time of each phase summed over them.

        `clock` counts nanoseconds on the host.
        """
        latents = as_latents(latents, self.manifest.architecture.latent_dim)
        images = self._images(len(latents))
        times = PhaseTimes()
        with self._in_use():
            for piece in split(len(latents), self._profiles):
                rows = slice(piece.start, piece.start + piece.count)
                times += self._streams[0].timed(latents[rows], piece.batch, images[rows], clock)
        return images, times

    def __enter__(self) -> EngineSession:
        return self

    def close(self) -> None:
        stack, self._stack = self._stack, None
        if stack is not None:
            stack.close()
            self._streams.clear()

    @contextmanager
    def _in_use(self) -> Iterator[None]:
        """Keep others out, and leave nothing in flight behind, whatever happens inside."""
        self._require_open()
        if not self._lock.acquire(blocking=False):
            raise EdgeError("This session is busy with another call; open one session for each thread.")
        try:
            self._cuda.make_current()
            yield
        finally:
            healthy = [stream.settle() for stream in self._streams]
            self._lock.release()
            if not all(healthy):
                self.close()  # the GPU's work failed: nothing here can be trusted to work again

    def _require_open(self) -> None:
        if self._stack is None:
            raise EdgeError("This session is closed.")

    def _land(self, flights: deque[_Flight]) -> Iterator[FloatArray]:
        """Complete the oldest flight; yield its batch if that was the last piece."""
        self._require_open()
        flight = flights.popleft()
        flight.stream.collect(flight.target)
        if flight.done is not None:
            yield flight.done

    def _images(self, count: int) -> FloatArray:
        architecture = self.manifest.architecture
        return np.empty((count, architecture.channels, architecture.size, architecture.size), np.float32)

    def _count_memory(self, engine_bytes: int, scratch_bytes: int) -> dict[str, int]:
        """Bytes. `taken` is what the GPU lost since before the engine was loaded, by everybody on it."""
        return {
            "engine_file": engine_bytes,
            "scratch_per_stream": scratch_bytes,
            "device": sum(stream.device_bytes for stream in self._streams),
            "page_locked_host": sum(stream.buffers.host_bytes for stream in self._streams),
            "taken": self._free_before - self._cuda.free_memory(),
        }

    def _note_prepared(self) -> None:
        """A batch size ran for the first time."""
        self._memory["taken"] = self._free_before - self._cuda.free_memory()
        if self._rtx is not None:
            self._rtx.save()


@dataclasses.dataclass(frozen=True)
class _Flight:
    """A piece of a batch that was submitted: where its images go, and the batch's if it is the last piece."""

    stream: EngineStream
    target: FloatArray
    done: FloatArray | None
