"""The door to CUDA: finds the device, and turns the (error, value) tuples of the bindings into exceptions.

Sits between the TensorRT session (with the owners of `cuda_resources`) and `cuda.bindings.runtime`. Works
with the bindings of CUDA 12.8 to 13.x, which must not be newer than the CUDA of the driver.
"""

from __future__ import annotations

import importlib
import logging
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from dcgan_edge.errors import EdgeError, UnavailableError

NO_DEVICE = ("cudaErrorNoDevice", "cudaErrorDevicesUnavailable", "cudaErrorDeviceUninitialized")
NO_DRIVER = (
    "cudaErrorInsufficientDriver", "cudaErrorSystemDriverMismatch", "cudaErrorSystemNotReady",
    "cudaErrorStubLibrary", "cudaErrorInitializationError", "cudaErrorCompatNotSupportedOnDevice",
)  # fmt: skip
INSTEAD = "the ONNX file of the same generator runs here: dcgan-edge sample generator.fp16.onnx"
TOO_LITTLE_MEMORY = " Use fewer streams, or build for smaller batches: dcgan-edge build --max-batch."

_log = logging.getLogger("dcgan_edge.cuda")


class CudaError(EdgeError):
    """A CUDA call failed. `name` is CUDA's own, such as cudaErrorMemoryAllocation."""

    def __init__(self, message: str, name: str = "") -> None:
        super().__init__(message)
        self.name = name


@dataclass(frozen=True)
class CudaDevice:
    """The GPU of this process. `sm` is its compute capability ("sm87"), `memory` in bytes; `integrated` GPUs
    share their memory with the CPU, as on a Jetson. `driver` is the CUDA version that the driver supports.
    """

    name: str
    sm: str
    integrated: bool
    maps_host_memory: bool
    memory: int
    driver: str
    bindings: str


class Cuda:
    """The calls of `rt` (`cuda.bindings.runtime`) on device `index` of those that this process sees."""

    def __init__(self, rt: ModuleType, index: int = 0) -> None:
        """Raises UnavailableError when there is no driver or no such device."""
        self.rt = rt
        self.index = index
        self._find_device()
        self.make_current()
        self.device = self._describe()

    def check(self, result: tuple[Any, ...], what: str) -> Any:
        """The value of a call (None, one value or a tuple). Raises CudaError or UnavailableError."""
        error, *values = result
        if error == self.rt.cudaError_t.cudaSuccess:
            return tuple(values) if len(values) > 1 else values[0] if values else None
        name, reason = self._names(error)
        self.rt.cudaGetLastError()  # forget it, so that a later call does not report it again
        if name in NO_DEVICE or name in NO_DRIVER:
            raise self._unavailable(name)
        advice = TOO_LITTLE_MEMORY if name == "cudaErrorMemoryAllocation" else ""
        raise CudaError(f"CUDA could not {what}: {reason} ({name}).{advice}", name)

    def forgive(self, result: tuple[Any, ...]) -> bool:
        """Whether a call that gives something back went well; if not, it is logged, not raised."""
        error = result[0]
        if error == self.rt.cudaError_t.cudaSuccess:
            return True
        _log.warning("CUDA reported %s while freeing resources.", self._names(error)[0])
        self.rt.cudaGetLastError()
        return False

    def free_memory(self) -> int:
        """Bytes of GPU memory that nobody uses; on an integrated GPU, of the system's memory."""
        free, _ = self.check(self.rt.cudaMemGetInfo(), "ask for free memory")
        return int(free)

    def make_current(self) -> None:
        """Let this thread's calls reach this device: CUDA keeps a current device for each thread."""
        self.check(self.rt.cudaSetDevice(self.index), "choose the device")

    def _names(self, error: Any) -> tuple[str, str]:
        texts = (self.rt.cudaGetErrorName(error), self.rt.cudaGetErrorString(error))
        name, reason = ((text or b"unknown").decode() for _, text in texts)
        return name, reason

    def _find_device(self) -> None:
        try:
            count = self.check(self.rt.cudaGetDeviceCount(), "count the devices")
        except RuntimeError as error:  # bindings of CUDA 12.8 raise it when libcuda is not there
            raise self._unavailable(str(error)) from error
        if count == 0:
            raise self._unavailable("cudaErrorNoDevice")
        if self.index >= count:
            raise UnavailableError(f"There is no GPU cuda:{self.index}; this process sees {count}.")

    def _unavailable(self, name: str) -> UnavailableError:
        driver, bindings = self._versions()
        if name in NO_DEVICE:
            return UnavailableError(f"The NVIDIA driver finds no usable GPU ({name}); {INSTEAD}.")
        if driver not in ("0.0", "unknown"):
            return UnavailableError(
                f"The NVIDIA driver here supports CUDA {driver}, and cuda-bindings is made for {bindings} "
                f"({name}): pip install 'cuda-bindings=={driver.partition('.')[0]}.*', or update the driver."
            )
        return UnavailableError(f"This machine has no working NVIDIA driver ({name}); {INSTEAD}.")

    def _versions(self) -> tuple[str, str]:
        """The CUDA versions of the driver ("0.0": there is none) and of the bindings."""
        found = []
        for read in (self.rt.cudaDriverGetVersion, self.rt.cudaRuntimeGetVersion):
            try:
                error, number = read()
            except RuntimeError:
                error, number = None, 0
            known = error == self.rt.cudaError_t.cudaSuccess
            if not known:
                self.rt.cudaGetLastError()
            found.append(f"{number // 1000}.{number % 1000 // 10}" if known else "unknown")
        return found[0], found[1]

    def _describe(self) -> CudaDevice:
        rt = self.rt
        index = self.index
        properties = self.check(rt.cudaGetDeviceProperties(index), "read the device's properties")
        _, memory = self.check(rt.cudaMemGetInfo(), "ask for its memory")
        driver, bindings = self._versions()

        def attribute(number: Any) -> int:
            return int(self.check(rt.cudaDeviceGetAttribute(number, index), "read a device attribute"))

        return CudaDevice(
            name=bytes(properties.name).rstrip(b"\0").decode(errors="replace"),
            sm=f"sm{attribute(rt.cudaDeviceAttr.cudaDevAttrComputeCapabilityMajor)}"
            f"{attribute(rt.cudaDeviceAttr.cudaDevAttrComputeCapabilityMinor)}",
            integrated=bool(attribute(rt.cudaDeviceAttr.cudaDevAttrIntegrated)),
            maps_host_memory=bool(attribute(rt.cudaDeviceAttr.cudaDevAttrCanMapHostMemory)),
            memory=int(memory),
            driver=driver,
            bindings=bindings,
        )


def open_cuda(index: int = 0) -> Cuda:
    """Open CUDA on device `index` (CUDA_VISIBLE_DEVICES numbers them) and make it this thread's current one.

    Raises UnavailableError when the bindings, the driver or a GPU is missing, or the bindings are too new.
    """
    try:
        rt = importlib.import_module("cuda.bindings.runtime")
    except ImportError as error:
        raise UnavailableError(
            "Engines need NVIDIA's CUDA bindings, which are not installed or do not load: pip install "
            "'cuda-bindings==12.*' for CUDA 12 (JetPack 6), 'cuda-bindings==13.*' for CUDA 13 (JetPack 7)."
        ) from error
    return Cuda(rt, index)
