"""Where training runs and in what: asked for, or by a rule."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from dcgan_edge.errors import UnavailableError
from dcgan_edge.training import CHECKPOINT_NAME, loop, read_header, run_training
from dcgan_edge.training.precision import resolve_device, resolve_precision
from tests.training.tiny_run import tiny_config, write_digits

CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)


@pytest.mark.parametrize(
    ("capability", "build", "chosen"),
    [((9, 0), "12.8", "bf16"), ((8, 0), "12.8", "bf16"), ((7, 5), "12.8", "fp32"), ((9, 0), None, "fp32")],
)
def test_automatic_precision_is_a_rule_of_device_and_build(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], build: str | None, chosen: str
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    monkeypatch.setattr(torch.version, "cuda", build)
    assert resolve_precision("auto", GPU) == chosen
    assert resolve_precision("auto", CPU) == "fp32"
    assert (resolve_precision("fp32", GPU), resolve_precision("bf16", CPU)) == ("fp32", "bf16")


def test_a_resumed_run_keeps_its_arithmetic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = write_digits(tmp_path / "data")
    out = tmp_path / "run"
    monkeypatch.setattr(loop, "resolve_precision", lambda precision, device: "bf16")  # as on a GPU
    run_training(tiny_config(data, epochs=1, precision="auto"), out)
    monkeypatch.undo()
    assert run_training(tiny_config(data, epochs=2, precision="auto"), out, resume=True).precision == "bf16"
    header = read_header(out / CHECKPOINT_NAME)
    assert (header.precision, header.config.precision) == ("bf16", "auto")


def test_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert resolve_device("auto") == resolve_device("cpu") == CPU
    with pytest.raises(UnavailableError, match="no CUDA device") as caught:
        resolve_device("cuda")
    assert caught.value.exit_code == 5
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert resolve_device("auto") == resolve_device("cuda") == GPU
    assert resolve_device("cuda:1") == torch.device("cuda", 1)
    with pytest.raises(UnavailableError, match="no CUDA device 2"):
        resolve_device("cuda:2")
    assert resolve_device("cpu") == CPU
