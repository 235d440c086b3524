"""The boards of jetson_trees.py, which are published figures and were not recorded by us on hardware."""

from __future__ import annotations

import errno
import functools
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from dcgan_edge.runtime.telemetry.reader import Opener, Reader, Unreadable
from dcgan_edge.runtime.telemetry.sources.clocks import open_emc, open_gpu
from dcgan_edge.runtime.telemetry.sources.power_mode import open_power_mode
from dcgan_edge.runtime.telemetry.sources.rails import open_rails
from dcgan_edge.runtime.telemetry.sources.thermal import open_temperatures, open_throttling
from tests.jetson_trees import (
    AGX_ORIN,
    ORIN_NANO,
    ORIN_NX,
    THOR,
    THOR_WITH_VIN,
    Tree,
    gpu,
    plant,
    rails,
    zones,
)


def opened(opener: Opener, root: Path) -> Reader:
    reader = opener(root)
    assert not isinstance(reader, Unreadable), str(reader)
    return reader


def refuse(monkeypatch: pytest.MonkeyPatch, ending: str, code: int) -> None:
    """Let opening a file whose name ends so fail as the system would, also for root."""
    really_open = os.open

    def refusing(path: Path, flags: int, *rest: int) -> int:
        if str(path).endswith(ending):
            raise OSError(code, os.strerror(code), str(path))
        return really_open(path, flags, *rest)

    monkeypatch.setattr(os, "open", refusing)


@pytest.mark.parametrize(
    ("tree", "watts"),
    [
        (ORIN_NANO, {"VDD_IN": 4.09, "VDD_CPU_GPU_CV": 0.8, "VDD_SOC": 1.245}),
        (AGX_ORIN, {"VDD_GPU_SOC": 2.41, "VDD_CPU_CV": 1.605, "VIN_SYS_5V0": 4.705, "VDDQ_VDD2_1V8AO": 0.3}),
        (THOR, {"VDD_GPU": 0.0, "VDD_CPU_SOC_MSS": 4.165, "VIN_SYS_5V0": 4.125}),
        (THOR_WITH_VIN, {"VDD_GPU": 0.0, "VDD_CPU_SOC_MSS": 4.165, "VIN_SYS_5V0": 4.125, "VIN": 23.1}),
        (ORIN_NX, {"VDD_IN": 4.305, "VDD_CPU_GPU_CV": 0.575, "VDD_SOC": 1.22}),
    ],
    ids=["orin nano", "agx orin", "thor", "thor with vin", "orin nx"],
)
def test_rails_are_read_by_label_without_nc_and_sum(
    tmp_path: Path, tree: Tree, watts: dict[str, float]
) -> None:
    values = opened(open_rails, plant(tmp_path, tree)).read()
    assert values == pytest.approx({f"power/{label}": value for label, value in watts.items()})


def test_a_rail_is_found_whatever_its_hwmon_number(tmp_path: Path) -> None:
    plant(tmp_path, rails(17, "7-0041", ("VDD_IN", 5000)))
    assert opened(open_rails, tmp_path).read() == pytest.approx({"power/VDD_IN": 5.0})


def test_a_monitor_seen_twice_counts_once_and_says_how_it_averages(tmp_path: Path) -> None:
    plant(tmp_path, rails(1, "1-0040", ("VDD_IN", 5000)))
    monitor = tmp_path / "sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon1"
    plant(monitor, {"samples": "512", "update_interval": "140"})
    (tmp_path / "sys/class/hwmon").mkdir(parents=True)
    (tmp_path / "sys/class/hwmon/hwmon1").symlink_to(monitor)
    reader = opened(open_rails, tmp_path)
    assert list(reader.read()) == ["power/VDD_IN"]
    assert reader.facts["power/VDD_IN"] == "ina3221, 512 samples averaged, update interval 140 ms"


def test_a_disabled_channel_is_no_rail(tmp_path: Path) -> None:
    plant(tmp_path, rails(1, "1-0040", ("VDD_IN", 5000), ("VDD_SOC", 5000)))
    plant(tmp_path, {"sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon1/in2_enable": "0"})
    assert list(opened(open_rails, tmp_path).read()) == ["power/VDD_IN"]


