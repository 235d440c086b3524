"""Sizes between the usual ones, all the way: two steps of training, a verified export, a benchmark."""

from __future__ import annotations

from pathlib import Path

import pytest

import dcgan_edge as de
from dcgan_edge.artifact import BatchProfile
from dcgan_edge.training import ema
from tests.training.tiny_run import write_digits


@pytest.fixture(autouse=True)
def few_statistics(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ema, "STATISTICS_BATCHES", 1)
    monkeypatch.setattr(ema, "STATISTICS_BATCH", 16)


def train_tiny(folder: Path, size: int) -> de.TrainResult:
    return de.train(
        write_digits(folder / "data"),
        folder / "run",
        size=size,
        width=1,
        latent_dim=4,
        batch=40,
        epochs=1,
        precision="fp32",
        device="cpu",
    )


@pytest.mark.parametrize("size", [24, 48, 96, 256])
def test_a_size_is_trained_and_exported_with_proof(tmp_path: Path, size: int) -> None:
    trained = train_tiny(tmp_path, size)
    assert trained.step == 2
    profile = BatchProfile(1, 2, 4)
    (artifact,) = de.export(trained.checkpoint, tmp_path / "out", precisions=["fp32"], batch=profile)
    with de.open_session(artifact.path, device="cpu") as session:
        assert session.generate(seeds=[3]).shape == (1, size, size, 1)


def test_a_size_is_verified_again_and_measured(tmp_path: Path) -> None:
    trained = train_tiny(tmp_path, 112)
    (half,) = de.export(
        trained.checkpoint, tmp_path / "out", precisions=["fp16"], batch=BatchProfile(1, 2, 4)
    )
    (proof,) = de.verify(half.path, trained.checkpoint, seeds=range(8))
    assert proof.verification.verdict == "passed"
    report = de.bench(half.path, batches=[2], duration_s=0.05, iterations=2, warmup_s=0.0)
    assert len(report.measurements) == 1
