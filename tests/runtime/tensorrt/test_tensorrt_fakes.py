"""The in-memory machine punishes what a real one would: without this, the session's tests prove nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tests.fakes.cuda_types import OK, Handle, cudaError_t, cudaMemcpyKind, cudaStreamCaptureMode
from tests.fakes.lab import ARCHITECTURE, Lab, draw, expect
from tests.fakes.surface import VERSIONS, table

UP, DOWN = cudaMemcpyKind.cudaMemcpyHostToDevice, cudaMemcpyKind.cudaMemcpyDeviceToHost
LATENT_BYTES, IMAGE_BYTES = 4 * ARCHITECTURE.latent_dim, 4 * 64
SCRATCH_BYTES = 8 * 512


class Bench:
    """A machine with one stream, buffers for one image, and an execution context that is ready to run."""

    def __init__(self, version: str = "10.3.0") -> None:
        self.lab = Lab(version)
        self.gpu, self.rt = self.lab.gpu, self.lab.cudart
        self.stream = self.get("cudaStreamCreateWithFlags", 1)
        self.latents, self.images = self.get("cudaMalloc", LATENT_BYTES), self.get("cudaMalloc", IMAGE_BYTES)
        self.scratch = self.get("cudaMalloc", SCRATCH_BYTES)
        self.host_latents = self.get("cudaHostAlloc", LATENT_BYTES, 0)
        self.host_images = self.get("cudaHostAlloc", IMAGE_BYTES, 0)
        self.runtime = self.lab.trt.Runtime(self.lab.trt.ILogger())
        self.runtime._library.logger = None
        self.engine = self.runtime.deserialize_cuda_engine(self.lab.blob().pack())
        self.context = self.bind(self.engine)

    def get(self, call: str, *arguments: Any) -> Any:
        """The value of a CUDA call that goes well."""
        error, *values = getattr(self.rt, call)(*arguments)
        assert error == OK
        return values[0] if values else None

    def bind(self, engine: Any) -> Any:
        context = engine.create_execution_context(
            self.lab.trt.ExecutionContextAllocationStrategy.USER_MANAGED
        )
        context.set_device_memory(self.scratch, SCRATCH_BYTES)
        assert context.set_optimization_profile_async(0, int(self.stream))
        assert context.set_input_shape("latents", (1, ARCHITECTURE.latent_dim, 1, 1))
        assert context.set_tensor_address("latents", self.latents)
        assert context.set_tensor_address("images", self.images)
        return context

    def memory(self, address: int) -> Any:
        return next(block for block in self.gpu.blocks if block.address == address).data

    def upload(self) -> None:
        self.memory(self.host_latents).view(np.float32)[:] = draw(1).reshape(-1)
        self.get("cudaMemcpyAsync", self.latents, self.host_latents, LATENT_BYTES, UP, self.stream)

    def download(self) -> None:
        self.get("cudaMemcpyAsync", self.host_images, self.images, IMAGE_BYTES, DOWN, self.stream)

    def wait(self) -> None:
        self.get("cudaStreamSynchronize", self.stream)

    def capture(self) -> Any:
        """The executable graph of one execution, None if the capture failed."""
        mode = cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        self.get("cudaStreamBeginCapture", self.stream, mode)
        self.context.execute_async_v3(int(self.stream))
        error, graph = self.rt.cudaStreamEndCapture(self.stream)
        return self.get("cudaGraphInstantiateWithFlags", graph, 0) if error == OK else None

    def found(self, words: str) -> bool:
        return any(words in violation for violation in self.gpu.violations)


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.lab.cache.cleanup()


def test_work_in_the_right_order_makes_images(bench: Bench) -> None:
    bench.upload()
    assert bench.context.execute_async_v3(int(bench.stream))
    bench.download()
    bench.wait()
    expect(bench.memory(bench.host_images).view(np.float32).reshape(1, 1, 8, 8), draw(1))
    assert not bench.gpu.violations


def test_images_that_were_not_waited_for_are_poison(bench: Bench) -> None:
    bench.upload()
    bench.context.execute_async_v3(int(bench.stream))
    bench.download()
    assert np.isnan(bench.memory(bench.host_images).view(np.float32)).all()


def test_memory_of_the_gpu_begins_as_poison(bench: Bench) -> None:
    bench.download()
    bench.wait()
    assert np.isnan(bench.memory(bench.host_images).view(np.float32)).all()


@pytest.mark.parametrize("buffer", ["host_latents", "host_images"])
def test_host_memory_must_rest_while_a_copy_is_pending(bench: Bench, buffer: str) -> None:
    bench.upload()
    bench.download()
    bench.memory(getattr(bench, buffer))[0] ^= 1
    bench.wait()
    assert bench.found("wrote to memory while queued work was using it")


def test_memory_is_used_within_its_bounds_and_its_life(bench: Bench) -> None:
    bench.get("cudaMemcpyAsync", bench.latents, bench.host_latents, LATENT_BYTES + 1, UP, bench.stream)
    assert bench.found("bytes were used of an allocation")
    bench.get("cudaStreamSynchronize", bench.stream)
    bench.get("cudaFree", bench.images)
    bench.download()
    assert bench.found("used after it was freed")


def test_memory_in_use_is_not_freed(bench: Bench) -> None:
    bench.upload()
    bench.get("cudaFree", bench.latents)
    assert bench.found("freed while queued work uses it")


def test_memory_is_freed_once(bench: Bench) -> None:
    bench.get("cudaFree", bench.latents)
    assert bench.rt.cudaFree(bench.latents)[0] != OK
    assert bench.found("freed twice")


def test_a_copy_in_the_wrong_direction_is_found(bench: Bench) -> None:
    bench.get("cudaMemcpyAsync", bench.latents, bench.host_latents, LATENT_BYTES, DOWN, bench.stream)
    assert bench.found("does not know")


def test_what_is_kept_is_a_leak(bench: Bench) -> None:
    leaks = bench.gpu.leaks()
    for kept in ("stream", "bytes on the host", "bytes on the GPU", "IExecutionContext", "Runtime"):
        assert any(kept in leak for leak in leaks), kept


def test_a_change_of_shape_needs_a_run_before_a_capture(bench: Bench) -> None:
    assert bench.capture() is None
    bench.context.execute_async_v3(int(bench.stream))
    bench.wait()
    assert bench.capture() is not None


def test_waiting_and_allocating_break_a_capture(bench: Bench) -> None:
    mode = cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
    bench.get("cudaStreamBeginCapture", bench.stream, mode)
    assert bench.rt.cudaStreamSynchronize(bench.stream)[0] == cudaError_t.cudaErrorStreamCaptureUnsupported
    assert bench.rt.cudaStreamEndCapture(bench.stream)[0] == cudaError_t.cudaErrorStreamCaptureInvalidated
    bench.get("cudaStreamBeginCapture", bench.stream, mode)
    bench.rt.cudaMalloc(8)
    assert bench.found("cudaMalloc was called during a capture")


def test_a_graph_is_void_once_its_context_changed(bench: Bench) -> None:
    bench.upload()
    bench.context.execute_async_v3(int(bench.stream))
    bench.wait()
    graph = bench.capture()
    bench.get("cudaGraphLaunch", graph, bench.stream)
    bench.wait()
    assert not bench.gpu.violations
    bench.context.set_input_shape("latents", (1, ARCHITECTURE.latent_dim, 1, 1))
    bench.get("cudaGraphLaunch", graph, bench.stream)
    bench.wait()
    assert bench.found("after its context was changed")


def test_a_graph_is_void_once_its_context_is_gone(bench: Bench) -> None:
    bench.upload()
    bench.context.execute_async_v3(int(bench.stream))
    bench.wait()
    graph = bench.capture()
    del bench.context
    bench.get("cudaGraphLaunch", graph, bench.stream)
    bench.wait()
    assert bench.found("destroyed before its work was done")


def test_a_graph_is_launched_only_while_it_exists(bench: Bench) -> None:
    assert bench.rt.cudaGraphLaunch(Handle(1), bench.stream)[0] != OK
    assert bench.found("a graph was launched that does not exist")


def test_an_engine_outlives_neither_its_runtime_nor_its_contexts_it(bench: Bench) -> None:
    del bench.runtime
    bench.context.execute_async_v3(int(bench.stream))
    assert bench.found("after its runtime was gone")
    del bench.engine
    assert not bench.context.execute_async_v3(int(bench.stream))
    assert bench.found("a context ran without its engine")


def test_an_inspector_goes_before_its_engine_and_knows_formats_once_there_are_shapes(bench: Bench) -> None:
    inspector, style = bench.engine.create_engine_inspector(), bench.lab.trt.LayerInformationFormat
    assert "N/A due to dynamic shapes" in inspector.get_engine_information(style.JSON)
    inspector.execution_context = bench.context
    assert "N/A" not in inspector.get_engine_information(style.JSON)
    assert not bench.gpu.violations
    del bench.engine
    assert bench.found("an inspector outlived its engine")
    assert inspector.get_engine_information(style.JSON) is None


def test_scratch_memory_and_contexts_are_for_one_stream_at_a_time(bench: Bench) -> None:
    other = bench.get("cudaStreamCreateWithFlags", 1)
    second = bench.bind(bench.engine)
    bench.context.execute_async_v3(int(bench.stream))
    second.execute_async_v3(int(other))
    assert bench.found("the same scratch memory")
    bench.context.execute_async_v3(int(other))
    assert bench.found("on two streams at the same time")


def test_the_default_stream_and_blocking_streams_are_found(bench: Bench) -> None:
    assert not bench.context.execute_async_v3(0)
    assert bench.found("a stream that does not exist")
    bench.get("cudaStreamCreateWithFlags", 0)
    assert bench.found("waits for the default stream")


@pytest.mark.parametrize("version", VERSIONS)
def test_the_library_has_the_names_of_its_version_and_takes_its_arguments(version: str) -> None:
    bench = Bench(version)
    with bench.lab.cache:
        inspector = bench.engine.create_engine_inspector()
        for thing in (bench.runtime, bench.engine, bench.context, inspector):
            members = table(version)["classes"][type(thing).__name__]["members"]
            own = {name for name in dir(type(thing)) if not name.startswith("_")}
            for name in own | {
                "execute_async",
                "num_bindings",
                "create_runtime_config",
                "is_stream_capturable",
            }:
                if name not in members:
                    with pytest.raises(AttributeError):
                        getattr(thing, name)
                    with pytest.raises(AttributeError):
                        setattr(thing, name, 1)
        with pytest.raises(TypeError, match="arguments do not fit"):
            bench.context.set_input_shape("latents")
        with pytest.raises(TypeError, match="arguments do not fit"):
            bench.context.execute_async_v3(int(bench.stream), 1)
        for enum, members in table(version)["enums"].items():
            assert [member.name for member in getattr(bench.lab.trt, enum)] == members
        assert hasattr(bench.lab.trt, "CudaGraphStrategy") is version.startswith("rtx")