def test_an_idle_gpu_may_draw_less_than_nothing(tmp_path: Path) -> None:
    plant(tmp_path, rails(1, "1-0040", ("VDD_GPU", -390), ("VDD_CPU_SOC_MSS", 3925)))
    assert opened(open_rails, tmp_path).read()["power/VDD_GPU"] == pytest.approx(-0.39)


def test_an_ina238_without_power_file_is_voltage_times_current(tmp_path: Path) -> None:
    folder = "sys/class/hwmon/hwmon4"
    plant(
        tmp_path,
        {f"{folder}/name": "ina238", f"{folder}/in1_input": "20000", f"{folder}/curr1_input": "1500"},
    )
    assert opened(open_rails, tmp_path).read() == pytest.approx({"power/VIN": 30.0})


@pytest.mark.parametrize(
    ("tree", "values", "limit"),
    [
        (ORIN_NANO, {"clock/gpu": 306.0, "utilization/gpu": 12.0}, 1020.0),
        (AGX_ORIN, {"utilization/gpu": 0.0}, 1300.0),  # a clock of 0 is a gated GPU, not a clock
        (THOR, {"clock/gpu": 1575.0}, 1575.0),  # gpu-nvd-0 is the video engine
    ],
    ids=["orin nano", "agx orin", "thor"],
)
def test_gpu_clock_load_and_limit(tmp_path: Path, tree: Tree, values: dict[str, float], limit: float) -> None:
    reader = opened(open_gpu, plant(tmp_path, tree))
    assert reader.read() == pytest.approx(values)
    assert reader.limits == pytest.approx({"clock/gpu": limit})


def test_another_engine_is_not_the_gpu(tmp_path: Path) -> None:
    assert isinstance(open_gpu(plant(tmp_path, gpu("gpu-nvd-0", now=900, highest=1692))), Unreadable)


def test_equal_lowest_and_highest_clocks_are_locked(tmp_path: Path) -> None:
    plant(tmp_path, gpu("17000000.gpu", now=1020, lowest=1020, highest=1020))
    facts = opened(open_gpu, tmp_path).facts
    assert (facts["locked"], facts["range_mhz"], facts["device"]) == ("yes", "1020-1020", "17000000.gpu")


def test_memory_clock_of_orin_and_thor(tmp_path: Path) -> None:
    orin, thor = (
        opened(open_emc, plant(tmp_path / name, tree)) for name, tree in (("o", ORIN_NANO), ("t", THOR))
    )
    assert (orin.read(), dict(orin.limits)) == ({"clock/memory": 665.0}, {"clock/memory": 2133.0})
    assert (thor.read(), dict(thor.limits)) == ({"clock/memory": 665.0}, {"clock/memory": 4266.0})


def test_without_root_the_memory_clock_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(tmp_path, ORIN_NX)
    refuse(monkeypatch, "clk/emc/rate", errno.EACCES)
    refused = open_emc(tmp_path)
    assert isinstance(refused, Unreadable)
    assert str(refused).startswith("memory clock: not readable, because permission denied")


def test_gated_zones_are_left_out_and_come_back(tmp_path: Path) -> None:
    reader = opened(open_temperatures, plant(tmp_path, AGX_ORIN))
    assert set(reader.read()) == {f"temperature/{zone}" for zone in ("cpu", "soc0", "soc1", "soc2", "tj")}
    plant(tmp_path, zones(cpu=50, soc2=48, soc0=49, tj=50, soc1=49, gpu=51.5))
    assert reader.read()["temperature/gpu"] == 51.5


def test_a_zone_that_answers_eagain_costs_only_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(tmp_path, zones(cpu=40, gpu=41))
    refuse(monkeypatch, "thermal_zone1/temp", errno.EAGAIN)
    reader = opened(open_temperatures, tmp_path)
    assert reader.read() == {"temperature/cpu": 40.0}
    monkeypatch.undo()  # the GPU wakes up
    assert reader.read() == {"temperature/cpu": 40.0, "temperature/gpu": 41.0}


