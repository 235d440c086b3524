from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dcgan_edge.artifact import Cost
from dcgan_edge.errors import UnavailableError, UsageError
from dcgan_edge.runtime.bench.roofline import cpu
from dcgan_edge.runtime.bench.roofline.bound import BELOW_BOUND, Roofline, roofline
from dcgan_edge.runtime.bench.roofline.cpu import measure_cpu_peaks
from dcgan_edge.runtime.bench.roofline.peaks import MODULES, Peaks, find_module, jetson_peaks, load_peaks
from dcgan_edge.runtime.telemetry.reader import Unreadable
from tests.jetson_trees import AGX_ORIN, ORIN_NANO, ORIN_NX, THOR, Tree, board, gpu, plant

COST = Cost(
    flops=2e8,
    weight_bytes=7_000_000,
    image_bytes=50_000,
    activation_bytes=1_000_000,
    peak_activation_bytes=200_000,
)
ORIN_NANO_15W = {**ORIN_NANO, **gpu("17000000.gpu", now=306, highest=624)}
NO_DEVFREQ = board("nvidia,p3768-0000+p3767-0005", "nvidia,tegra234")
PEAKS = Peaks("a device", {"fp32": 1e12, "fp16": 4e12}, 1e10, "spec")


def bound(
    batch: int, precision: str = "fp16", measured_ms: float | None = None, cost: Cost = COST
) -> Roofline:
    result = roofline(cost, PEAKS, batch=batch, precision=precision, measured_ms=measured_ms)
    assert isinstance(result, Roofline)
    return result


def test_one_image_is_bound_by_the_weights() -> None:
    """2e8 FLOP / 4e12 = 0.05 ms; 7.05e6 bytes / 1e10 = 0.705 ms; with activations 8e6 / 1e10 = 0.8 ms."""
    result = bound(1, measured_ms=1.41)
    assert (result.compute_ms, result.memory_ms, result.unfused_ms) == pytest.approx((0.05, 0.705, 0.8))
    assert (result.bound_ms, result.ratio) == pytest.approx((0.705, 2.0))
    assert result.bound == "memory"
    assert result.notes == ()


def test_many_images_are_bound_by_the_arithmetic() -> None:
    """At 100 images in float32: 2e10 / 1e12 = 20 ms; 12e6 / 1e10 = 1.2 ms; unfused 107e6 / 1e10 = 10.7 ms."""
    result = bound(100, "fp32")
    assert (result.compute_ms, result.memory_ms, result.unfused_ms) == pytest.approx((20.0, 1.2, 20.0))
    assert result.bound_ms == pytest.approx(20.0)
    assert (result.bound, result.ratio) == ("compute", None)
    record = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert (record["bound"], record["ratio"], record["peaks"]["source"]) == ("compute", None, "spec")


def test_what_cannot_be_true_is_noted() -> None:
    assert BELOW_BOUND in bound(1, measured_ms=0.1).notes
    assert "no rule counts Loop" in bound(1, cost=Cost(1, 1, 1, 1, 1, ("Loop",))).notes[0]


def test_mixed_precision_is_held_against_its_faster_part() -> None:
    assert bound(1, "mixed").compute_ms == bound(1, "fp16").compute_ms


def test_a_precision_without_peak_is_a_sentence() -> None:
    refused = roofline(COST, PEAKS, batch=1, precision="int8")
    assert str(refused) == "roofline: not readable, because there is no int8 peak of a device"


@pytest.mark.parametrize(
    ("name", "fp16", "int8", "bandwidth"),
    [
        ("Jetson Xavier NX", 6.8, 13.5, 59.7), ("Jetson AGX Xavier", 11.3, 22.6, 136.5),
        ("Jetson Orin Nano 4GB", 5.1, 10.2, 34), ("Jetson Orin Nano 8GB", 10.2, 20.5, 68),
        ("Jetson Orin Nano 8GB Super", 16.7, 33.4, 102), ("Jetson Orin NX 8GB", 12.5, 25, 102.4),
        ("Jetson Orin NX 16GB", 15.0, 30, 102.4), ("Jetson Orin NX 16GB Super", 19.2, 38.4, 102.4),
        ("Jetson AGX Orin 32GB", 26.7, 53.3, 204.8), ("Jetson AGX Orin 64GB", 42.6, 85.2, 204.8),
        ("Jetson AGX Thor T5000", 258.8, 517, 273), ("Jetson Thor T4000", 150, 300, 273),
    ],
)  # fmt: skip
def test_the_rule_gives_the_published_figures(name: str, fp16: float, int8: float, bandwidth: float) -> None:
    """Dense figures as published, or half of NVIDIA's sparse ones; 1 %, because they are rounded."""
    peaks = next(module for module in MODULES if module.name == name).peaks()
    assert peaks.flops["fp16"] / 1e12 == pytest.approx(fp16, rel=1e-2)
    assert peaks.flops["int8"] / 1e12 == pytest.approx(int8, rel=1e-2)
    assert peaks.bandwidth / 1e9 == pytest.approx(bandwidth)
    assert peaks.source == "spec"


