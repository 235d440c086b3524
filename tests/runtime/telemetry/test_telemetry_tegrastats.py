"""Lines of tegrastats as others have published them; `...` in the sources is filled with like fields. They
were not recorded by us on hardware.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcgan_edge.runtime.telemetry.reader import Unreadable, unit_of
from dcgan_edge.runtime.telemetry.sources import tegrastats
from dcgan_edge.runtime.telemetry.sources.tegrastats import TegrastatsReader, open_tegrastats, parse_line

ORIN_NANO = (
    "09-04-2026 19:40:47 RAM 1803/7486MB (lfb 8x4MB) CPU [64%@729,0%@729,0%@729,0%@729,0%@729,0%@729] "
    "EMC_FREQ 5%@665 GR3D_FREQ 12%@[306] NVDEC0 off NVJPG0 off NVJPG1 off VIC off OFA off APE 200 "
    "cpu@47.562C/48C soc2@46.75C/46.906C soc0@45.843C/46.031C gpu@48C/48.125C tj@48C/48.125C "
    "soc1@46.937C/46.937C VDD_IN 4093mW/4463mW/4832mW VDD_CPU_GPU_CV 802mW/1019mW/1236mW "
    "VDD_SOC 1243mW/1340mW/1437mW"
)
AGX_ORIN = (
    "05-09-2026 18:42:06 RAM 18207/62841MB (lfb 466x4MB) SWAP 86/31420MB (cached 0MB) CPU [14%@2188,5%@2112] "
    "EMC_FREQ 3%@2133 GR3D_FREQ 0%@[0,0] NVENC 79%@166 NVDEC off NVJPG off NVJPG1 off VIC 36%@115 OFA off "
    "NVDLA0 off NVDLA1 off PVA0_FREQ off APE 174 cpu@52.562C soc2@48.437C soc0@49.093C tj@52.562C "
    "soc1@49.656C VDD_GPU_SOC 2412mW/2412mW VDD_CPU_CV 1607mW/1607mW VIN_SYS_5V0 4707mW/4707mW"
)
THOR = (
    "05-17-2026 10:00:32 RAM 4208/125773MB (lfb 31x4MB) SWAP 0/2048MB (cached 0MB) CPU [1%@972,off,off] "
    "EMC_FREQ 0%@665 GR3D_FREQ @[0,0,0] NVENC0_FREQ @0 VIC off OFA_FREQ @0 PVA0_FREQ off APE 300 "
    "cpu@34.468C tj@34.5C soc012@33.781C soc345@34.5C VDD_GPU 0mW/0mW VDD_CPU_SOC_MSS 4165mW/4165mW "
    "VIN_SYS_5V0 4126mW/4126mW"
)
ORIN_NX = (
    "07-16-2026 13:03:45 RAM 1224/15656MB (lfb 8x4MB) SWAP 0/7828MB (cached 0MB) CPU [1%@729,3%@1510] "
    "GR3D_FREQ 0% cv0@41.156C cpu@45.843C soc2@39.593C soc0@42.562C cv1@42.156C gpu@43.406C tj@45.843C "
    "soc1@40.25C cv2@38.593C VDD_IN 4304mW/4304mW VDD_CPU_GPU_CV 573mW/573mW VDD_SOC 1218mW/1218mW"
)
XAVIER_NX = (
    "RAM 2302/6857MB (lfb 8x4MB) GR3D_FREQ 0%@[114] VIC_FREQ 115 APE 150 AUX@45C CPU@46.5C thermal@45.6C "
    "AO@45C GPU@45.5C PMIC@50C VDD_IN 2763mW/2846mW VDD_CPU_GPU_CV 650mW/670mW VDD_SOC 650mW/711mW"
)
AGX_ORIN_JETPACK_5 = (
    "CV0@-256C GPU@-256C CPU@47C NC 0mW/0mW VDD_GPU_SOC 3150mW/2971mW VDDQ_VDD2_1V8AO 301mW/301mW"
)
LINES = {
    ORIN_NANO: {
        "power/VDD_IN": 4.093, "power/VDD_CPU_GPU_CV": 0.802, "power/VDD_SOC": 1.243,
        "temperature/cpu": 47.562, "temperature/soc2": 46.75, "temperature/soc0": 45.843,
        "temperature/gpu": 48.0, "temperature/tj": 48.0, "temperature/soc1": 46.937,
        "utilization/gpu": 12.0, "clock/gpu": 306.0, "utilization/memory": 5.0, "clock/memory": 665.0,
        "utilization/cpu": 64 / 6, "clock/cpu": 729.0, "memory/used": 1803.0,
    },
    AGX_ORIN: {
        "power/VDD_GPU_SOC": 2.412, "power/VDD_CPU_CV": 1.607, "power/VIN_SYS_5V0": 4.707,
        "temperature/cpu": 52.562, "temperature/soc2": 48.437, "temperature/soc0": 49.093,
        "temperature/tj": 52.562, "temperature/soc1": 49.656,
        "utilization/gpu": 0.0, "utilization/memory": 3.0, "clock/memory": 2133.0,
        "utilization/cpu": 9.5, "clock/cpu": 2188.0, "memory/used": 18207.0,
    },
    THOR: {
        "power/VDD_GPU": 0.0, "power/VDD_CPU_SOC_MSS": 4.165, "power/VIN_SYS_5V0": 4.126,
        "temperature/cpu": 34.468, "temperature/tj": 34.5, "temperature/soc012": 33.781,
        "temperature/soc345": 34.5, "utilization/memory": 0.0, "clock/memory": 665.0,
        "utilization/cpu": 1.0, "clock/cpu": 972.0, "memory/used": 4208.0,
    },
    ORIN_NX: {
        "power/VDD_IN": 4.304, "power/VDD_CPU_GPU_CV": 0.573, "power/VDD_SOC": 1.218,
        "temperature/cv0": 41.156, "temperature/cpu": 45.843, "temperature/soc2": 39.593,
        "temperature/soc0": 42.562, "temperature/cv1": 42.156, "temperature/gpu": 43.406,
        "temperature/tj": 45.843, "temperature/soc1": 40.25, "temperature/cv2": 38.593,
        "utilization/gpu": 0.0, "utilization/cpu": 2.0, "clock/cpu": 1510.0, "memory/used": 1224.0,
    },
    XAVIER_NX: {
        "power/VDD_IN": 2.763, "power/VDD_CPU_GPU_CV": 0.65, "power/VDD_SOC": 0.65,
        "temperature/aux": 45.0, "temperature/cpu": 46.5, "temperature/thermal": 45.6, "temperature/ao": 45.0,
        "temperature/gpu": 45.5, "temperature/pmic": 50.0,
        "utilization/gpu": 0.0, "clock/gpu": 114.0, "memory/used": 2302.0,
    },
    AGX_ORIN_JETPACK_5: {
        "power/VDD_GPU_SOC": 3.15, "power/VDDQ_VDD2_1V8AO": 0.301, "temperature/cpu": 47.0,
    },
}  # fmt: skip
BOARDS = ["orin nano", "agx orin", "thor", "orin nx", "xavier nx", "agx orin jetpack 5"]
FIELDS = {
    "VDD_IN 4093mW/4463mW/4832mW": {"power/VDD_IN": 4.093},
    "VDD_GPU -390mW": {"power/VDD_GPU": -0.39},
    "tj@48.5C/49C": {"temperature/tj": 48.5},
    "GR3D_FREQ 99%@[1020,1300]": {"utilization/gpu": 99.0, "clock/gpu": 1300.0},
    "EMC_FREQ @2133": {"clock/memory": 2133.0},
    "CPU [50%@1510,off,100%@729]": {"utilization/cpu": 75.0, "clock/cpu": 1510.0},
    "RAM 1224/15656MB": {"memory/used": 1224.0},
}


@pytest.mark.parametrize(("line", "values"), LINES.items(), ids=BOARDS)
def test_a_published_line_reads_as_it_says(line: str, values: dict[str, float]) -> None:
    assert parse_line(line) == pytest.approx(values)


@given(
    st.text(max_size=300)
    | st.sampled_from(list(LINES)).flatmap(lambda line: st.permutations(line.split(" ")).map(" ".join))
)
def test_no_line_crashes_and_every_reading_has_a_unit(line: str) -> None:
    for name, value in parse_line(line).items():
        assert unit_of(name)
        assert isinstance(value, float)


@given(
    st.lists(st.sampled_from(list(FIELDS)), unique=True),
    st.lists(
        st.sampled_from(["APE 200", "VIC off", "NVENC0_FREQ @0", "(cached 0MB)", "new_field 7", "x@y", "?"])
    ),
    st.data(),
)
def test_known_fields_survive_whatever_stands_around_them(
    fields: list[str], other: list[str], data: st.DataObject
) -> None:
    line = data.draw(st.permutations([*fields, *other]))
    expected: dict[str, float] = {}
    for field in fields:
        expected |= FIELDS[field]
    assert parse_line("05-09-2026 18:42:06 " + " ".join(line)) == expected


@given(st.sampled_from(list(LINES)), st.data())
def test_a_line_cut_short_says_nothing_that_the_whole_does_not(line: str, data: st.DataObject) -> None:
    whole, cut = parse_line(line), parse_line(line[: data.draw(st.integers(0, len(line)))].rpartition(" ")[0])
    assert all(whole[name] == value for name, value in cut.items())


def test_the_reader_hands_out_the_newest_whole_line_once() -> None:
    ours, theirs = os.pipe()
    with os.fdopen(theirs, "wb", buffering=0) as writer:
        reader = TegrastatsReader(os.fdopen(ours, "rb"))
        assert reader.read() == {}
        writer.write(f"{THOR}\n{ORIN_NX}\n{ORIN_NANO[:40]}".encode())
        assert reader.read() == pytest.approx(LINES[ORIN_NX])
        assert reader.read() == {}
        writer.write(f"{ORIN_NANO[40:]}\n".encode())
        assert reader.read() == pytest.approx(LINES[ORIN_NANO])
    assert reader.read() == {}  # tegrastats has ended
    reader.close()


def test_a_program_that_prints_lines_is_started_read_and_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "tegrastats"
    program.write_text(f"#!/bin/sh\n[ \"$*\" = '--interval 200' ] && echo '{ORIN_NX}'\nexec sleep 60\n")
    program.chmod(0o755)
    monkeypatch.setattr(tegrastats, "COMMAND", str(program))
    reader = open_tegrastats(Path("/"))
    assert isinstance(reader, TegrastatsReader)
    for _ in range(1000):  # until the program has started; ten seconds are for a machine that is very busy
        if values := reader.read():
            break
        time.sleep(0.01)
    assert values == pytest.approx(LINES[ORIN_NX])
    process = reader._process
    reader.close()
    assert process is not None
    assert process.returncode is not None


def test_no_tegrastats_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tegrastats, "COMMAND", str(tmp_path / "tegrastats"))
    for root in (Path("/"), tmp_path):
        assert isinstance(open_tegrastats(root), Unreadable)
