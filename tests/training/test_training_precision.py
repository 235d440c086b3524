"""Where training runs and in what: asked for, measured, remembered."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from dcgan_edge.errors import UnavailableError
from dcgan_edge.training import CHECKPOINT_NAME, precision, read_header, run_training
from dcgan_edge.training.config import Arithmetic, TrainConfig
from dcgan_edge.training.precision import resolve_device, resolve_precision
from tests.training.tiny_run import tiny_config, write_digits

CPU = torch.device("cpu")


def pretend(monkeypatch: pytest.MonkeyPatch, *, bf16: float, fp32: float) -> None:
    """Let the trial steps take so many seconds."""

    def trial(config: TrainConfig, device: torch.device) -> dict[Arithmetic, float]:
        return {"bf16": bf16, "fp32": fp32}

    monkeypatch.setattr(precision, "_trial", trial)


def test_the_faster_one_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    config = tiny_config(Path("digits"), precision="auto")
    pretend(monkeypatch, bf16=1.0, fp32=2.0)
    assert resolve_precision(config, CPU) == "bf16"
    pretend(monkeypatch, bf16=2.0, fp32=1.0)
    assert resolve_precision(config, CPU) == "fp32"


def test_what_is_asked_for_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, bf16=1.0, fp32=2.0)
    assert resolve_precision(tiny_config(Path("digits"), precision="fp32"), CPU) == "fp32"


def test_measuring_draws_no_random_numbers() -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    assert resolve_precision(tiny_config(Path("digits"), precision="auto"), CPU) in ("fp32", "bf16")
    assert torch.equal(torch.get_rng_state(), before)


def test_both_are_measured_whatever_the_clock_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "TRIAL_SECONDS", -1.0)  # one round has to do
    seconds = precision._trial(tiny_config(Path("digits")), CPU)
    assert seconds.keys() == {"fp32", "bf16"}
    assert all(0.0 < value < math.inf for value in seconds.values())


def test_a_resumed_run_keeps_what_was_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = write_digits(tmp_path / "data")
    out = tmp_path / "run"
    pretend(monkeypatch, bf16=1.0, fp32=2.0)
    run_training(tiny_config(data, epochs=1, precision="auto"), out)
    pretend(monkeypatch, bf16=2.0, fp32=1.0)
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
    assert resolve_device("auto") == resolve_device("cuda") == torch.device("cuda", 0)
    assert resolve_device("cuda:1") == torch.device("cuda", 1)
    with pytest.raises(UnavailableError, match="no CUDA device 2"):
        resolve_device("cuda:2")
    assert resolve_device("cpu") == CPU


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_training_on_a_gpu_and_going_on_there(tmp_path: Path) -> None:
    data = write_digits(tmp_path / "data")
    out = tmp_path / "run"
    config = tiny_config(data, epochs=1, device="cuda", precision="auto")
    assert run_training(config, out).device.startswith("cuda")
    assert (
        run_training(tiny_config(data, epochs=2, device="cuda", precision="auto"), out, resume=True).step
        == 10
    )
