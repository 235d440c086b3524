"""The supervised network learns, depends on its seed alone, and has the shape of every preset."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dcgan_edge.artifact import Architecture
from dcgan_edge.claims.features.supervised import classifier, supervised_accuracy
from dcgan_edge.data.labelled import Labelled
from dcgan_edge.models import PRESETS, build_discriminator

SMALL = Architecture("dcgan", 28, 1, 4, 8)


def bars(count: int, *, seed: int) -> Labelled:
    """Upright and level bars in noise."""
    random = np.random.default_rng(seed)
    pixels = random.integers(0, 60, (count, 1, 28, 28), np.uint8)
    labels = np.arange(count) % 2
    for image, label in zip(pixels, labels, strict=True):
        place = int(random.integers(8, 20))
        if label:
            image[0, :, place : place + 3] = 255
        else:
            image[0, place : place + 3] = 255
    return Labelled(pixels, labels)


def test_bars_are_learned() -> None:
    train, test = bars(80, seed=0), bars(60, seed=1)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    found = supervised_accuracy(SMALL, train, test, seed=0, epochs=20, fewest_steps=40)
    assert found > 0.95
    assert torch.equal(torch.get_rng_state(), before)
    assert supervised_accuracy(SMALL, train, test, seed=0, epochs=20, fewest_steps=40) == found


def test_untrained_it_guesses() -> None:
    test = bars(60, seed=1)
    assert supervised_accuracy(SMALL, bars(80, seed=0), test, seed=0, epochs=0, fewest_steps=0) <= 0.6


@pytest.mark.parametrize("preset", PRESETS)
def test_the_last_layer_of_every_preset_gets_classes(preset: str) -> None:
    discriminator = build_discriminator(Architecture(preset, 28, 1, 4, 8)).eval()
    network = classifier(discriminator, 7).eval()
    images = torch.randn(3, 1, 28, 28)
    assert network(images).shape == (3, 7)
    assert discriminator(images).shape == (3,)  # untouched
    body = list(discriminator.get_submodule("layers").children())[:-1]
    mine = list(network.children())[: len(body)]
    for one, other in zip(body, mine, strict=True):
        assert str(one) == str(other)
        for left, right in zip(one.parameters(), other.parameters(), strict=True):
            assert torch.equal(left, right)
            assert left is not right