def test_the_limit_of_a_zone_is_where_clocks_are_cut(tmp_path: Path) -> None:
    """70 degC is the hot-surface alert, which only warns."""
    assert opened(open_temperatures, plant(tmp_path, ORIN_NANO)).limits["temperature/tj"] == 99.0


def test_zones_of_one_type_keep_apart(tmp_path: Path) -> None:
    for number in range(2):
        zone = f"sys/class/thermal/thermal_zone{number}"
        plant(tmp_path, {f"{zone}/type": "acpitz", f"{zone}/temp": f"{30 + number}000"})
    values = opened(open_temperatures, tmp_path).read()
    assert values == {"temperature/acpitz": 30.0, "temperature/acpitz+": 31.0}


def test_throttling_is_alerts_and_over_current_events_not_fans(tmp_path: Path) -> None:
    values = opened(open_throttling, plant(tmp_path, ORIN_NANO)).read()
    alerts = {"throttle/cpu-throttle-alert": 0.0, "throttle/gpu-throttle-alert": 0.0}
    assert values == {**alerts, **{f"throttle_count/oc{number}": 0.0 for number in (1, 2, 3)}}
    assert opened(open_throttling, plant(tmp_path / "agx", AGX_ORIN)).read()["throttle_count/oc3"] == 37.0


@pytest.mark.parametrize("opener", [open_rails, open_gpu, open_emc, open_temperatures, open_throttling])
def test_an_empty_tree_gives_reasons(tmp_path: Path, opener: Opener) -> None:
    refused = opener(tmp_path)
    assert isinstance(refused, Unreadable)
    assert ": not readable, because " in str(refused)


@pytest.mark.parametrize("code", [errno.EACCES, errno.ENOENT, errno.EIO, errno.EAGAIN])
def test_whatever_fails_nothing_is_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    plant(tmp_path, ORIN_NANO)
    for ending in ("_input", "_freq", "temp", "state", "cnt", "rate", "load", "governor"):
        refuse(monkeypatch, ending, code)
    for opener in (open_rails, open_gpu, open_emc, open_temperatures, open_throttling):
        reader = opener(tmp_path)
        assert isinstance(reader, Unreadable) or reader.read() == {}


@pytest.mark.parametrize(
    ("printed", "facts"),
    [
        ("NV Power Mode: MAXN_SUPER\n2\n", {"mode": "MAXN_SUPER", "id": "2"}),
        ("NVPM WARN: fan mode is not set!\nNV Power Mode: MODE_30W\n2\n", {"mode": "MODE_30W", "id": "2"}),
        ("NV Power Mode: 15W\n0\n", {"mode": "15W", "id": "0"}),
        ("NV Power Mode: MAXN\n", {"mode": "MAXN"}),
    ],
)
def test_power_mode_as_nvpmodel_prints_it(printed: str, facts: dict[str, str]) -> None:
    reader = opened(functools.partial(open_power_mode, ask=lambda: printed), Path("/"))
    assert (dict(reader.facts), reader.read()) == (facts, {})


def failing(error: Exception) -> Callable[[], str]:
    def ask() -> str:
        raise error

    return ask


@pytest.mark.parametrize(
    ("ask", "reason"),
    [
        (failing(FileNotFoundError(2, "No such file", "nvpmodel")), "only Jetsons have it"),
        (failing(subprocess.CalledProcessError(1, "nvpmodel")), "nvpmodel -q failed"),
        (failing(subprocess.TimeoutExpired("nvpmodel", 10)), "nvpmodel -q failed"),
        (lambda: "Error: run me as root", "printed no mode but 'Error: run me as root'"),
    ],
)
def test_no_power_mode_is_a_sentence(ask: Callable[[], str], reason: str) -> None:
    refused = open_power_mode(Path("/"), ask=ask)
    assert isinstance(refused, Unreadable)
    assert reason in str(refused)
