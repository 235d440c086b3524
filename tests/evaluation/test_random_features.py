"""Random features: the same everywhere, for images of any kind, and further apart where images are."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dcgan_edge.errors import UsageError
from dcgan_edge.evaluation.extractor import load_extractor
from dcgan_edge.evaluation.frechet import fid
from dcgan_edge.evaluation.random_features import RandomFeatures
from dcgan_edge.images import PixelArray, from_uint8

COUNT = 200


@pytest.fixture(scope="module")
def extractor() -> RandomFeatures:
    return RandomFeatures()


def squares(count: int, *, size: int = 32, channels: int = 3, seed: int = 0) -> PixelArray:
    """Squares of one colour on another, at places of chance."""
    random = np.random.default_rng(seed)
    pixels = np.broadcast_to(random.integers(0, 256, (count, channels, 1, 1)), (count, channels, size, size))
    pictures: PixelArray = pixels.astype(np.uint8)
    for image in pictures:
        top, left, side = random.integers(0, size // 2, 3)
        image[:, top : top + side + 2, left : left + side + 2] = random.integers(0, 256, (channels, 1, 1))
    return pictures


def test_the_values_are_those_of_every_other_machine(extractor: RandomFeatures) -> None:
    image = np.linspace(-1, 1, 3 * 16 * 16, dtype=np.float32).reshape(1, 3, 16, 16)
    found = extractor.features(image)[0]
    assert found.shape == (128,)
    # float32 sums in another order differ in the last digits
    assert found[:3] == pytest.approx([0.34877682, 0.0, 0.29669529], rel=1e-4, abs=1e-6)


@pytest.mark.parametrize(("size", "channels"), [(24, 1), (28, 1), (64, 3), (96, 3)])
def test_images_of_any_kind_are_taken(extractor: RandomFeatures, size: int, channels: int) -> None:
    found = extractor.features(from_uint8(squares(5, size=size, channels=channels)))
    assert found.shape == (5, extractor.dim)
    assert np.isfinite(found).all()


def test_grey_is_the_colour_of_equal_channels(extractor: RandomFeatures) -> None:
    grey = from_uint8(squares(3, channels=1))
    assert np.array_equal(extractor.features(grey), extractor.features(grey.repeat(3, axis=1)))


def test_what_is_done_to_images_moves_them_away(extractor: RandomFeatures) -> None:
    real = squares(COUNT)
    others = squares(COUNT, seed=1)
    noise = np.random.default_rng(2).normal(0, 25, others.shape)
    blurred = (others.astype(np.float64) + np.roll(others, 2, 2) + np.roll(others, 2, 3)) / 3
    changed = {
        "noise": np.clip(others + noise, 0, 255).astype(np.uint8),
        "blur": blurred.astype(np.uint8),
        "few": others[np.arange(COUNT) % 10],
        "inverted": 255 - others // 2,
    }
    features = extractor.features(from_uint8(real))
    least = fid(extractor.features(from_uint8(others)), features)
    for name, images in changed.items():
        assert fid(extractor.features(from_uint8(images)), features) > 1.1 * least, name


def test_loading_draws_no_random_number() -> None:
    before = torch.get_rng_state()
    RandomFeatures()
    assert torch.equal(before, torch.get_rng_state())


def test_it_is_loaded_by_name_and_has_no_weights() -> None:
    assert load_extractor("random").facts["name"] == "random"
    with pytest.raises(UsageError, match="inception"):
        load_extractor("random", "weights.pth")
    with pytest.raises(UsageError, match="digits, random, inception"):
        load_extractor("others")
