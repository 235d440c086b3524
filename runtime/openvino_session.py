"""A session on OpenVINO: ONNX files on the CPU, computed in float32 unless the file itself is quantised.

Each batch size is compiled for its exact shape when it is first used, which runs up to a quarter faster than
one graph for every size, and is what OpenVINO's INT8 needs on processors without AVX-512. A batch with so
little arithmetic that threads would wait for each other longer than they compute gets one thread.
"""

from __future__ import annotations

import contextlib
import functools
import math
import re
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from dcgan_edge.artifact import Manifest
from dcgan_edge.errors import ArtifactError, EdgeError, UnavailableError, UsageError
from dcgan_edge.images import ImageArray
from dcgan_edge.latents import FloatArray

from .device import cpu_name, parse_device
from .session import Session, SessionFacts, in_chunks

CONVERTER = "openvino.tools.ovc"  # sends a usage event when it is imported, and nothing here needs it
MOST_BATCHES = 8  # batch sizes that stay compiled, each with its own copy of the weights
ONE_THREAD_FLOPS = 5e6  # of a batch: up to here a second thread gains nothing (docs/performance.md)
COPIED_BYTES = 2**17  # up to here images are copied faster than OpenVINO takes another tensor for them
ELEMENTS = {"float32": "f32", "uint8": "u8"}


