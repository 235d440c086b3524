"""A desktop or server GPU through NVIDIA's management library, if nvidia-ml-py is installed.

Each figure is optional: what a GPU or driver does not support is left out. Source: NVML API Reference,
"Device Queries" (mW, mJ, MHz) and "Clocks Event Reasons".
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..reader import Unreadable

MILLI = 1e-3
# Idle, user-set clocks, sync boost and display are no throttling: the user or the idle GPU wants them so.
REASONS = {
    "software_power_cap": "nvmlClocksEventReasonSwPowerCap",
    "hardware_slowdown": "nvmlClocksEventReasonHwSlowdown",
    "software_thermal": "nvmlClocksEventReasonSwThermalSlowdown",
    "hardware_thermal": "nvmlClocksEventReasonHwThermalSlowdown",
    "power_brake": "nvmlClocksEventReasonHwPowerBrakeSlowdown",
}


class NvmlReader:
    """Power, energy, clocks, load, temperature and throttle reasons of one GPU."""

    name = "nvml"
    interval_s = 0.0
    limits: Mapping[str, float] = {}  # boost clocks are not a promise; the throttle reasons tell

    def __init__(self, nvml: Any, handle: Any) -> None:
        self._nvml, self._handle = nvml, handle
        self._errors = (nvml.NVMLError, AttributeError)  # not supported; a binding older than the call
        self.facts: Mapping[str, str] = self._facts()

    def read(self) -> dict[str, float]:
        """Return what the driver tells now of the GPU, by reading."""
        nvml, gpu = self._nvml, self._handle
        reads: dict[str, Callable[[], float]] = {
            "power/gpu_board": lambda: nvml.nvmlDeviceGetPowerUsage(gpu) * MILLI,
            "energy/gpu_board": lambda: nvml.nvmlDeviceGetTotalEnergyConsumption(gpu) * MILLI,
            "clock/gpu": lambda: nvml.nvmlDeviceGetClockInfo(gpu, nvml.NVML_CLOCK_SM),
            "clock/memory": lambda: nvml.nvmlDeviceGetClockInfo(gpu, nvml.NVML_CLOCK_MEM),
            "utilization/gpu": lambda: nvml.nvmlDeviceGetUtilizationRates(gpu).gpu,
            "temperature/gpu": lambda: nvml.nvmlDeviceGetTemperature(gpu, nvml.NVML_TEMPERATURE_GPU),
        }
        values = {}
        for name, read in reads.items():
            try:
                values[name] = float(read())
            except self._errors:
                continue
        return {**values, **self._throttling()}

    def close(self) -> None:
        """Let go of the driver's library."""
        self._nvml.nvmlShutdown()

    def _throttling(self) -> dict[str, float]:
        try:
            bits = self._nvml.nvmlDeviceGetCurrentClocksEventReasons(self._handle)
            return {
                f"throttle/{name}": float(bool(bits & getattr(self._nvml, reason)))
                for name, reason in REASONS.items()
            }
        except self._errors:
            return {}

    def _facts(self) -> dict[str, str]:
        nvml, gpu = self._nvml, self._handle
        asked: dict[str, Callable[[], object]] = {
            "gpu": lambda: nvml.nvmlDeviceGetName(gpu),
            "uuid": lambda: nvml.nvmlDeviceGetUUID(gpu),
            "driver": lambda: nvml.nvmlSystemGetDriverVersion(),
            "power_limit_w": lambda: nvml.nvmlDeviceGetEnforcedPowerLimit(gpu) * MILLI,
            "highest_clock_mhz": lambda: nvml.nvmlDeviceGetMaxClockInfo(gpu, nvml.NVML_CLOCK_SM),
        }
        facts = {}
        for name, ask in asked.items():
            try:
                facts[name] = str(ask())
            except self._errors:
                continue
        return facts


def open_nvml(root: Path, *, visible: str | None = None) -> NvmlReader | Unreadable:
    """The GPU that CUDA calls device 0: the first of CUDA_VISIBLE_DEVICES (`visible`), by UUID or number.

    NVML numbers GPUs by PCI bus; with GPUs of different models set CUDA_DEVICE_ORDER=PCI_BUS_ID as well. The
    GPU's UUID is among the facts. A `root` other than / is refused: NVML looks at this machine.
    """
    if root != Path("/"):
        return Unreadable("nvml", f"it cannot look at {root}")
    try:
        nvml: Any = importlib.import_module("pynvml")
    except ImportError:
        return Unreadable("nvml", "nvidia-ml-py is not installed")
    first = (os.environ.get("CUDA_VISIBLE_DEVICES", "") if visible is None else visible).split(",")[0].strip()
    try:
        nvml.nvmlInit()
        if first.startswith(("GPU-", "MIG-")):
            return NvmlReader(nvml, nvml.nvmlDeviceGetHandleByUUID(first))
        return NvmlReader(nvml, nvml.nvmlDeviceGetHandleByIndex(int(first) if first.isdigit() else 0))
    except nvml.NVMLError as error:
        return Unreadable("nvml", f"the NVIDIA driver does not answer ({error})")
