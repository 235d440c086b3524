"""The door to CUDA and the owners behind it: errors by name, memory freed once, on the in-memory machine.

The tests that take a laboratory are also run by `mutants.py`.
"""

from __future__ import annotations

import ast
import json
import pickle
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from dcgan_edge.errors import EdgeError, UnavailableError
from dcgan_edge.runtime import cuda as cuda_module
from dcgan_edge.runtime import cuda_resources
from tests.fakes import cuda_types, cudart
from tests.fakes.lab import Lab

CUDA_TABLES = Path(__file__).parent.parent / "contracts" / "cuda-api"
SOURCES = [Path(str(module.__file__)) for module in (cuda_module, cuda_resources)]


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab() as laboratory:
        yield laboratory


def open_cuda(lab: Lab) -> Any:
    with lab.installed():
        return lab.modules["cuda"].open_cuda()


def test_the_device_is_described(lab: Lab) -> None:
    lab.reset(sm="sm120", integrated=True, memory=2**20)
    device = open_cuda(lab).device
    assert (device.name, device.sm, device.integrated, device.memory) == ("Orin (fake)", "sm120", True, 2**20)
    assert (device.maps_host_memory, device.driver, device.bindings) == (True, "12.6", "12.9")


def test_every_owner_frees_once_however_often_it_is_closed(lab: Lab) -> None:
    cuda, owners = open_cuda(lab), lab.modules["cuda_resources"]
    stream = owners.CudaStream(cuda)
    for owner in (
        owners.DeviceMemory(cuda, 100),
        owners.HostArray(cuda, (3, 2), mapped=False),
        owners.HostArray(cuda, (3, 2), mapped=True),
        owners.CudaEvent(cuda),
        stream.capture(lambda: None),
        stream,
    ):
        assert lab.gpu.leaks()
        owner.close()
        owner.close()


def test_host_arrays_are_the_memory_itself_until_they_are_closed(lab: Lab) -> None:
    array = lab.modules["cuda_resources"].HostArray(open_cuda(lab), (2, 3), mapped=True)
    array.array[:] = np.arange(6).reshape(2, 3)
    block = lab.gpu.blocks[-1]
    np.testing.assert_array_equal(block.data.view(np.float32), np.arange(6))
    assert array.handle == block.address != array.device_address == block.device_address
    array.close()
    assert array.array.size == 0
    unmapped = lab.modules["cuda_resources"].HostArray(open_cuda(lab), (2, 3), mapped=False)
    assert unmapped.device_address == 0
    unmapped.close()


def test_what_fails_has_cudas_name_and_nothing_is_left(lab: Lab) -> None:
    cuda, owners = open_cuda(lab), lab.modules["cuda_resources"]
    cases: list[tuple[Callable[[], object], str, str]] = [
        (lambda: owners.DeviceMemory(cuda, 8), "cudaMalloc", "cudaErrorMemoryAllocation"),
        (lambda: owners.HostArray(cuda, (1,), mapped=True), "cudaHostAlloc", "cudaErrorMemoryAllocation"),
        (lambda: owners.HostArray(cuda, (1,), mapped=True), "cudaHostGetDevicePointer", "cudaErrorUnknown"),
        (lambda: owners.CudaStream(cuda), "cudaStreamCreateWithFlags", "cudaErrorUnknown"),
        (lambda: owners.CudaEvent(cuda), "cudaEventCreateWithFlags", "cudaErrorUnknown"),
    ]
    for make, call, name in cases:
        lab.fail_on({call}.__contains__)
        with pytest.raises(EdgeError, match=rf"CUDA could not .+ \({name}\)\.") as failure:
            make()
        assert vars(failure.value)["name"] == name
        assert not lab.gpu.leaks()


def test_a_failing_capture_leaves_the_stream_usable(lab: Lab) -> None:
    cuda, owners = open_cuda(lab), lab.modules["cuda_resources"]
    stream = owners.CudaStream(cuda)

    def give_up() -> None:
        raise KeyError

    with pytest.raises(KeyError):
        stream.capture(give_up)
    for call in ("cudaStreamBeginCapture", "cudaStreamEndCapture", "cudaGraphInstantiateWithFlags"):
        lab.fail_on({call}.__contains__)
        with pytest.raises(EdgeError):
            stream.capture(lambda: None)
    lab.fail_on(lambda name: False)
    graph = stream.capture(lambda: None)
    graph.launch(stream)
    stream.synchronize()
    graph.close()
    stream.close()


