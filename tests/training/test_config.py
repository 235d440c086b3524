"""Requests: what is accepted, and what of a resumed one may differ."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from dcgan_edge.errors import UsageError
from dcgan_edge.training.config import TrainConfig, differences
from tests.training.tiny_run import tiny_config

CONFIG = tiny_config(Path("digits"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"minutes": 1.0}, "either epochs or minutes"),
        ({"epochs": None}, "either epochs or minutes"),
        ({"epochs": 0}, "epochs must be above 0"),
        ({"epochs": None, "minutes": 0.0}, "minutes must be above 0"),
        ({"epochs": None, "minutes": float("inf")}, "minutes must be above 0"),
        ({"epochs": None, "minutes": float("nan")}, "minutes must be above 0"),
        ({"batch": 0}, "batch must be above 0"),
        ({"batch": 1}, "at least 2 images"),
        ({"learning_rate": -1.0}, "learning rate must be above 0"),
        ({"beta1": 1.0}, "beta1 lies in"),
        ({"ema_decay": -0.1}, "ema_decay lies in"),
        ({"seed": -1}, "seed is a whole number"),
        ({"seed": 2**64}, "seed is a whole number"),
        ({"log_every": 0}, "log interval"),
        ({"grid_every": -5}, "grid interval"),
        ({"checkpoint_seconds": float("nan")}, "checkpoint interval"),
        ({"device": "tpu"}, "auto, cpu, cuda"),
        ({"precision": "fp16"}, "precision is one of auto, fp32, bf16"),
        ({"architecture": dataclasses.replace(CONFIG.architecture, size=37)}, "not 37"),
    ],
)
def test_requests_that_cannot_be_met(change: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        dataclasses.replace(CONFIG, **change)


def test_the_defaults_are_the_papers() -> None:
    """arXiv:1511.06434, section 4."""
    config = TrainConfig(CONFIG.architecture, epochs=1)
    assert (config.learning_rate, config.beta1, config.beta2, config.batch) == (2e-4, 0.5, 0.999, 128)


def test_a_config_survives_its_dict() -> None:
    assert TrainConfig.from_dict(CONFIG.to_dict()) == CONFIG


@pytest.mark.parametrize(
    "change", [{"more": 1}, {"seed": 1.5}, {"seed": True}, {"data": None}, {"epochs": "4"}]
)
def test_a_foreign_dict_is_a_value_error(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"unknown|is "):
        TrainConfig.from_dict({**CONFIG.to_dict(), **change})


def test_budget_and_device_may_differ() -> None:
    other = dataclasses.replace(CONFIG, epochs=None, minutes=3.0, device="auto")
    assert differences(other, CONFIG) == []
    assert differences(dataclasses.replace(CONFIG, seed=9, batch=8), CONFIG) == ["batch", "seed"]
