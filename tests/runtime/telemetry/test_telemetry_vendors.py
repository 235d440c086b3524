"""NVIDIA's management library and jetson-stats, replaced by modules that hold only names that the real ones
have. Neither was run on hardware here.
"""

from __future__ import annotations

import importlib
import inspect
import json
import re
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from dcgan_edge.runtime.telemetry.reader import Unreadable
from dcgan_edge.runtime.telemetry.sources import nvml
from dcgan_edge.runtime.telemetry.sources.jetson_stats import JtopReader, open_jtop
from dcgan_edge.runtime.telemetry.sources.nvml import NvmlReader, open_nvml

# Made by listing the names of nvml.py in nvidia-ml-py 13.615.71 with inspect.signature.
API: dict[str, Any] = json.loads((Path(__file__).parents[2] / "fixtures/nvml-13.615.71.json").read_text())
USED = set(re.findall(r"\b(nvml[A-Z]\w+|NVML_\w+)\b", inspect.getsource(nvml)))
HERE = Path("/")


class NvmlError(Exception):
    """Stands for pynvml.NVMLError."""


ANSWERS: dict[str, Any] = {
    "nvmlDeviceGetPowerUsage": 123_400,  # mW
    "nvmlDeviceGetTotalEnergyConsumption": 5_000_000,  # mJ
    "nvmlDeviceGetUtilizationRates": SimpleNamespace(gpu=97, memory=40),
    "nvmlDeviceGetTemperature": 61,
    "nvmlDeviceGetCurrentClocksEventReasons": 0x4 | 0x1,  # power cap, and idle, which is no throttling
    "nvmlDeviceGetName": "NVIDIA RTX A2000",
    "nvmlDeviceGetUUID": "GPU-0123",
    "nvmlSystemGetDriverVersion": "580.00",
    "nvmlDeviceGetEnforcedPowerLimit": 70_000,
    "nvmlDeviceGetMaxClockInfo": 2100,
    "nvmlInit": None,
    "nvmlShutdown": None,
}


def fake_nvml(**answers: Any) -> tuple[ModuleType, list[tuple[Any, ...]]]:
    """A module with exactly the names of the fixture, and the calls made to it. An answer that is an
    exception is raised.
    """
    module, calls = ModuleType("pynvml"), []

    def make(name: str, parameters: list[str]) -> Any:
        def function(*arguments: Any) -> Any:
            assert len(arguments) == len(parameters), f"{name} takes {parameters}"
            calls.append((name, *arguments))
            if name.startswith("nvmlDeviceGetHandleBy"):
                answer = {**ANSWERS, **answers}.get(name, f"handle {arguments[0]}")
            elif name == "nvmlDeviceGetClockInfo":
                answer = {API["constants"]["NVML_CLOCK_SM"]: 1800, API["constants"]["NVML_CLOCK_MEM"]: 7000}[
                    arguments[1]
                ]
            else:
                answer = {**ANSWERS, **answers}[name]
            if isinstance(answer, Exception):
                raise answer
            return answer

        return function

    for name, parameters in API["functions"].items():
        setattr(module, name, make(name, parameters))
    for name, value in API["constants"].items():
        setattr(module, name, value)
    module.NVMLError = NvmlError  # type: ignore[attr-defined]  # a module made by hand
    return module, calls


def opened(monkeypatch: pytest.MonkeyPatch, visible: str = "", **answers: Any) -> NvmlReader:
    module, _ = fake_nvml(**answers)
    monkeypatch.setitem(sys.modules, "pynvml", module)
    reader = open_nvml(HERE, visible=visible)
    assert isinstance(reader, NvmlReader), str(reader)
    return reader


def test_every_name_used_is_in_the_recorded_api() -> None:
    assert {*API["functions"], *API["constants"]} == USED


def test_the_recorded_api_is_the_real_one() -> None:
    real = pytest.importorskip("pynvml", reason="nvidia-ml-py is not installed")
    for name, parameters in API["functions"].items():
        assert list(inspect.signature(getattr(real, name)).parameters) == parameters, name
    assert {name: getattr(real, name) for name in API["constants"]} == API["constants"]
    assert issubclass(real.NVMLError, Exception)


