"""The gate of distributions: no difference where there is none, and found where a PSNR would not see it."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest

from dcgan_edge.artifact import Architecture, BatchProfile, Manifest, generator_tensors
from dcgan_edge.evaluation.kernel import Kid
from dcgan_edge.export import distribution
from dcgan_edge.export.distribution import Distribution, ReferenceImages
from dcgan_edge.latents import FloatArray
from dcgan_edge.runtime.session import Session, SessionFacts

DIGITS, COLOURS = Architecture("dcgan", 28, 1, 4), Architecture("custom", 16, 3, 0)
Change = Callable[[FloatArray], FloatArray]


class Painter(Session):
    """Bars of the latents' heights on black, one for each latent, changed as said."""

    def __init__(self, architecture: Architecture, change: Change = lambda images: images) -> None:
        source, result = generator_tensors(architecture)
        self.manifest = Manifest(
            "onnx", architecture, "fp32", (source,), (result,), BatchProfile(), "", "test"
        )
        self._change = change

    @property
    def facts(self) -> SessionFacts:
        return SessionFacts("painter", "1", "cpu", "a processor")

    def run(self, latents: FloatArray) -> FloatArray:
        architecture = self.manifest.architecture
        size, channels = architecture.size, architecture.channels
        heights = np.clip(np.abs(latents[:, : size // 4 * channels, 0, 0]) * 0.4, 0, 1)
        rows = np.linspace(1, 0, size, dtype=np.float32)[:, None]
        bars = heights.reshape(len(latents), channels, 1, size // 4).repeat(4, axis=3) > rows
        return self._change(np.where(bars, 0.8, -0.8).astype(np.float32))

    def close(self) -> None:
        pass


@pytest.fixture(autouse=True)
def few_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distribution, "IMAGES", 200)


@pytest.mark.parametrize("architecture", [DIGITS, COLOURS], ids=["digits", "colours"])
def test_the_same_images_are_of_the_same_distribution(architecture: Architecture) -> None:
    found = ReferenceImages(Painter(architecture)).compare(Painter(architecture))
    assert (found.kid.value, found.kid.low, found.kid.high) == (0.0, 0.0, 0.0)
    assert found.missed == ()
    assert (found.changed_class, found.changed_sure) == ((0.0, 0) if architecture is DIGITS else (None, None))
    assert found.features == ("digits" if architecture is DIGITS else "random")
    json.dumps(found.to_dict(), allow_nan=False)


@pytest.mark.parametrize("architecture", [DIGITS, COLOURS], ids=["digits", "colours"])
def test_noise_that_differs_from_image_to_image_passes(architecture: Architecture) -> None:
    random = np.random.default_rng(0)
    noisy = Painter(architecture, lambda x: x + random.normal(0, 0.01, x.shape).astype(np.float32))  # 46 dB
    assert ReferenceImages(Painter(architecture)).compare(noisy).missed == ()


@pytest.mark.parametrize("architecture", [DIGITS, COLOURS], ids=["digits", "colours"])
def test_contrast_that_is_lost_everywhere_is_found(architecture: Architecture) -> None:
    found = ReferenceImages(Painter(architecture)).compare(Painter(architecture, lambda x: x * 0.6))
    assert found.kid.low > 0
    assert any("KID" in each for each in found.missed)


def test_digits_that_become_others_are_counted() -> None:
    found = ReferenceImages(Painter(DIGITS)).compare(Painter(DIGITS, lambda x: x[:, :, ::-1].copy()))
    assert found.changed_class is not None
    assert found.changed_class > 0.1


@pytest.mark.parametrize(
    ("changed", "sure", "passes"), [(2, 5, True), (3, 5, False), (10, 1000, True), (11, 1000, False)]
)
def test_one_in_a_hundred_digits_may_become_another(changed: int, sure: int, passes: bool) -> None:
    none = Kid(0.0, -1e-3, 1e-3, np.zeros(2))
    found = Distribution(1000, "digits", none, none, 0.02, changed, sure)
    assert (found.missed == ()) is passes


def test_large_images_are_fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distribution, "MOST_VALUES", 100 * 3 * 16**2)
    assert ReferenceImages(Painter(COLOURS)).compare(Painter(COLOURS)).images == 100
    monkeypatch.setattr(distribution, "MOST_VALUES", 1)
    assert ReferenceImages(Painter(COLOURS)).compare(Painter(COLOURS)).images == distribution.LEAST_IMAGES
