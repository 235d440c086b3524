from __future__ import annotations

import json
from pathlib import Path

import pytest

from dcgan_edge.runtime import device, doctor


def test_everything_found_means_everything_can_be_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_installed", lambda name, distributions: "1.0")
    monkeypatch.setattr(doctor, "has_nvidia_gpu", lambda: True)
    assert all(not ability.lacking for ability in doctor.diagnose().abilities)


def test_what_is_missing_is_named_with_the_command_that_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_installed", lambda name, distributions: "")
    monkeypatch.setattr(doctor, "has_nvidia_gpu", lambda: False)
    monkeypatch.setattr(doctor, "jetson", dict)
    diagnosis = doctor.diagnose()
    assert diagnosis.gpus == ()
    by_task = {ability.task: ability for ability in diagnosis.abilities}
    sampling = by_task["sample and benchmark ONNX files on the CPU"]
    assert (sampling.lacking, sampling.remedy) == ("onnxruntime", "pip install 'dcgan-edge[cpu]'")
    assert "an NVIDIA GPU" in by_task["build and run engines on this GPU"].lacking
    json.dumps(diagnosis.to_dict(), allow_nan=False)


def test_on_a_jetson_tensorrt_comes_from_jetpack(monkeypatch: pytest.MonkeyPatch) -> None:
    board = {"model": "NVIDIA Jetson Orin Nano Developer Kit", "l4t": "# R36 (release), REVISION: 4.7"}
    monkeypatch.setattr(doctor, "jetson", lambda: board)
    monkeypatch.setattr(doctor, "_installed", lambda name, distributions: "")
    diagnosis = doctor.diagnose()
    assert "Orin Nano" in diagnosis.gpus[0]
    tensorrt = next(library for library in diagnosis.libraries if library.name == "tensorrt")
    assert "python3-libnvinfer" in tensorrt.remedy
    assert "--system-site-packages" in tensorrt.remedy
    remedies = {library.name: library.remedy for library in diagnosis.libraries}
    assert remedies["cuda.bindings"] == remedies["pynvml"] == "pip install 'dcgan-edge[jetson]'"
    assert remedies["onnxruntime"] == "pip install 'dcgan-edge[cpu]'"
    assert all(library.reason and library.remedy for library in diagnosis.libraries)


def test_where_there_is_no_tensorrt_rtx_no_command_is_promised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_installed", lambda name, distributions: "")
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    rtx = next(library for library in doctor.diagnose().libraries if library.name == "tensorrt_rtx")
    assert "pip" not in rtx.remedy


def test_a_jetson_is_known_by_its_files(tmp_path: Path) -> None:
    assert device.jetson(tmp_path) == {}
    files = {"proc/device-tree/model": "NVIDIA Jetson AGX Thor\0", "etc/nv_tegra_release": "# R38\nmore"}
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(text)
    assert device.jetson(tmp_path) == {"model": "NVIDIA Jetson AGX Thor", "l4t": "# R38"}
    facts = device.machine_facts(tmp_path)
    assert facts["jetson_model"] == "NVIDIA Jetson AGX Thor"


def test_installed_versions_leaves_out_what_is_not_there() -> None:
    found = device.installed_versions(("numpy", "no-such-distribution"))
    assert list(found) == ["numpy"]
