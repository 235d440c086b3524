"""Which devices there are, by the files of a machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from dcgan_edge.errors import UsageError
from dcgan_edge.runtime.device import ComputeDevice, has_nvidia_gpu, parse_device, why_no_gpu


@pytest.mark.parametrize(
    ("nodes", "found"),
    [
        ((), False),
        (("null", "nvidiactl", "nvidia-uvm", "nvidia-modeset"), False),  # the driver, and no GPU
        (("nvidiactl", "nvidia0"), True),
        (("nvidiactl", "nvidia1"), True),  # a container with --gpus device=1
        (("nvidia12",), True),
        (("nvhost-gpu",), True),
        (("dxg",), True),
    ],
)
def test_a_gpu_is_known_by_its_device_node(tmp_path: Path, nodes: tuple[str, ...], found: bool) -> None:
    (tmp_path / "dev").mkdir()
    for node in nodes:
        (tmp_path / "dev" / node).touch()
    assert has_nvidia_gpu(tmp_path) == found
    assert bool(why_no_gpu(tmp_path)) != found


@pytest.mark.parametrize(("visible", "hidden"), [("", True), ("-1", True), ("1", False), ("0,1", False)])
def test_gpus_can_be_hidden(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, visible: str, hidden: bool
) -> None:
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/nvidia0").touch()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert ("CUDA_VISIBLE_DEVICES" in why_no_gpu(tmp_path)) == hidden


def test_devices_are_read() -> None:
    assert parse_device("cuda:1") == ComputeDevice("cuda", 1)
    assert str(parse_device(" auto ")) == "auto"
    for text in ("gpu", "cpu:1", "cuda:", "cuda:-1", "cuda:99999"):
        with pytest.raises(UsageError):
            parse_device(text)
