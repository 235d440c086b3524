"""Readings of an ordinary computer: RAPL energy, cpufreq clocks, and what other processes take."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcgan_edge.runtime.telemetry.reader import Unreadable
from dcgan_edge.runtime.telemetry.sources.clocks import MOST_POLICIES, open_cpu
from dcgan_edge.runtime.telemetry.sources.cpu_limit import open_cpu_limit
from dcgan_edge.runtime.telemetry.sources.processes import open_processes
from dcgan_edge.runtime.telemetry.sources.rapl import RaplReader, _Counter, open_rapl
from dcgan_edge.runtime.telemetry.sources.thermal import open_throttling
from tests.jetson_trees import plant
from tests.runtime.telemetry.test_telemetry_jetson import opened, refuse

SPAN = 262_143_328_850  # microjoules, a usual max_energy_range_uj
POWERCAP = "sys/class/powercap"


def zone(number: str, name: str, microjoules: int) -> dict[str, str]:
    folder = f"{POWERCAP}/intel-rapl:{number}"
    return {
        f"{folder}/name": name,
        f"{folder}/energy_uj": str(microjoules),
        f"{folder}/max_energy_range_uj": str(SPAN),
    }


def test_rapl_counts_packages_and_memory_and_wraps_around(tmp_path: Path) -> None:
    plant(tmp_path, zone("0", "package-0", SPAN - 2_000_000))
    plant(tmp_path, {**zone("0:0", "core", 5), **zone("0:1", "dram", 1_000_000), **zone("1", "psys", 9)})
    reader = opened(open_rapl, tmp_path)
    assert reader.read() == {"energy/package-0": 0.0, "energy/package-0-dram": 0.0}
    plant(tmp_path, {**zone("0", "package-0", 3_000_000), **zone("0:1", "dram", 1_500_000)})
    assert reader.read() == pytest.approx({"energy/package-0": 5.0, "energy/package-0-dram": 0.5})
    plant(tmp_path, zone("0", "package-0", 4_000_000))
    assert reader.read()["energy/package-0"] == pytest.approx(6.0)


@given(st.integers(0, SPAN - 1), st.lists(st.integers(0, SPAN - 1), max_size=20))
def test_an_unwrapped_counter_is_the_sum_of_its_steps(start: int, steps: list[int]) -> None:
    counter = _Counter(Path("nowhere"), SPAN, start)
    value = start
    for step in steps:
        value = (value + step) % SPAN
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(
                "dcgan_edge.runtime.telemetry.sources.rapl.read_text", lambda path, value=value: str(value)
            )
            counter.advance()
    assert counter.total == sum(steps)


def test_rapl_for_root_only_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(tmp_path, zone("0", "package-0", 1))
    refuse(monkeypatch, "energy_uj", errno.EACCES)
    assert "permission denied" in str(open_rapl(tmp_path))
    monkeypatch.undo()
    reader = opened(open_rapl, tmp_path)
    refuse(monkeypatch, "energy_uj", errno.EIO)
    assert reader.read() == {}
    assert isinstance(open_rapl(tmp_path / "empty"), Unreadable)
    assert isinstance(reader, RaplReader)


def test_the_cpu_clock_is_the_fastest_cores(tmp_path: Path) -> None:
    for number, khz in enumerate((800_000, 3_600_000, 1_200_000)):
        policy = f"sys/devices/system/cpu/cpufreq/policy{number}"
        plant(tmp_path, {f"{policy}/scaling_cur_freq": str(khz), f"{policy}/cpuinfo_max_freq": "4000000"})
        plant(tmp_path, {f"{policy}/scaling_governor": "schedutil"})
    reader = opened(open_cpu, tmp_path)
    assert (reader.read(), dict(reader.limits)) == ({"clock/cpu": 3600.0}, {"clock/cpu": 4000.0})
    assert reader.facts == {"governor": "schedutil", "policies": "3 of 3 read"}


def test_of_very_many_cores_some_are_read(tmp_path: Path) -> None:
    for number in range(100):
        plant(tmp_path, {f"sys/devices/system/cpu/cpufreq/policy{number}/scaling_cur_freq": "2000000"})
    read = opened(open_cpu, tmp_path).facts["policies"]
    assert read == "15 of 100 read"
    assert int(read.split()[0]) <= MOST_POLICIES


def test_a_virtual_machine_has_no_clocks_to_read(tmp_path: Path) -> None:
    assert "usual in virtual machines" in str(open_cpu(tmp_path))


def test_intel_counts_its_throttling(tmp_path: Path) -> None:
    plant(tmp_path, {"sys/devices/system/cpu/cpu0/thermal_throttle/package_throttle_count": "7"})
    for number, state in enumerate((0, 3)):
        device = f"sys/class/thermal/cooling_device{number}"
        plant(tmp_path, {f"{device}/type": "Processor", f"{device}/cur_state": str(state)})
    assert opened(open_throttling, tmp_path).read() == {
        "throttle_count/cpu_package": 7.0,
        "throttle/Processor": 3.0,
    }


def process(pid: int, name: str, parent: int, own: int, ended_children: int = 0) -> dict[str, str]:
    """/proc/pid/stat with `own` ticks in user mode and those of children that have been waited for."""
    return {
        f"proc/{pid}/stat": f"{pid} ({name}) S {parent} 1 1 0 -1 0 0 0 0 0 {own} 0 {ended_children} 0 20 0 1"
    }


def machine(user: int, steal: int = 0) -> dict[str, str]:
    cores = f"cpu  {user} 0 10 99999 500 3 2 {steal} {user} 0"
    return {"proc/stat": f"{cores}\ncpu0 0 0 0 0\nintr 5\n", "proc/loadavg": "0.5 0.4 0.3 1/100 77"}


def test_ours_is_the_process_and_all_below_it(tmp_path: Path) -> None:
    plant(tmp_path, machine(1000, steal=40))
    plant(tmp_path, process(10, "init", 0, 100) | process(50, "dcgan-edge", 10, 200, 30))
    plant(tmp_path, process(51, "a) worker (x", 50, 300) | process(52, "grandchild", 51, 50))
    plant(tmp_path, process(60, "browser", 10, 20))
    reader = open_processes(tmp_path, pid=50)
    assert not isinstance(reader, Unreadable)
    tick = 1 / os.sysconf("SC_CLK_TCK")
    assert reader.read() == pytest.approx(
        # user 1000, system 10, irq 3 and softirq 2; waiting for disks is not work, guests are in user
        {"cpu_time/all": 1015 * tick, "cpu_time/ours": 580 * tick, "cpu_time/stolen": 40 * tick}
    )
    assert "busiest_other" not in reader.facts
    plant(tmp_path, process(60, "browser", 10, 20 + round(2.5 / tick)) | process(61, "cron", 10, 1))
    reader.read()
    assert reader.facts["busiest_other"] == "browser (2.5 s)"
    plant(tmp_path, process(10, "init", 0, 100, 100_000))  # inherits what somebody's ended children worked
    reader.read()
    assert reader.facts["busiest_other"] == "browser (2.5 s)"


def group(path: str, held_back: int) -> dict[str, str]:
    return {f"sys/fs/cgroup/{path}cpu.stat": f"usage_usec 5\nnr_periods 90\nnr_throttled {held_back}\n"}


@pytest.mark.parametrize(
    ("tree", "count"),
    [
        ({"proc/self/cgroup": "0::/a/b\n"} | group("a/b/", 3) | group("a/", 4), 7),  # a limit at each of both
        ({"proc/self/cgroup": "0::/\n"} | group("", 3), 3),  # inside a container
        ({"proc/self/cgroup": "3:memory:/m\n2:cpu,cpuacct:/c\n"} | group("cpu,cpuacct/c/", 5), 5),
        ({"proc/self/cgroup": "2:cpu,cpuacct:/c\n0::/\n"} | group("cpu/c/", 6), 6),
    ],
)
def test_periods_in_which_a_limit_held_us_back_are_counted(
    tmp_path: Path, tree: dict[str, str], count: int
) -> None:
    plant(tmp_path, tree)
    assert opened(open_cpu_limit, tmp_path).read() == {"throttle_count/cpu_limit": count}


def test_without_control_groups_nothing_is_counted(tmp_path: Path) -> None:
    plant(
        tmp_path, {"proc/self/cgroup": "nonsense\n0::/a\n", "sys/fs/cgroup/a/cpu.stat": "nr_throttled many\n"}
    )
    assert isinstance(open_cpu_limit(tmp_path), Unreadable)


def test_a_process_that_ends_while_it_is_read_is_no_error(tmp_path: Path) -> None:
    plant(tmp_path, machine(1000) | process(50, "dcgan-edge", 1, 7) | {"proc/51/stat": ""})
    (tmp_path / "proc/52").mkdir()
    reader = open_processes(tmp_path, pid=50)
    assert not isinstance(reader, Unreadable)
    assert reader.read()["cpu_time/ours"] == pytest.approx(7 / os.sysconf("SC_CLK_TCK"))


def test_without_proc_other_load_is_a_sentence(tmp_path: Path) -> None:
    assert "other programs: not readable, because no such file" in str(open_processes(tmp_path))