@pytest.mark.parametrize(
    ("tree", "gpu_mhz", "name"),
    [
        (ORIN_NANO_15W, None, "Jetson Orin Nano 8GB, 8 SM at 624 MHz as allowed"),
        (ORIN_NANO_15W, 612, "Jetson Orin Nano 8GB, 8 SM at 612 MHz as seen"),
        (ORIN_NANO_15W, 1020, "Jetson Orin Nano 8GB Super,"),
        (ORIN_NANO, None, "Jetson Orin Nano 8GB Super, 8 SM at 1020 MHz as allowed"),
        (ORIN_NANO, 612, "Jetson Orin Nano 8GB Super, 8 SM at 612 MHz as seen"),
        (NO_DEVFREQ, None, "Jetson Orin Nano 8GB, 8 SM at 625 MHz as specified"),
        (ORIN_NX, 918, "Jetson Orin NX 16GB,"),
        (ORIN_NX, 921.6, "Jetson Orin NX 16GB,"),  # a clock as the table of the driver has it
        (ORIN_NX, 1173, "Jetson Orin NX 16GB Super,"),
        (ORIN_NX, 1300, "Jetson Orin NX 16GB Super,"),
        (AGX_ORIN, None, "Jetson AGX Orin 64GB,"),
        (THOR, 1575, "Jetson AGX Thor T5000,"),
    ],
)
def test_a_board_is_known_by_its_device_tree_and_clock(
    tmp_path: Path, tree: Tree, gpu_mhz: float | None, name: str
) -> None:
    peaks = jetson_peaks(plant(tmp_path, tree), gpu_mhz=gpu_mhz)
    assert isinstance(peaks, Peaks)
    assert peaks.name.startswith(name)


def test_peaks_follow_the_clocks_seen(tmp_path: Path) -> None:
    """Half the clocks are half the peaks: an Orin Nano in 15 W mode whose memory runs at 1066 of 2125 MHz."""
    full, half = (
        jetson_peaks(plant(tmp_path, ORIN_NANO_15W), gpu_mhz=mhz, memory_mhz=memory)
        for mhz, memory in ((624, 2125), (312, 1062.5))
    )
    assert isinstance(full, Peaks)
    assert isinstance(half, Peaks)
    assert half.flops["fp16"] * 2 == pytest.approx(full.flops["fp16"])
    assert half.bandwidth * 2 == pytest.approx(full.bandwidth) == pytest.approx(68e9)
    assert half.name.endswith("8 SM at 312 MHz as seen")


def test_unknown_boards_and_computers_are_sentences(tmp_path: Path) -> None:
    assert "this is no Jetson" in str(jetson_peaks(tmp_path))
    plant(tmp_path, {"proc/device-tree/compatible": "acme,board\0nvidia,p9999-0000\0nvidia,tegra999\0"})
    assert isinstance(jetson_peaks(tmp_path), Unreadable)
    assert "no module is known for acme,board, nvidia,p9999-0000, nvidia,tegra999" in str(
        jetson_peaks(tmp_path)
    )
    assert find_module(["nvidia,p3767-00050"]) is None


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_a_user_gives_the_peaks_of_another_device(tmp_path: Path) -> None:
    text = '{"name": "RTX A2000", "tflops": {"fp32": 8, "fp16": 63.9}, "bandwidth_gb_s": 288}'
    peaks = load_peaks(write(tmp_path / "peaks.json", text))
    assert peaks == Peaks("RTX A2000", {"fp32": 8e12, "fp16": 63.9e12}, 288e9, "user")


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "{}", '{"name": "x", "tflops": {"fp16": 1}}',
        '{"name": "x", "tflops": 5, "bandwidth_gb_s": 1}', '{"name": "x", "tflops": {}, "bandwidth_gb_s": 1}',
        '{"name": "x", "tflops": {"fp16": 0}, "bandwidth_gb_s": 1}',
        '{"name": "x", "tflops": {"fp16": NaN}, "bandwidth_gb_s": 1}',
        '{"name": "x", "tflops": {"fp16": "fast"}, "bandwidth_gb_s": 1}',
    ],
)  # fmt: skip
def test_a_file_that_describes_no_device_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError, match=r"peaks\.json"):
        load_peaks(write(tmp_path / "peaks.json", text))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        load_peaks(tmp_path / "peaks.json")


def test_the_processor_is_measured_in_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONWARNINGS", "error")
    commands = []
    really_run = subprocess.run

    def run(command: list[str], **how: object) -> object:
        commands.append((command, how["env"]))
        return really_run(command, **how)  # type: ignore[call-overload]  # passed on as it came

    monkeypatch.setattr(subprocess, "run", run)
    peaks = measure_cpu_peaks(2, 4_000_000)
    ((command, environment),) = commands
    assert command == [sys.executable, "-m", "dcgan_edge.runtime.bench.roofline.cpu", "2", "4000000"]
    assert isinstance(environment, dict)
    assert environment["OPENBLAS_NUM_THREADS"] == "1"
    # Any processor of the last twenty years multiplies 1e8 and copies 1e7 a second, and none 1e17.
    assert 1e8 < peaks.flops["fp32"] == peaks.flops["fp16"] < 1e17
    assert 1e7 < peaks.bandwidth < 1e17
    assert (peaks.source, peaks.name.endswith("2 threads")) == ("measured", True)


def test_each_thread_adds_its_shortest_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two threads that take 5, 4, 1 (not disturbed), 3 and 0.1 s (alone): the third call counts."""
    monkeypatch.setattr(cpu, "BUDGET_S", 0.0)
    ticks: dict[int, Iterator[float]] = {}

    def clock() -> float:
        times = ticks.setdefault(
            threading.get_ident(), iter([0.0] + [t for d in (5, 4, 1, 3, 0.1) for t in (9, 0, d)] + [9.0])
        )
        return next(times)

    monkeypatch.setattr(time, "perf_counter", clock)
    assert cpu._rate([int, int], work=7.0) == pytest.approx(14.0)


@pytest.mark.parametrize("program", ["exit 3", "echo no numbers"])
def test_a_failed_measurement_is_an_error_that_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    python = write(tmp_path / "python", f"#!/bin/sh\n{program}\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", os.fspath(python))
    with pytest.raises(UnavailableError, match="could not be measured"):
        measure_cpu_peaks(1, 1)