def test_nvml_gives_watts_joules_megahertz_and_reasons(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = opened(monkeypatch)
    assert reader.read() == pytest.approx(
        {
            "power/gpu_board": 123.4, "energy/gpu_board": 5000.0, "clock/gpu": 1800.0, "clock/memory": 7000.0,
            "utilization/gpu": 97.0, "temperature/gpu": 61.0, "throttle/software_power_cap": 1.0,
            "throttle/hardware_slowdown": 0.0, "throttle/software_thermal": 0.0,
            "throttle/hardware_thermal": 0.0, "throttle/power_brake": 0.0,
        }
    )  # fmt: skip
    assert reader.facts["gpu"] == "NVIDIA RTX A2000"
    assert reader.facts["power_limit_w"] == "70.0"
    reader.close()


def test_what_a_gpu_does_not_support_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    unsupported = NvmlError("Not Supported")
    reader = opened(
        monkeypatch,
        nvmlDeviceGetPowerUsage=unsupported,
        nvmlDeviceGetTotalEnergyConsumption=unsupported,
        nvmlDeviceGetCurrentClocksEventReasons=AttributeError("an old binding"),
        nvmlDeviceGetEnforcedPowerLimit=unsupported,
    )
    assert set(reader.read()) == {"clock/gpu", "clock/memory", "utilization/gpu", "temperature/gpu"}
    assert "power_limit_w" not in reader.facts


@pytest.mark.parametrize(
    ("visible", "asked"),
    [
        ("", ("nvmlDeviceGetHandleByIndex", 0)),
        ("1,0", ("nvmlDeviceGetHandleByIndex", 1)),
        ("GPU-77,GPU-78", ("nvmlDeviceGetHandleByUUID", "GPU-77")),
    ],
)
def test_the_gpu_is_the_one_that_cuda_sees_first(
    monkeypatch: pytest.MonkeyPatch, visible: str, asked: tuple[str, Any]
) -> None:
    module, calls = fake_nvml()
    monkeypatch.setitem(sys.modules, "pynvml", module)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert isinstance(open_nvml(HERE), NvmlReader)
    assert asked in calls


def test_no_driver_no_library_and_another_root_are_sentences(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", fake_nvml(nvmlInit=NvmlError("Library Not Found"))[0])
    assert "driver does not answer (Library Not Found)" in str(open_nvml(HERE))
    assert str(tmp_path) in str(open_nvml(tmp_path))
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert "nvidia-ml-py is not installed" in str(open_nvml(HERE))


class FakeJtop:
    """What the documentation of jetson-stats 7.2.2 says its class `jtop` gives on an Orin Nano."""

    def __init__(self, interval: float, *, ready: bool = True, broken: Exception | None = None) -> None:
        self.interval, self.ready, self.broken, self.closed = interval, ready, broken, False
        self.nvpmodel = "MAXN_SUPER"
        self.power: Any = {
            "tot": {"power": 4093, "avg": 4463},
            "rail": {
                "VDD_CPU_GPU_CV": {
                    "online": True,
                    "type": "INA3221",
                    "volt": 5000,
                    "curr": 160,
                    "power": 802,
                },
                "VDD_SOC": {"online": False, "power": 0},
                "VDD_IN": {"online": True, "power": 4093},
            },
        }
        self.temperature: Any = {
            "CPU": {"online": True, "temp": 47.5},
            "cv0": {"online": False, "temp": -256},
        }
        self.gpu: Any = {
            "gpu": {
                "type": "integrated",
                "status": {"load": 12.0},
                "freq": {"cur": 306_000, "max": 1_020_000},
            }
        }

    def start(self) -> None:
        if self.broken:
            raise self.broken

    def ok(self) -> bool:
        return self.ready

    def close(self) -> None:
        self.closed = True


def jtop_module(monkeypatch: pytest.MonkeyPatch, **how: Any) -> list[FakeJtop]:
    made: list[FakeJtop] = []

    def jtop(interval: float = 1.0) -> FakeJtop:
        made.append(FakeJtop(interval, **how))
        return made[-1]

    module = ModuleType("jtop")
    module.jtop = jtop  # type: ignore[attr-defined]  # a module made by hand
    monkeypatch.setitem(sys.modules, "jtop", module)
    return made


def test_jtop_gives_rails_temperatures_and_the_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    made = jtop_module(monkeypatch)
    reader = open_jtop(HERE)
    assert isinstance(reader, JtopReader), str(reader)
    assert reader.read() == pytest.approx(
        {
            "power/VDD_CPU_GPU_CV": 0.802, "power/VDD_IN": 4.093, "temperature/cpu": 47.5,
            "utilization/gpu": 12.0, "clock/gpu": 306.0,
        }
    )  # fmt: skip
    assert reader.facts["power_mode"] == "MAXN_SUPER"
    reader.close()
    assert made[0].closed


@pytest.mark.parametrize("field", ["power", "temperature", "gpu"])
@pytest.mark.parametrize("value", [None, {}, {"rail": None}, {"gpu": {"freq": {}}}, {"CPU": {"temp": "hot"}}])
def test_a_jtop_with_other_fields_gives_less_and_raises_nothing(
    monkeypatch: pytest.MonkeyPatch, field: str, value: Any
) -> None:
    made = jtop_module(monkeypatch)
    reader = open_jtop(HERE)
    assert isinstance(reader, JtopReader)
    setattr(made[0], field, value)
    lost = {"power": "power/VDD_IN", "temperature": "temperature/cpu", "gpu": "utilization/gpu"}
    values = reader.read()
    assert lost[field] not in values
    assert all(name in values for other, name in lost.items() if other != field)


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ({"broken": RuntimeError("The jtop.service is not active.\nPlease run")}, "not active. Please run"),
        ({"ready": False}, "sends nothing"),
    ],
)
def test_a_jtop_without_service_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, how: dict[str, Any], reason: str
) -> None:
    jtop_module(monkeypatch, **how)
    assert reason in str(open_jtop(HERE))
    assert isinstance(open_jtop(tmp_path), Unreadable)
    monkeypatch.setitem(sys.modules, "jtop", None)
    assert "jetson-stats is not installed" in str(open_jtop(HERE))


@pytest.mark.gpu
def test_the_attributes_of_jtop_are_the_real_ones() -> None:
    try:
        real = importlib.import_module("jtop").jtop
    except Exception as error:  # it looks for its service when it is imported
        pytest.skip(f"jetson-stats cannot be imported ({error})")
    for name in ("start", "ok", "close", "power", "temperature", "gpu", "nvpmodel"):
        assert hasattr(real, name)
    assert "interval" in inspect.signature(real.__init__).parameters
