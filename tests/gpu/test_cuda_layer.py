"""On a real GPU: memory, streams, events and graphs, without an engine; what CUDA refuses is said."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import numpy as np
import pytest

from dcgan_edge.errors import UnavailableError
from dcgan_edge.runtime.cuda import Cuda, CudaError
from dcgan_edge.runtime.cuda_resources import CudaEvent, CudaStream, DeviceMemory, HostArray
from dcgan_edge.runtime.telemetry.sampler import sample_telemetry
from dcgan_edge.runtime.telemetry.sources.nvml import NvmlReader, open_nvml
from tests.gpu.gpu_support import MIB

pytest_plugins = ("tests.gpu.gpu_fixtures",)
pytestmark = pytest.mark.gpu

NUMBERS = 4 * MIB  # of float32, 16 MiB
NVML_REPEATS = 30  # about a second of copies, many times what NVML takes to notice


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def pair(cuda: Cuda, stack: ExitStack) -> tuple[HostArray, HostArray, DeviceMemory, CudaStream]:
    """Numbers on the host, room for them to come back, memory on the GPU, and a stream."""
    source, target = (
        stack.enter_context(closing(HostArray(cuda, (NUMBERS,), mapped=False))) for _ in range(2)
    )
    source.array[:] = np.arange(NUMBERS, dtype=np.float32)
    target.array[:] = np.nan
    memory = stack.enter_context(closing(DeviceMemory(cuda, source.nbytes)))
    return source, target, memory, stack.enter_context(closing(CudaStream(cuda)))


def test_numbers_go_to_the_gpu_and_come_back(cuda: Cuda, stack: ExitStack) -> None:
    source, target, memory, stream = pair(cuda, stack)
    begin, end = (stack.enter_context(closing(CudaEvent(cuda))) for _ in range(2))
    begin.record(stream)
    stream.copy_to_device(memory, source, source.nbytes)
    stream.copy_to_host(target, memory, source.nbytes)
    end.record(stream)
    stream.synchronize()
    np.testing.assert_array_equal(target.array, source.array)
    spent = end.milliseconds_since(begin)
    print(f"{cuda.device}: 16 MiB there and back in {spent:.3f} ms")
    assert spent > 0


def test_a_graph_repeats_what_was_captured(cuda: Cuda, stack: ExitStack) -> None:
    source, target, memory, stream = pair(cuda, stack)

    def copies() -> None:
        stream.copy_to_device(memory, source, source.nbytes)
        stream.copy_to_host(target, memory, source.nbytes)

    graph = stack.enter_context(closing(stream.capture(copies)))
    stream.synchronize()
    assert np.isnan(target.array).all()  # captured, not run
    for value in (1.0, 2.0):
        source.array[:] = value
        graph.launch(stream)
        stream.synchronize()
        assert (target.array == value).all()


def test_a_capture_that_fails_leaves_the_stream_usable(cuda: Cuda, stack: ExitStack) -> None:
    source, target, memory, stream = pair(cuda, stack)

    def fails() -> None:
        stream.copy_to_device(memory, source, source.nbytes)
        raise KeyError("planted")

    with pytest.raises(KeyError, match="planted"):
        stream.capture(fails)
    stream.copy_to_device(memory, source, source.nbytes)
    stream.copy_to_host(target, memory, source.nbytes)
    stream.synchronize()
    np.testing.assert_array_equal(target.array, source.array)


def test_host_memory_is_seen_by_the_gpu_in_place(cuda: Cuda, stack: ExitStack) -> None:
    if not cuda.device.maps_host_memory:
        pytest.skip("this GPU cannot use host memory in place")
    mapped = stack.enter_context(closing(HostArray(cuda, (8,), mapped=True)))
    _, target, _, stream = pair(cuda, stack)
    mapped.array[:] = 7
    kind = cuda.rt.cudaMemcpyKind.cudaMemcpyDeviceToHost
    cuda.check(
        cuda.rt.cudaMemcpyAsync(target.handle, mapped.device_address, mapped.nbytes, kind, stream.handle),
        "copy",
    )
    stream.synchronize()
    assert (target.array[:8] == 7).all()


def test_too_much_memory_is_refused_and_nothing_else_breaks(cuda: Cuda, stack: ExitStack) -> None:
    with pytest.raises(CudaError) as caught:
        DeviceMemory(cuda, 2 * cuda.device.memory)
    assert caught.value.name == "cudaErrorMemoryAllocation"
    test_numbers_go_to_the_gpu_and_come_back(cuda, stack)


def test_memory_comes_back(cuda: Cuda) -> None:
    with ExitStack() as warm_up:
        pair(cuda, warm_up)
    free = cuda.free_memory()
    for _ in range(20):
        with ExitStack() as stack:
            pair(cuda, stack)
    # one pair that stayed would be 16 MiB; drivers keep pages of 2 MiB
    assert free - cuda.free_memory() < 8 * MIB


def test_a_gpu_that_is_not_there(cuda: Cuda) -> None:
    with pytest.raises(UnavailableError, match="cuda:99"):
        Cuda(cuda.rt, 99)


def test_nvml_tells_power_energy_clocks_and_throttling_under_load(cuda: Cuda, stack: ExitStack) -> None:
    opened = open_nvml(Path("/"))
    if not isinstance(opened, NvmlReader):
        pytest.skip(str(opened))
    opened.close()
    source, _, memory, stream = pair(cuda, stack)
    with sample_telemetry(rate_hz=20) as recorder:
        recorder.idle(0.5)
        with recorder.window("load"):
            for _ in range(NVML_REPEATS):
                for _ in range(100):
                    stream.copy_to_device(memory, source, source.nbytes)
                stream.synchronize()
    record = recorder.telemetry()
    readings = {series.name: series.values for series in record.series}
    for name in sorted(readings):
        print(f"{name}: {min(readings[name]):g} to {max(readings[name]):g}")
    print(record.facts.get("nvml"), record.cost)
    for name in ("power/gpu_board", "clock/gpu", "temperature/gpu"):
        assert max(readings[name]) > 0
    energy = readings.get("energy/gpu_board", (0.0, 1.0))
    assert list(energy) == sorted(energy)
    assert energy[-1] > energy[0]
    throttling = [name for name in readings if name.startswith("throttle/")]
    assert all(set(readings[name]) <= {0.0, 1.0} for name in throttling)
