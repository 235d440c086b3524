"""The enums, constants and handles of `cuda.bindings.runtime` that the program uses, with NVIDIA's values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any


class cudaError_t(IntEnum):
    cudaSuccess = 0
    cudaErrorInvalidValue = 1
    cudaErrorInvalidDevice = 101
    cudaErrorMemoryAllocation = 2
    cudaErrorInsufficientDriver = 35
    cudaErrorNoDevice = 100
    cudaErrorInvalidResourceHandle = 400
    cudaErrorNotReady = 600
    cudaErrorIllegalAddress = 700
    cudaErrorStreamCaptureUnsupported = 900
    cudaErrorStreamCaptureInvalidated = 901
    cudaErrorUnknown = 999


class cudaMemcpyKind(IntEnum):
    cudaMemcpyHostToDevice = 1
    cudaMemcpyDeviceToHost = 2


class cudaStreamCaptureMode(IntEnum):
    cudaStreamCaptureModeGlobal = 0
    cudaStreamCaptureModeThreadLocal = 1


class cudaDeviceAttr(IntEnum):
    cudaDevAttrIntegrated = 18
    cudaDevAttrCanMapHostMemory = 19
    cudaDevAttrComputeCapabilityMajor = 75
    cudaDevAttrComputeCapabilityMinor = 76


@dataclass(frozen=True)
class Handle:
    """A stream, event or graph, as the bindings have it: an object that turns into a number."""

    number: int

    def __int__(self) -> int:
        return self.number


@dataclass(frozen=True)
class DeviceProperties:
    name: bytes


Result = tuple[Any, ...]
OK = cudaError_t.cudaSuccess
CONSTANTS = {
    "cudaHostAllocDefault": 0,
    "cudaHostAllocMapped": 2,
    "cudaStreamNonBlocking": 1,
    "cudaEventDefault": 0,
}
ENUMS = (cudaError_t, cudaMemcpyKind, cudaStreamCaptureMode, cudaDeviceAttr)