def test_freeing_never_raises(lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    memory = lab.modules["cuda_resources"].DeviceMemory(open_cuda(lab), 8)
    lab.fail_on({"cudaFree"}.__contains__)
    memory.close()
    assert "cudaErrorUnknown while freeing" in caplog.text


def test_errors_survive_the_way_between_processes() -> None:
    error = pickle.loads(pickle.dumps(cuda_module.CudaError("CUDA could not.", "cudaErrorUnknown")))
    assert (str(error), error.name, error.exit_code) == ("CUDA could not.", "cudaErrorUnknown", 1)


def test_no_gpu_is_one_sentence(lab: Lab) -> None:
    vars(lab.cudart)["cudaGetDeviceCount"] = lambda: (cuda_types.OK, 0)
    with pytest.raises(
        UnavailableError, match=r"finds no usable GPU \(cudaErrorNoDevice\); .*sample"
    ) as none:
        open_cuda(lab)
    assert str(none.value).count(". ") == 0


@pytest.mark.parametrize(
    ("driver", "words"),
    [
        (0, "no working NVIDIA driver (cudaErrorInsufficientDriver)"),
        (12060, "supports CUDA 12.6, and cuda-bindings is made for 12.9"),
    ],
)
def test_a_driver_that_is_missing_or_too_old_is_told_apart(lab: Lab, driver: int, words: str) -> None:
    too_old = cuda_types.cudaError_t.cudaErrorInsufficientDriver
    vars(lab.cudart).update(
        cudaGetDeviceCount=lambda: (too_old, None), cudaDriverGetVersion=lambda: (cuda_types.OK, driver)
    )
    with pytest.raises(UnavailableError, match=re.escape(words)):
        open_cuda(lab)


def test_bindings_that_raise_without_a_driver_are_understood(lab: Lab) -> None:
    def missing() -> None:
        raise RuntimeError("Failed to dlopen libcuda.so.1")  # as cuda-bindings 12.8 does

    vars(lab.cudart).update(cudaGetDeviceCount=missing, cudaDriverGetVersion=missing)
    with pytest.raises(UnavailableError, match="no working NVIDIA driver"):
        open_cuda(lab)


def test_missing_bindings_are_an_install_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cuda.bindings.runtime", None)
    with pytest.raises(UnavailableError, match="pip install 'cuda-bindings==12"):
        cuda_module.open_cuda()


def test_every_name_of_the_fake_is_in_nvidias_tables() -> None:
    tables = [json.loads(path.read_text()) for path in CUDA_TABLES.glob("*.json")]
    assert tables
    for table in tables:
        for name in {*cudart.functions(), *cuda_types.CONSTANTS}:
            assert name in table["names"], (name, table["version"])
        for enum in cuda_types.ENUMS:
            assert {member.name for member in enum} <= set(table["enums"][enum.__name__]), enum


# NVIDIA's own package, where it is installed; none of it needs a driver


def real_bindings() -> ModuleType:
    module: ModuleType = pytest.importorskip("cuda.bindings.runtime", reason="cuda-bindings is not installed")
    return module


def names_used() -> set[str]:
    """`cudaMalloc`, `cudaMemcpyKind.cudaMemcpyHostToDevice`: everything the program reaches through `rt`."""
    found = set()
    for source in SOURCES:
        for node in ast.walk(ast.parse(source.read_text())):
            text = ast.unparse(node) if isinstance(node, ast.Attribute) else ""
            if match := re.fullmatch(r"(?:self\.|cuda\.|self\._cuda\.)?rt\.([\w.]+)", text):
                found.add(match[1])
    return found


def test_every_name_the_program_uses_is_in_nvidias_package() -> None:
    real = real_bindings()
    used = names_used()
    assert len(used) > 30
    for name in used:
        owner: Any = real
        for part in name.split("."):
            assert hasattr(owner, part), name
            owner = getattr(owner, part)


def test_the_fake_has_the_signatures_and_values_of_nvidias_package() -> None:
    real = real_bindings()
    for name, arguments in cudart.functions().items():
        first_line = (getattr(real, name).__doc__ or "").splitlines()[0]
        inside = first_line[first_line.index("(") + 1 : first_line.rindex(")")]
        assert len([part for part in inside.split(",") if part.strip()]) == arguments, first_line
    for name, value in cuda_types.CONSTANTS.items():
        assert getattr(real, name) == value, name
    for enum in cuda_types.ENUMS:
        for member in enum:
            assert int(getattr(getattr(real, enum.__name__), member.name)) == member.value, member


def test_the_program_uses_nothing_that_the_fake_lacks() -> None:
    with Lab() as lab:
        for name in names_used() - {"cudaError_t"}:
            assert hasattr(lab.cudart, name.partition(".")[0]), name
