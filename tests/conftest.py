"""Versions of everything native in the header, and small artifacts that many tests use."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import settings

from dcgan_edge.artifact import Architecture, BatchProfile
from dcgan_edge.models import build_generator
from dcgan_edge.runtime.device import has_nvidia_gpu, installed_versions

settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")

TINY = Architecture("dcgan", 28, 1, 4, latent_dim=16)


def pytest_report_header() -> list[str]:
    versions = ", ".join(f"{name} {version}" for name, version in installed_versions().items())
    return [f"libraries: {versions}", f"nvidia gpu: {'yes' if has_nvidia_gpu() else 'none'}"]


def lively_generator(architecture: Architecture = TINY) -> torch.nn.Module:
    """A generator with settled BatchNorm statistics and images of full contrast, as after training."""
    torch.manual_seed(0)
    generator = build_generator(architecture).train()
    with torch.no_grad():
        for _ in range(8):
            generator(torch.randn(64, architecture.latent_dim, 1, 1))
        for parameter in list(generator.parameters())[-2:]:
            parameter.mul_(20)
    return generator.eval()


@pytest.fixture(scope="session")
def generator() -> torch.nn.Module:
    return lively_generator()


@pytest.fixture(autouse=True)
def private_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing a test does reaches the user's cache."""
    cache = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("DCGAN_EDGE_CACHE", str(cache))
    return cache


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint after two steps on the digits: everything real but the quality."""
    from dcgan_edge.training import TrainConfig, train

    config = TrainConfig(TINY, batch=3500, epochs=1, precision="fp32")
    return train(config, tmp_path_factory.mktemp("run")).checkpoint


@pytest.fixture(scope="session")
def exported(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with generator.fp32.onnx and generator.fp16.onnx of `checkpoint`."""
    from dcgan_edge.export.pipeline import export

    folder = tmp_path_factory.mktemp("artifacts")
    export(checkpoint, folder, batch=BatchProfile(1, 4, 8))
    return folder
