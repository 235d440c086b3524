"""Sessions of engines: TensorRT and TensorRT-RTX behind the `Session` contract.

    manifest, bytes -> library here? -> device here? -> do they match? -> deserialise -> streams -> run

Latents are float32 at the boundary, images as the manifest says, whatever the engine computes in. Work is
split into batches that the engine takes and spread over the streams. Several threads may use a session: each
call takes streams that are free, and waits where there is none.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import cycle
from types import ModuleType

import numpy as np

from dcgan_edge.artifact import Manifest
from dcgan_edge.errors import EdgeError, UnavailableError, UsageError
from dcgan_edge.images import ImageArray
from dcgan_edge.latents import FloatArray, as_latents

from ..cuda import Cuda, open_cuda
from ..session import Session, SessionFacts
from .engine import Engine
from .library import load_tensorrt
from .match import check_match, flavour_of
from .pool import MOST_STREAMS, StreamPool
from .profiles import BatchSizes
from .rtx import RtxSettings, cache_file
from .stream import EngineStream, GraphLog, PhaseTimes


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
    """An engine on the GPU, for as many threads at the same time as it has streams."""

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
        self._cuda_graph = cuda_graph
        self._zero_copy = zero_copy
        self._index = device_index
        self._version = str(trt.__version__)
        self._free_before = cuda.free_memory()
        self._graphs = GraphLog(wanted=cuda_graph and rtx is None)
        self._prepared = 0
        engine = Engine(trt, data, manifest, rtx)
        self._profiles = engine.profiles
        self._sizes = BatchSizes(engine.profiles)
        self._warnings = engine.warnings
        self._bytes = {"engine_file": len(data), "scratch_per_stream": engine.scratch_bytes}

        def make() -> EngineStream:
            return EngineStream(
                cuda, engine, zero_copy=zero_copy, graphs=self._graphs, prepared=self._note_prepared
            )

        self._pool = StreamPool(make, engine.close)
        try:
            self._pool.resize(streams)
            self._taken_bytes = self._free_before - cuda.free_memory()
        except BaseException:
            self._pool.close()
            raise

    @property
    def facts(self) -> SessionFacts:
        """How this engine runs now; batch sizes are prepared, and graphs captured, at first use."""
        rtx = self._rtx
        return SessionFacts(
            backend="tensorrt" if rtx is None else "tensorrt-rtx",
            version=self._version,
            device=f"cuda:{self._index}",
            device_name=self._cuda.device.name,
            streams=len(self._pool.streams),
            details={
                "gpu": dataclasses.asdict(self._cuda.device),
                "zero_copy": self._zero_copy,
                "batch_profiles": [dataclasses.asdict(profile) for profile in self._profiles],
                "batch_sizes": list(self._sizes.sizes),
                "cuda_graph": {
                    "wanted": self._cuda_graph,
                    "captured_by": "dcgan-edge" if rtx is None else "TensorRT-RTX, which does not say when",
                    "captured": list(self._graphs.captured),
                    "refused": dict(self._graphs.refused),
                },
                "contexts_prepared": self._prepared,
                "memory": self._count_memory(),
                "warnings": list(self._warnings),
                **({"rtx": dict(rtx.facts)} if rtx else {}),
            },
        )

    def raw(self, latents: FloatArray) -> ImageArray:
        """(batch, latent_dim, 1, 1) -> images as the engine makes them; see `Session.raw`."""
        latents = as_latents(latents, self.manifest.architecture.input_dim)
        if len(latents) == 0:
            self._pool.require_open()
            return self._images(0)
        (images,) = self._made([latents], len(self._sizes.pieces(len(latents))))
        return images

    def run_batches(self, batches: Iterable[FloatArray]) -> Iterator[ImageArray]:
        """Make `raw` images of each of `batches`, none empty, in order, keeping every free stream at work.

        The next latents are taken while the GPU works on the last. What was yielded is complete and the
        caller's. Raises what `raw` raises; after an error of the GPU itself the session is closed.
        """
        return self._made(batches, MOST_STREAMS)

    def run_timed(
        self, latents: FloatArray, *, clock: Callable[[], int] = time.perf_counter_ns
    ) -> tuple[ImageArray, PhaseTimes]:
        """`raw` on one stream, one batch after the other, with the time of each phase summed over them.

        `clock` counts nanoseconds on the host.
        """
        latents = as_latents(latents, self.manifest.architecture.input_dim)
        images = self._images(len(latents))
        times = PhaseTimes()
        with self._in_use(1) as (stream,):
            for piece in self._sizes.pieces(len(latents)):
                rows = slice(piece.start, piece.start + piece.count)
                times += stream.timed(latents[rows], piece.batch, images[rows], clock)
        return images, times

    def use_streams(self, count: int) -> None:
        """Keep up to `count` batches in flight from now on; the memory of other streams is given back.

        Raises UsageError for a number out of range, EdgeError when memory does not suffice or while another
        thread has a call under way.
        """
        with self._in_use(MOST_STREAMS) as taken:
            if len(taken) < len(self._pool.streams):
                raise EdgeError("The number of streams cannot be changed while this session is busy.")
            self._pool.resize(count)
            self._taken_bytes = self._free_before - self._cuda.free_memory()

    def prepare(self, batch: int) -> None:
        """Do on every free stream what the first call with `batch` latents would have to do.

        Calls of that size are then run as they are, where others are padded to the next of the usual sizes.
        Raises UsageError unless `batch` is positive, and what `raw` raises.
        """
        if batch < 1:
            raise UsageError(f"A batch has one or more latents, not {batch}.")
        sizes = self._sizes.exact(batch)
        with self._in_use(MOST_STREAMS) as taken:
            for size in sizes:
                for stream in taken:
                    stream.prepare(size)
        self._sizes.add(sizes)

    def __enter__(self) -> EngineSession:
        return self

    def close(self) -> None:
        """Give everything back; where other threads have calls under way, when those have ended."""
        with contextlib.suppress(EdgeError):
            self._cuda.make_current()  # else what is given back would wake the first GPU for this thread
        self._pool.close()

    @contextmanager
    def _in_use(self, most: int) -> Iterator[list[EngineStream]]:
        """Hold up to `most` streams, with the device current in this thread."""
        with self._pool.take(most) as taken:
            self._cuda.make_current()
            yield taken

    def _made(self, batches: Iterable[FloatArray], most: int) -> Iterator[ImageArray]:
        """`run_batches` on up to `most` streams."""
        with self._in_use(most) as taken:
            streams = cycle(taken)
            flights: deque[_Flight] = deque()
            for latents in batches:
                latents = as_latents(latents, self.manifest.architecture.input_dim)
                if len(latents) == 0:
                    raise UsageError("A batch has one or more latents.")
                images = self._images(len(latents))
                for piece in self._sizes.pieces(len(latents)):
                    if len(flights) == len(taken):
                        yield from self._land(flights)
                    self._pool.require_open()
                    stream = next(streams)
                    rows = slice(piece.start, piece.start + piece.count)
                    stream.submit(latents[rows], piece.batch)
                    done = images if rows.stop == len(latents) else None
                    flights.append(_Flight(stream, images[rows], done))
            while flights:
                yield from self._land(flights)

    def _land(self, flights: deque[_Flight]) -> Iterator[ImageArray]:
        """Complete the oldest flight; yield its batch if that was the last piece."""
        self._pool.require_open()
        flight = flights.popleft()
        flight.stream.collect(flight.target)
        if flight.done is not None:
            yield flight.done

    def _images(self, count: int) -> ImageArray:
        result = self.manifest.outputs[0]
        images: ImageArray = np.empty((count, *map(int, result.shape[1:])), result.dtype)
        return images

    def _count_memory(self) -> dict[str, int]:
        """Return bytes. `taken` is what the GPU lost since before the engine was loaded, to everybody."""
        streams = self._pool.streams
        return {
            **self._bytes,
            "device": sum(stream.device_bytes for stream in streams),
            "page_locked_host": sum(stream.buffers.host_bytes for stream in streams),
            "taken": self._taken_bytes,
        }

    def _note_prepared(self) -> None:
        """A batch size ran for the first time on a stream."""
        self._prepared += 1
        self._taken_bytes = self._free_before - self._cuda.free_memory()
        if self._rtx is not None:
            self._rtx.save()


@dataclasses.dataclass(frozen=True)
class _Flight:
    """A piece of a batch that was submitted: where its images go, and the batch's if it is the last piece."""

    stream: EngineStream
    target: ImageArray
    done: ImageArray | None
