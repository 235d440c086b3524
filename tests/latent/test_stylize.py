"""Projection by features: the distance falls below the nearest sample's, and the prior has its price."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dcgan_edge.errors import UsageError
from dcgan_edge.latent.inversion import Networks
from dcgan_edge.latent.plan import SearchPlan
from dcgan_edge.latent.stylize import stylize_images
from dcgan_edge.latents import FloatArray, latents
from tests.mirror import images_of, tiny_networks

PLAN = SearchPlan(steps=40, restarts=2, pool=64, prior=0.0)


def content() -> FloatArray:
    """Images that the generator can make, and that are not in the pool."""
    return images_of(tiny_networks(), 0.8 * latents([5000, 5001], 16))


def test_projection_is_nearer_than_any_sample() -> None:
    found = stylize_images(tiny_networks(), content(), PLAN)
    assert list(found.columns) == ["content", "nearest sample", "projection"]
    assert found.layers == ("conv1", "conv2")
    for near, far in zip(found.distances["projection"], found.distances["nearest sample"], strict=True):
        assert near < 0.5 * far
    pool = images_of(tiny_networks(), latents(range(64), 16))
    for sample in found.columns["nearest sample"]:
        assert np.abs(pool - sample).max(axis=(1, 2, 3)).min() < 1e-5


def test_distances_are_relative_to_the_content() -> None:
    networks = tiny_networks()
    plan = SearchPlan(steps=1, restarts=1, pool=1, prior=0.0)
    found = stylize_images(networks, content(), plan, layers=("conv1",))
    assert found.layers == ("conv1",)
    first, wanted = (_conv1(networks, images) for images in (found.columns["nearest sample"], content()))
    squares = ((first - wanted) ** 2).mean(axis=(1, 2, 3)) / (wanted**2).mean(axis=(1, 2, 3))
    assert found.distances["nearest sample"] == pytest.approx(squares.tolist(), rel=1e-4)  # float32 sums
    own = images_of(networks, latents([0], 16))
    same = stylize_images(networks, own, plan)
    assert same.distances["nearest sample"] == pytest.approx([0.0], abs=1e-6)


def _conv1(networks: Networks, images: FloatArray) -> FloatArray:
    layers = networks.discriminator.get_submodule("layers")
    assert isinstance(layers, torch.nn.Sequential)
    activations: FloatArray = layers[:2](torch.from_numpy(images)).numpy()
    return activations


def test_much_prior_gives_up_the_content() -> None:
    networks = tiny_networks()
    free, bound = (
        stylize_images(networks, content(), SearchPlan(**{**PLAN.__dict__, "prior": p})) for p in (0.0, 100.0)
    )
    assert np.mean(bound.logits["projection"]) > np.mean(free.logits["projection"])
    assert np.mean(bound.distances["projection"]) > np.mean(free.distances["projection"])
    assert free.logits["content"] == bound.logits["content"]


def test_an_unknown_layer_is_refused() -> None:
    with pytest.raises(UsageError, match=r"no layer conv9; it has conv1, conv2"):
        stylize_images(tiny_networks(), content(), PLAN, layers=("conv9",))
