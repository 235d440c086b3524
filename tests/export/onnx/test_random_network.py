from __future__ import annotations

import numpy as np
import pytest

from dcgan_edge.evaluation.random_features import RandomFeatures
from dcgan_edge.export.onnx.random_network import OnnxRandomFeatures
from dcgan_edge.latents import FloatArray


def pictures(channels: int, size: int) -> FloatArray:
    return np.random.default_rng(0).uniform(-1, 1, (5, channels, size, size)).astype(np.float32)


@pytest.mark.torch
@pytest.mark.parametrize(("channels", "size"), [(1, 28), (3, 64), (3, 17)])
def test_the_features_are_those_of_pytorch(channels: int, size: int) -> None:
    images = pictures(channels, size)
    # float32 sums in another order
    assert OnnxRandomFeatures().features(images) == pytest.approx(RandomFeatures().features(images), abs=1e-5)


@pytest.mark.parametrize(("channels", "size"), [(2, 28), (4, 16), (3, 4), (1, 1)])
def test_images_that_nobody_expects_have_features_too(channels: int, size: int) -> None:
    found = OnnxRandomFeatures().features(pictures(channels, size))
    assert found.shape == (5, OnnxRandomFeatures.dim)
    assert np.isfinite(found).all()