class OpenVinoSession(Session):
    """OpenVINO on the CPU, behind the `Session` contract. Several threads may run it at the same time."""

    def __init__(
        self, manifest: Manifest, data: bytes, *, device: str = "auto", threads: int | None = None
    ) -> None:
        """Load the ONNX file `data`; errors as for `open_session`."""
        if parse_device(device).kind == "cuda":
            raise UsageError(f"The backend openvino runs on the CPU, not on --device {device}.")
        self._openvino = import_openvino()
        self._core = _core()
        self.manifest = manifest
        self._threads, self._streams = threads, 0
        self._compiled: OrderedDict[int, _Requests] = OrderedDict()
        self._lock = threading.Lock()
        with _refusing():
            self._model = self._core.read_model(data)
            _check_tensors(self._model, manifest)
        self.use_streams(1)

    @property
    def facts(self) -> SessionFacts:
        """Return how OpenVINO computes, with every option that it was given."""
        return SessionFacts(
            backend="openvino",
            version=self._openvino.__version__.partition("-")[0],
            device="cpu",
            device_name=cpu_name(),
            threads=self._threads,
            streams=self._streams,
            details={"options": self._options, "one_thread_up_to_batch": self._one_thread},
        )

    def use_streams(self, count: int) -> None:
        """Run up to `count` batches at the same time from now on, on a share of the threads each."""
        with self._lock:
            if count != self._streams:
                self._streams = count
                self._options = compile_options(self._threads, count)
                self._one_thread = self._most_for_one_thread()
                self._compiled.clear()

    def _most_for_one_thread(self) -> int:
        """Return up to how many images get one thread; 0 where threads or streams were asked for, and where
        it is not known what an image costs.
        """
        cost = self.manifest.cost
        if self._threads is not None or self._streams > 1 or cost is None or cost.uncounted or not cost.flops:
            return 0
        return int(ONE_THREAD_FLOPS // cost.flops)

    def prepare(self, batch: int) -> None:
        """Compile for batches of `batch` images, or of the sizes that they are split into."""
        profile = self.manifest.batch
        for size in {min(batch, profile.max), batch % profile.max} - {0}:
            self._requests(max(size, profile.min))

    def raw(self, latents: FloatArray) -> ImageArray:
        """Return images of latents, as `Session.raw` does."""
        return in_chunks(self._run, latents, self.manifest)

    def close(self) -> None:
        """Let go of the file and of all that was compiled. Closing twice is harmless."""
        with self._lock:
            self._model = None
            self._compiled.clear()

    def _run(self, latents: FloatArray) -> ImageArray:
        requests = self._requests(len(latents))
        try:
            request = requests.take()
            images = request.run(latents)
            requests.put_back(request)
        except Exception as error:  # OpenVINO raises RuntimeError alone, and pybind11 what it likes
            raise EdgeError(f"OpenVINO failed on this file: {_reason(error)}") from error
        return images

    def _requests(self, batch: int) -> _Requests:
        """Return the requests for `batch` images, compiled now if they are not yet."""
        with self._lock:
            if self._model is None:
                raise EdgeError("This session is closed.")
            if batch not in self._compiled:
                one = {"INFERENCE_NUM_THREADS": 1} if batch <= self._one_thread else {}
                with _refusing():
                    self._model.reshape([batch, self.manifest.architecture.input_dim, 1, 1])
                    model = self._core.compile_model(self._model, "CPU", {**self._options, **one})
                    self._compiled[batch] = _Requests(model, self._openvino.Tensor)
                if len(self._compiled) > MOST_BATCHES:
                    self._compiled.popitem(last=False)
            self._compiled.move_to_end(batch)
            return self._compiled[batch]


class _Requests:
    """A compiled model and the requests of it that are free: each serves one thread at a time."""

    def __init__(self, model: Any, tensor: Callable[..., Any]) -> None:
        self.model, self._tensor = model, tensor
        self._free = [_Request(model, tensor)]

    def take(self) -> _Request:
        """Return a request that no other thread uses."""
        try:
            return self._free.pop()
        except IndexError:
            return _Request(self.model, self._tensor)

    def put_back(self, request: _Request) -> None:
        """Take back a request that did not fail."""
        self._free.append(request)


class _Request:
    """A request with memory of its own for latents and for small images, which OpenVINO is told of once."""

    def __init__(self, model: Any, tensor: Callable[..., Any]) -> None:
        self._request, self._tensor = model.create_infer_request(), tensor
        self._latents = np.empty(tuple(model.input(0).shape), np.float32)
        self._request.set_input_tensor(tensor(self._latents, shared_memory=True))
        self._shape = tuple(model.output(0).shape)
        self._type = np.dtype(model.output(0).element_type.to_dtype())
        size = math.prod(self._shape) * self._type.itemsize
        self._kept = self._bound_images() if size <= COPIED_BYTES else None

    def run(self, latents: FloatArray) -> ImageArray:
        """Return images of `latents`, in memory that is the caller's."""
        self._latents[...] = latents
        images = self._bound_images() if self._kept is None else self._kept
        self._request.infer(share_outputs=True)
        return images if self._kept is None else images.copy()

    def _bound_images(self) -> ImageArray:
        images: ImageArray = np.empty(self._shape, self._type)
        self._request.set_output_tensor(self._tensor(images, shared_memory=True))
        return images


def compile_options(threads: int | None, streams: int) -> dict[str, Any]:
    """Return the options that graphs are compiled with, each set by name, so that no default of OpenVINO
    decides unseen.

    Left to itself it computes in bfloat16 on processors that have it, which differs from float32 by 1e-2.
    """
    return {
        "INFERENCE_PRECISION_HINT": "f32",
        "EXECUTION_MODE_HINT": "PERFORMANCE",
        "PERFORMANCE_HINT": "LATENCY" if streams == 1 else "THROUGHPUT",
        "NUM_STREAMS": streams,
        "INFERENCE_NUM_THREADS": threads or 0,  # 0: one for each physical core
        "ENABLE_HYPER_THREADING": False,
        "ENABLE_CPU_PINNING": False,  # several sessions would be pinned to the same cores
        "SCHEDULING_CORE_TYPE": "ANY_CORE",
        "CPU_DENORMALS_OPTIMIZATION": False,
        "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0,
        "PERF_COUNT": False,
    }


def import_openvino() -> Any:
    """Return the library, imported without the part of it that sends usage data."""
    hidden = CONVERTER not in sys.modules
    if hidden:
        sys.modules[CONVERTER] = None  # type: ignore[assignment]  # how an import is blocked
    try:
        import openvino
    except ImportError as error:
        raise UnavailableError(
            "The backend openvino is not installed: pip install 'dcgan-edge[openvino]'"
        ) from error
    finally:
        if hidden:
            del sys.modules[CONVERTER]
    return openvino


@functools.cache
def _core() -> Any:
    """Return the one core of this process, which is never let go of.

    Each has a stack of its own for signal handlers, and restores in the end what was there before: of two
    that end in the order of their beginning, the first one's stack, which is gone. The next signal then ends
    the process.
    """
    return import_openvino().Core()


def _check_tensors(model: Any, manifest: Manifest) -> None:
    """Raise ArtifactError unless the graph takes and gives the tensors of its manifest."""
    for found, described in ((model.inputs, manifest.inputs), (model.outputs, manifest.outputs)):
        theirs = [
            (sorted(one.names), one.element_type.get_type_name(), [str(n) for n in one.partial_shape][1:])
            for one in found
        ]
        ours = [([one.name], ELEMENTS.get(one.dtype), [str(n) for n in one.shape[1:]]) for one in described]
        if theirs != ours:
            raise ArtifactError(f"This graph has the tensors {theirs}, and its manifest describes {ours}.")


@contextlib.contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except EdgeError:
        raise
    except Exception as error:
        raise ArtifactError(f"OpenVINO refuses this file: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """Return what OpenVINO says, without the places in its own source code that it names first."""
    return re.sub(r"Exception from \S+:\d+: ", "", " ".join(str(error).split()))[:300]
